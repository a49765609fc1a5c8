package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"flowbench/experiments/store"
	"flowbench/experiments/store/storetest"
)

// server is the PostgreSQL server of this package's tests, which the first to
// ask for it starts and TestMain stops.
var server struct {
	once sync.Once
	*storetest.Postgres
}

// studies numbers the schemas of tests.
var studies atomic.Int64

// newStudy is the URL of a study that no other test has.
func newStudy(t testing.TB) string {
	t.Helper()
	server.once.Do(func() { server.Postgres = storetest.RequirePostgres(t) })
	if server.Postgres == nil {
		storetest.RequirePostgres(t) // skips or fails once more
	}
	return store.ForStudy(server.URL, fmt.Sprintf(`%s "%d"`, t.Name(), studies.Add(1)))
}

func openPostgres(t testing.TB, url string) *store.Postgres {
	t.Helper()
	s, err := store.OpenPostgres(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestPostgresConformance(t *testing.T) {
	urls := map[*testing.T]string{}
	storetest.Run(t, func(t *testing.T, name string) store.Store {
		if urls[t] == "" {
			urls[t] = newStudy(t)
		}
		return openPostgres(t, urls[t])
	})
}

// TestPostgresStudies: a database holds many studies, whatever their names.
func TestPostgresStudies(t *testing.T) {
	newStudy(t)
	long := strings.Repeat("ü", 40)
	names := []string{"", "a", "A", "a b", `a"; DROP SCHEMA flowbench_a; --`, "naïve", long + "1", long + "2", "a/b", "100%", "a&study=b"}
	for round := range 2 { // each is found again
		for i, name := range names {
			s := openPostgres(t, store.ForStudy(server.URL, name))
			if round == 0 {
				if err := s.Create(t.Context(), name, "f", make([]store.PlannedTrial, 1)); err != nil {
					t.Errorf("%q: %v", name, err)
				}
			}
			if held, err := s.Study(t.Context()); err != nil || held.Name != name {
				t.Errorf("study %d is %q, want %q (%v)", i, held.Name, name, err)
			}
			s.Close()
		}
	}
}

// TestPostgresFirstOpenings: whoever comes at the same moment, the tables are made once.
func TestPostgresFirstOpenings(t *testing.T) {
	at := newStudy(t)
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() {
			s, err := store.OpenPostgres(at)
			if err == nil {
				err = errors.Join(s.Create(context.Background(), "a", "f", []store.PlannedTrial{{Index: 0}}), s.Close())
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// sqlOf runs statements in a study's schema.
func sqlOf(t *testing.T, at, statements string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	schema := pgx.Identifier{"flowbench_" + u.Query().Get("study")}.Sanitize()
	if _, err := conn.Exec(t.Context(), "CREATE SCHEMA IF NOT EXISTS "+schema+"; SET search_path TO "+schema+"; "+statements); err != nil {
		t.Fatal(err)
	}
}

// TestPostgresRefusals: what cannot be opened says what can be done, and never
// the password.
func TestPostgresRefusals(t *testing.T) {
	foreign, newer := store.ForStudy(newStudy(t), ""), newStudy(t)
	sqlOf(t, foreign, `CREATE TABLE other (x INT)`)
	openPostgres(t, newer).Close()
	sqlOf(t, newer, `UPDATE flowbench SET version = 7`)
	change := func(how func(u *url.URL)) string {
		u, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		how(u)
		return u.String()
	}
	secret, _ := url.Parse(server.URL)
	password, _ := secret.User.Password()
	for want, at := range map[string]string{
		"the password is wrong": change(func(u *url.URL) { u.User = url.UserPassword("flowbench", "wrong-geheim") }),
		"with createdb":         change(func(u *url.URL) { u.Path = "/nowhere" }),
		"no server answers":     change(func(u *url.URL) { u.Host = "127.0.0.1:1" }),
		"no such machine":       change(func(u *url.URL) { u.Host = "nowhere.invalid" }),
		"of something else":     foreign,
		"version 7":             newer,
		"sslmode is invalid":    change(func(u *url.URL) { u.RawQuery = "sslmode=geheim" }),
		"the URL is none":       strings.Replace(server.URL, "127.0.0.1", "%zz", 1),
	} {
		s, err := store.OpenPostgres(at)
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", want)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ...%s...", err, want)
		}
		for _, bad := range []string{password, url.QueryEscape(password), secret.User.String(), "wrong-geheim"} {
			if strings.Contains(err.Error(), bad) {
				t.Errorf("the error shows the password: %v", err)
			}
		}
	}
}

// TestPostgresFull: a server without a connection to spare is waited for.
func TestPostgresFull(t *testing.T) {
	at := newStudy(t)
	openPostgres(t, at).Close()
	var held []*pgx.Conn
	for {
		conn, err := pgx.Connect(t.Context(), server.URL)
		if err != nil {
			break
		}
		held = append(held, conn)
	}
	begun := time.Now()
	go func() {
		time.Sleep(300 * time.Millisecond)
		for _, conn := range held {
			conn.Close(context.Background())
		}
	}()
	openPostgres(t, at)
	if waited := time.Since(begun); waited < 200*time.Millisecond {
		t.Errorf("opened after %v, when the server was full", waited)
	}
}

// TestPostgresRestart: workers outlive a server that crashes and comes back,
// with every trial done once and claims whose answers were lost found again.
func TestPostgresRestart(t *testing.T) {
	const trials, workers, crashes = 400, 4, 3
	own := storetest.RequirePostgres(t)
	defer own.Stop()
	s := openPostgres(t, own.URL)
	store.SetPatience(s, 10*time.Minute) // a server may take long to recover
	plan := make([]store.PlannedTrial, trials)
	for i := range plan {
		plan[i].Index = i
	}
	if err := s.Create(t.Context(), "crash", "f", plan); err != nil {
		t.Fatal(err)
	}
	var finished atomic.Int64
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for {
				c, err := s.Claim(t.Context(), fmt.Sprint("worker", w), time.Hour, time.Now())
				if err == nil && c == nil {
					return
				}
				if err == nil {
					err = s.Finish(t.Context(), c, store.End{State: store.Done}, time.Now())
				}
				if err != nil {
					t.Error(err)
					return
				}
				finished.Add(1)
				time.Sleep(time.Millisecond)
			}
		})
	}
	for crash := range crashes {
		for finished.Load() < int64((crash+1)*trials/(crashes+1)) && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		if err := errors.Join(own.Kill(), own.Start()); err != nil {
			t.Error(err)
		}
	}
	running.Wait()
	checkDoneOnce(t, s, trials, int(finished.Load()), 0)
}

// TestPostgresGone: a server that stays away is an error in the end, and soon
// one where the caller has no more time.
func TestPostgresGone(t *testing.T) {
	own := storetest.RequirePostgres(t)
	s := openPostgres(t, own.URL)
	store.SetPatience(s, time.Second)
	if err := own.Stop(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if _, err := s.Trials(t.Context()); err == nil || !strings.Contains(err.Error(), "no server answers") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 20*time.Second { // well before the 30 s without SetPatience
		t.Errorf("gave up after %v", took)
	}
	store.SetPatience(s, time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Claim(ctx, "a", time.Minute, time.Now()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestPostgresStopped: a worker that is stopped in the middle of a transaction
// holds the others up for seconds only.
func TestPostgresStopped(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	at := newStudy(t)
	s, stopped := openPostgres(t, at), openPostgres(t, at)
	if err := s.Create(t.Context(), "a", "f", []store.PlannedTrial{{Index: 0}}); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	release := store.HoldTransaction(t, stopped)
	if c, err := s.Claim(t.Context(), "a", time.Minute, time.Now()); err != nil || c == nil {
		t.Errorf("%+v, %v", c, err)
	}
	if took := time.Since(begun); took < 2*time.Second || took > 20*time.Second {
		t.Errorf("waited %v", took)
	}
	if err := release(); err != nil {
		t.Errorf("the stopped transaction was not made again: %v", err)
	}
}

func stopServer() {
	if server.Postgres != nil {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}
