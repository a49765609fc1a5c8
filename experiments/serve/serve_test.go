package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/experiments/page"
	"flowbench/experiments/page/pagetest"
	"flowbench/experiments/study"
)

var shape = pagetest.Shape{Configurations: 3, Replicates: 2, Epochs: 4, Rows: 2000}

// start serves a study of which the last open trials wait, until the test ends.
func start(t *testing.T, open int, token string) (address string, st *study.Study) {
	t.Helper()
	st = pagetest.Study(t, filepath.Join(t.TempDir(), "study"), shape, open)
	return serveStudy(t, st, token), st
}

func serveStudy(t *testing.T, st *study.Study, token string) string {
	t.Helper()
	l, err := Listen("127.0.0.1:0", token)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, l, Options{Studies: []*study.Study{st}, Token: token, Every: 20 * time.Millisecond})
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the server ended with %v", err)
			}
		case <-time.After(2 * time.Minute):
			t.Error("the server does not end with its context")
		}
	})
	return "http://" + l.Addr().String()
}

// ask sends a request, and returns the answer's status and text.
func ask(t *testing.T, method, url string, header map[string]string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range header {
		if r.Header.Set(name, v); name == "Host" {
			r.Host = v
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(text)
}

func TestAnswers(t *testing.T) {
	at, _ := start(t, 0, "")
	cases := []struct {
		method, path string
		header       map[string]string
		status       int
		text         string
	}{
		{"GET", "/", nil, http.StatusSeeOther, ""},
		{"GET", "/study/0/", nil, http.StatusOK, `"document":"document.json"`},
		{"GET", "/study/0/document.json", nil, http.StatusOK, `"kind":"study"`},
		{"GET", "/study/1/", nil, http.StatusNotFound, "there is no study"},
		{"GET", "/study/0/../../etc/passwd", nil, http.StatusNotFound, ""},
		{"POST", "/study/0/", nil, http.StatusMethodNotAllowed, "only reads"},
		{"DELETE", "/study/0/document.json", nil, http.StatusMethodNotAllowed, "only reads"},
		{"GET", "/study/0/", map[string]string{"Host": "evil.example"}, http.StatusMisdirectedRequest, "loopback"},
	}
	for _, c := range cases {
		answer, text := ask(t, c.method, at+c.path, c.header)
		if answer.StatusCode != c.status && !(c.status == http.StatusNotFound && answer.StatusCode/100 == 3) || !strings.Contains(text, c.text) {
			t.Errorf("%s %s: %d %.100s, want %d %s", c.method, c.path, answer.StatusCode, text, c.status, c.text)
		}
		want := map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Content-Security-Policy": page.Policy("'self'") + "; frame-ancestors 'none'",
		}
		for name := range want {
			if got := answer.Header.Get(name); got != want[name] {
				t.Errorf("%s %s: %s is %q, want %q", c.method, c.path, name, got, want[name])
			}
		}
	}
}

func TestTokenLetsIn(t *testing.T) {
	const token = "0123456789abcdef"
	at, _ := start(t, 0, token)
	for name, header := range map[string]map[string]string{
		"none": nil, "wrong": {"Authorization": "Bearer 0123456789abcdee"}, "wrong cookie": {"Cookie": cookieName + "=0"}, "empty": {"Authorization": "Bearer "},
	} {
		if answer, text := ask(t, "GET", at+"/study/0/document.json", header); answer.StatusCode != http.StatusUnauthorized || strings.Contains(text, "kind") {
			t.Errorf("%s: %d %.80s", name, answer.StatusCode, text)
		}
	}
	if answer, _ := ask(t, "GET", at+"/study/0/document.json?token=wrong", nil); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong token in the address: %d", answer.StatusCode)
	}
	if answer, _ := ask(t, "GET", at+"/study/0/document.json", map[string]string{"Authorization": "Bearer " + token}); answer.StatusCode != http.StatusOK {
		t.Errorf("the token in the header: %d", answer.StatusCode)
	}
	answer, _ := ask(t, "GET", at+"/study/0/?token="+token, nil)
	if to := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || to != "/study/0/" {
		t.Fatalf("the token in the address: %d to %s", answer.StatusCode, to)
	}
	cookie := answer.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("the cookie is %+v", cookie)
	}
	if answer, _ := ask(t, "GET", at+"/study/0/", map[string]string{"Cookie": cookie.Name + "=" + cookie.Value}); answer.StatusCode != http.StatusOK {
		t.Errorf("with the cookie: %d", answer.StatusCode)
	}
}

// TestOtherAddressesNeedAToken: what other machines can reach is never open.
func TestOtherAddressesNeedAToken(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0"} {
		if l, err := Listen(addr, ""); err == nil {
			l.Close()
			t.Errorf("%s: open to all without a token", addr)
		}
		l, err := Listen(addr, NewToken())
		if err != nil {
			t.Errorf("%s with a token: %v", addr, err)
			continue
		}
		l.Close()
	}
	for addr, want := range map[string]bool{"127.0.0.1:80": true, "localhost:80": true, "[::1]:80": true, ":80": false, "0.0.0.0:80": false, "192.0.2.1:80": false, "example.org:80": false} {
		if got := Loopback(addr); got != want {
			t.Errorf("%s is loopback: %v", addr, got)
		}
	}
}

func TestTokensDiffer(t *testing.T) {
	if a, b := NewToken(), NewToken(); a == b || len(a) != 32 {
		t.Errorf("tokens %s and %s", a, b)
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Listen(l.Addr().String(), ""); err == nil || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("an address in use: %v", err)
	}
}

// TestEventsTellOfTrialsThatEnd ends trials while a reader listens.
func TestEventsTellOfTrialsThatEnd(t *testing.T) {
	at, st := start(t, 4, "")
	trials := len(st.Plan.Trials)
	r, err := http.NewRequestWithContext(t.Context(), "GET", at+"/study/0/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got := answer.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("events are %s", got)
	}
	lines := bufio.NewScanner(answer.Body)
	next := func() (e Event) {
		t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &e); err != nil {
					t.Fatal(err)
				}
				return e
			}
		}
		t.Fatalf("the events ended: %v", lines.Err())
		return e
	}
	first := next()
	if first.Progress.Ended != trials-4 || first.Progress.Trials != trials {
		t.Errorf("at first %+v", first.Progress)
	}
	_, before := ask(t, "GET", at+"/study/0/document.json", nil)
	pagetest.Finish(t, st, shape, trials-4, trials)
	second := next()
	if second.Progress.Ended != trials || second.Version == first.Version {
		t.Errorf("then %+v, version %s after %s", second.Progress, second.Version, first.Version)
	}
	_, after := ask(t, "GET", at+"/study/0/document.json", nil)
	if cmp.Equal(before, after) {
		t.Error("the document has no news")
	}
}

// TestPageFollowsTheSweep looks at the page itself while trials end.
func TestPageFollowsTheSweep(t *testing.T) {
	b := pagetest.Open(t)
	trials := len(pagetest.Study(t, filepath.Join(t.TempDir(), "count"), shape, 0).Plan.Trials)
	at, st := start(t, trials, "0123456789abcdef")
	b.Visit(t, at+"/?token=0123456789abcdef", 1440, 900, "light")
	b.Wait(t, `document.querySelector("#live").textContent.includes("0 of 12 trials have ended")`)
	if got := pagetest.Value[string](t, b, `document.querySelector("h1").textContent`); !strings.Contains(got, "No trial") {
		t.Errorf("before a trial is done: %s", got)
	}
	pagetest.Finish(t, st, shape, 0, trials)
	b.Wait(t, `document.querySelector("#live").textContent.includes("12 of 12 trials have ended")`)
	b.Wait(t, `document.querySelectorAll("#sweep tbody tr").length === 6`)
	b.Wait(t, `document.querySelector("h1").textContent.includes("is in front")`)
	b.Screenshot(t, "serve-laptop-light")
	for _, said := range b.Said() {
		t.Errorf("on the console: %s", said)
	}
	for _, url := range b.Requests() {
		if !strings.HasPrefix(url, at) {
			t.Errorf("asked of another: %s", url)
		}
	}
}
