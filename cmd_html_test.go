package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"flowbench/experiments/page/pagetest"
)

var drawnShape = pagetest.Shape{Configurations: 2, Replicates: 2, Epochs: 2, Rows: 1000}

func TestCompareWritesAPage(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	pagetest.Study(t, a, drawnShape, 0).Close()
	pagetest.Study(t, b, drawnShape, 0).Close()
	path := filepath.Join(dir, "report.html")
	code, out, log := flowbench(t, "compare", a, b, "--html", path)
	if code != 0 || !strings.Contains(out, path) {
		t.Fatalf("exit code %d:\n%s%s", code, out, log)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(raw, []byte("<!doctype html>")) || bytes.Count(raw, []byte(`"baseline":true`)) != 6 {
		t.Errorf("the page of two studies has %d bytes and %d baselines", len(raw), bytes.Count(raw, []byte(`"baseline":true`)))
	}
	if outside := regexp.MustCompile(`(src|href)="?https?:`).Find(raw); outside != nil {
		t.Errorf("the page asks the network for %s", outside)
	}
}

func TestPagesThatCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	empty, done := filepath.Join(dir, "empty"), filepath.Join(dir, "done")
	pagetest.Study(t, empty, drawnShape, 10).Close()
	pagetest.Study(t, done, drawnShape, 0).Close()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"no trial is done":  {[]string{"compare", empty, "--html", filepath.Join(dir, "x.html")}, []string{"no trial that is done", "flowbench sweep", "flowbench runs"}},
		"no such folder":    {[]string{"compare", done, "--html", filepath.Join(dir, "no", "x.html")}, []string{"--html"}},
		"no study":          {[]string{"serve", dir}, []string{"is no study"}},
		"a short token":     {[]string{"serve", done, "--token-file", token}, []string{"16 characters"}},
		"no token file":     {[]string{"serve", done, "--token-file", token + "s"}, []string{"--token-file"}},
		"no such interface": {[]string{"serve", done, "--listen", "192.0.2.7:0"}, []string{"--listen"}},
	} {
		code, out, log := flowbench(t, c.args...)
		if code != 1 {
			t.Errorf("%s: exit code %d:\n%s", name, code, out)
		}
		for _, want := range c.want {
			if !strings.Contains(log, want) {
				t.Errorf("%s: %q lacks %q", name, log, want)
			}
		}
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*.html")); len(found) > 0 {
		t.Errorf("a refused report left %v", found)
	}
}

func TestInspectWritesAPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flows.html")
	code, out, log := flowbench(t, "data", "inspect", "synth://infiltration?rows=2000", "--html", path)
	if code != 0 {
		t.Fatalf("exit code %d:\n%s%s", code, out, log)
	}
	if raw, err := os.ReadFile(path); err != nil || !bytes.Contains(raw, []byte(`"kind":"flows"`)) {
		t.Errorf("no page of flows: %v", err)
	}
}

// said collects what a command prints while it runs.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestServeEndsWhenToldTo serves on all addresses, with a token, as Ctrl-C ends it.
func TestServeEndsWhenToldTo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "study")
	pagetest.Study(t, dir, drawnShape, 0).Close()
	ctx, cancel := context.WithCancel(t.Context())
	out := &said{}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"flowbench", "serve", dir, "--listen", ":0"}, out, out) }()
	address := ""
	for end := time.Now().Add(20 * time.Second); address == "" && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		address = regexp.MustCompile(`http://\S+token=[0-9a-f]{32}`).FindString(out.String())
	}
	port := regexp.MustCompile(`:(\d+)/`).FindStringSubmatch(address)
	if port == nil {
		t.Fatalf("no address and no token in %q", out)
	}
	for path, want := range map[string]int{"/study/0/": http.StatusUnauthorized, "/study/0/?" + address[strings.Index(address, "token="):]: http.StatusOK} {
		answer, err := newClient(t).Get("http://127.0.0.1:" + port[1] + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, answer.StatusCode, want)
		}
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not end")
	}
}

// newClient keeps cookies, as browsers do.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}
