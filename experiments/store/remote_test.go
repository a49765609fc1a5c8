package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flowbench/experiments/store"
	"flowbench/experiments/store/storetest"
)

// serve lends a store to whoever has the token, until the test ends.
func serve(t testing.TB, s store.Store) (url, token string) {
	t.Helper()
	server := &store.Server{Store: s, Token: store.NewToken()}
	url, err := server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return url, server.Token
}

func openRemote(t testing.TB, url, token string) *store.Remote {
	t.Helper()
	r, err := store.OpenRemote(url, token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestRemoteConformance(t *testing.T) {
	type served struct{ url, token string }
	servers := map[*testing.T]served{}
	storetest.Run(t, func(t *testing.T, name string) store.Store {
		if servers[t].url == "" {
			url, token := serve(t, open(t, filepath.Join(t.TempDir(), name+".sqlite")))
			servers[t] = served{url, token}
		}
		return openRemote(t, servers[t].url, servers[t].token)
	})
}

// TestRemoteLostAnswers drops the connection after every third call was made,
// and before it was answered: nothing is done twice, and no claim is lost.
func TestRemoteLostAnswers(t *testing.T) {
	const trials, workers = 60, 3
	held := open(t, filepath.Join(t.TempDir(), "s.sqlite"))
	server := &store.Server{Store: held, Token: store.NewToken()}
	var calls atomic.Int64
	lossy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1)%3 != 0 {
			server.ServeHTTP(w, r)
			return
		}
		server.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}))
	defer lossy.Close()
	r := openRemote(t, lossy.URL, server.Token)
	plan := make([]store.PlannedTrial, trials)
	for i := range plan {
		plan[i].Index = i
	}
	if err := r.Create(t.Context(), "lossy", "f", plan); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for {
				c, err := r.Claim(t.Context(), fmt.Sprint("worker", w), time.Hour, time.Now())
				if err == nil && c == nil {
					return
				}
				if err == nil && c.Attempt == 1 && c.Trial%2 == 0 {
					err = r.Release(t.Context(), c)
				} else if err == nil {
					err = r.Finish(t.Context(), c, store.End{State: store.Done}, time.Now())
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	checkDoneOnce(t, held, trials, trials, 0)
	all, err := held.Trials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, trial := range all {
		if want := 2 - i%2; trial.Attempts != want {
			t.Errorf("trial %d took %d attempts, want %d", i, trial.Attempts, want)
		}
	}
}

// TestRemoteRestart: a launcher that ends and is started again at its address is
// waited for; one that stays away is an error in the end.
func TestRemoteRestart(t *testing.T) {
	held := open(t, filepath.Join(t.TempDir(), "s.sqlite"))
	server := &store.Server{Store: held, Token: store.NewToken()}
	url, err := server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	life := func() (end func()) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- server.Serve(ctx) }()
		return func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	end := life()
	r := openRemote(t, url, server.Token)
	end()
	store.SetPatience(r, 200*time.Millisecond)
	if _, err := r.Trials(t.Context()); err == nil || !strings.Contains(err.Error(), "no launcher answers") {
		t.Errorf("got %v", err)
	}
	store.SetPatience(r, time.Minute)
	answered := make(chan error)
	go func() { answered <- r.Create(t.Context(), "a", "f", nil) }()
	time.Sleep(100 * time.Millisecond)
	server.Addr = strings.TrimPrefix(url, "http://")
	if _, err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	end = life()
	defer end()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestRemoteFull: a worker learns that its launcher's disk has no room, and goes
// on when there is.
func TestRemoteFull(t *testing.T) {
	faults.arm(failsOnce, 0)
	held, err := store.OpenSQLiteThrough(filepath.Join(t.TempDir(), "s.sqlite"), faultyName)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	url, token := serve(t, held)
	r := openRemote(t, url, token)
	faults.arm(failsOnce, 1)
	defer faults.disarm()
	if err := r.Create(t.Context(), "a", "f", nil); !store.Full(err) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("got %v", err)
	}
	if err := r.Create(t.Context(), "a", "f", nil); err != nil {
		t.Error(err)
	}
	if err := r.Requeue(t.Context(), 7); err == nil || store.Full(err) {
		t.Errorf("got %v", err)
	}
}

// TestRemoteCancelled: a call ends with its context, though nobody answers.
func TestRemoteCancelled(t *testing.T) {
	held := open(t, filepath.Join(t.TempDir(), "s.sqlite"))
	server := &store.Server{Store: held, Token: store.NewToken()}
	var silent atomic.Bool
	over := make(chan struct{})
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if silent.Load() {
			<-over
			return
		}
		server.ServeHTTP(w, r)
	}))
	defer host.Close()
	defer close(over)
	r := openRemote(t, host.URL, server.Token)
	silent.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := r.Trials(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestServerRefuses what it was not asked as it wants to be.
func TestServerRefuses(t *testing.T) {
	held := open(t, filepath.Join(t.TempDir(), "s.sqlite"))
	server := &store.Server{Store: held, Token: "secret"}
	for _, tc := range []struct {
		name, method, path, token, body string
		status                          int
		want                            string
	}{
		{"a call", "POST", "/store/v1/study", "secret", `{}`, 200, `"Fingerprint":""`},
		{"no token", "POST", "/store/v1/study", "", `{}`, 401, "token is wrong"},
		{"another token", "POST", "/store/v1/study", "secre", `{}`, 401, "token is wrong"},
		{"another version", "POST", "/store/v2/study", "secret", `{}`, 400, "version 1"},
		{"another path", "POST", "/", "secret", `{}`, 400, "version 1"},
		{"another method", "GET", "/store/v1/study", "secret", `{}`, 400, "GET study"},
		{"no such call", "POST", "/store/v1/drop", "secret", `{}`, 400, "POST drop"},
		{"no JSON", "POST", "/store/v1/study", "secret", `{`, 422, "not understood"},
		{"an unknown field", "POST", "/store/v1/set-control", "secret", `{"Halt": true}`, 422, "Halt"},
		{"two calls", "POST", "/store/v1/study", "secret", `{}{}`, 422, "more was said"},
		{"an end that is none", "POST", "/store/v1/finish", "secret", `{"End": {"State": "running"}}`, 422, "cannot finish as running"},
		{"a plan in disorder", "POST", "/store/v1/create", "secret", `{"Trials": [{"Index": 1}]}`, 422, "has index 1"},
		{"an endless call", "POST", "/store/v1/study", "secret", "", 413, "more than"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body))
			if tc.body == "" {
				r = httptest.NewRequest(tc.method, tc.path, endless{})
			}
			r.Header.Set("Authorization", "Bearer "+tc.token)
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) {
				t.Errorf("%d %s, want %d ...%s...", w.Code, w.Body, tc.status, tc.want)
			}
		})
	}
	if held, err := held.Study(t.Context()); err != nil || held != (store.Study{}) {
		t.Errorf("a refused call changed the store: %+v, %v", held, err)
	}
}

// TestServerLoopback: without an address only this machine is served.
func TestServerLoopback(t *testing.T) {
	url, _ := serve(t, open(t, filepath.Join(t.TempDir(), "s.sqlite")))
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Errorf("serves at %s", url)
	}
}

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	first, err := store.TokenFile(path)
	if err != nil || len(first) != 64 || first == store.NewToken() {
		t.Fatalf("%q, %v", first, err)
	}
	again, err := store.TokenFile(path)
	if err != nil || again != first {
		t.Errorf("%q after %q, %v", again, first, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil { // as a crash may leave it
		t.Fatal(err)
	}
	if other, err := store.TokenFile(path); err != nil || len(other) != 64 || other == first {
		t.Errorf("%q, %v", other, err)
	}
}
