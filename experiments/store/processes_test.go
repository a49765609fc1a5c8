package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"flowbench/experiments/store"
)

// childVariable makes the test binary a worker on the store at the URL that it
// holds, and paceVariable says how long that trains each trial.
const (
	childVariable = "FLOWBENCH_STORE_TEST_CHILD"
	paceVariable  = "FLOWBENCH_STORE_TEST_PACE"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(childVariable); url != "" {
		if err := child(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	stopServer()
	os.Exit(code)
}

// childLease is short, so that a killed worker's trial is soon taken over. Where
// nobody is killed, none is: what is measured is not how long a process may wait.
const (
	childLease = 300 * time.Millisecond
	longLease  = time.Minute
)

// child claims and finishes trials, printing each trial that counts, until none is left.
func child(url string) error {
	pace, err := time.ParseDuration(os.Getenv(paceVariable))
	if err != nil {
		return err
	}
	s, err := store.Open(url)
	if err != nil {
		return err
	}
	defer s.Close()
	lease := childLease
	if pace == 0 {
		lease = longLease
	}
	ctx, worker := context.Background(), fmt.Sprint("process ", os.Getpid())
	for {
		c, err := s.Claim(ctx, worker, lease, time.Now())
		if err != nil {
			return err
		}
		if c == nil {
			if over, err := allEnded(s); over || err != nil {
				return err
			}
			time.Sleep(20 * time.Millisecond)
			continue
		}
		time.Sleep(pace) // the training
		switch err := s.Finish(ctx, c, store.End{State: store.Done}, time.Now()); {
		case errors.Is(err, store.ErrSuperseded):
		case err != nil:
			return err
		default:
			fmt.Println(c.Trial)
		}
	}
}

func allEnded(s store.Store) (bool, error) {
	trials, err := s.Trials(context.Background())
	for _, t := range trials {
		if !t.State.Ended() {
			return false, err
		}
	}
	return true, err
}

// stores are one of each kind, empty, as workers open them by URL and this
// process beside them.
var stores = []struct {
	kind string
	open func(t testing.TB) (url string, s store.Store)
}{
	{"sqlite", func(t testing.TB) (string, store.Store) {
		path := filepath.Join(t.TempDir(), "s.sqlite")
		return path, open(t, path)
	}},
	{"postgres", func(t testing.TB) (string, store.Store) {
		url := newStudy(t)
		return url, openPostgres(t, url)
	}},
	{"remote", func(t testing.TB) (string, store.Store) {
		held := open(t, filepath.Join(t.TempDir(), "s.sqlite"))
		url, token := serve(t, held)
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		return url + "?token_file=" + file, held
	}},
}

// race lets processes work on a study of trials until all have ended, and kills
// some of them on the way. No trial may be said to be done twice; how many were
// is returned.
func race(t *testing.T, url string, s store.Store, trials, processes, killed int, pace time.Duration) (said int) {
	t.Helper()
	plan := make([]store.PlannedTrial, trials)
	for i := range plan {
		plan[i].Index = i
	}
	if err := s.Create(t.Context(), "race", "f", plan); err != nil {
		t.Fatal(err)
	}
	counted := make(chan int, trials*processes)
	ended := make(chan error, processes)
	for p := range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"="+url, paceVariable+"="+pace.String())
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() {
			lines := bufio.NewScanner(out)
			for n := 1; lines.Scan(); n++ {
				var trial int
				fmt.Sscan(lines.Text(), &trial)
				counted <- trial
				if p < killed && n == 5 {
					cmd.Process.Kill()
				}
			}
			if err := cmd.Wait(); p >= killed {
				ended <- err
			} else {
				ended <- nil
			}
		}()
	}
	for range processes {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	close(counted)
	seen := map[int]bool{}
	for trial := range counted {
		if seen[trial] {
			t.Errorf("trial %d was counted twice", trial)
		}
		seen[trial] = true
	}
	return len(seen)
}

// TestProcesses lets four processes race for 120 trials and kills two of them
// on the way. Every trial is done once, and none is counted twice.
func TestProcesses(t *testing.T) {
	const trials, processes, killed = 120, 4, 2
	for _, kind := range stores {
		t.Run(kind.kind, func(t *testing.T) {
			url, s := kind.open(t)
			said := race(t, url, s, trials, processes, killed, time.Millisecond)
			checkDoneOnce(t, s, trials, said, killed)
		})
	}
}

// TestManyProcesses lets sixteen processes race for trials of nothing: 50 each,
// or 500 with FLOWBENCH_STORE_FULL, which must then take less than a minute.
func TestManyProcesses(t *testing.T) {
	const processes, limit = 16, time.Minute
	each := 50
	if fullSize() {
		each = 500
	}
	for _, kind := range stores {
		t.Run(kind.kind, func(t *testing.T) {
			url, s := kind.open(t)
			begun := time.Now()
			said := race(t, url, s, processes*each, processes, 0, 0)
			took := time.Since(begun)
			t.Logf("%d results of %d processes in %v: %.0f a second", processes*each, processes, took.Round(time.Millisecond), float64(processes*each)/took.Seconds())
			if took > limit && fullSize() {
				t.Errorf("took %v, more than %v", took, limit)
			}
			checkDoneOnce(t, s, processes*each, said, 0)
		})
	}
}

// checkDoneOnce wants every trial done with one attempt that is, and at most
// one trial a killed process done without its having been able to say so.
func checkDoneOnce(t *testing.T, s store.Store, trials, said, killed int) {
	t.Helper()
	all, err := s.Trials(t.Context())
	if err != nil || len(all) != trials {
		t.Fatalf("%d trials (%v)", len(all), err)
	}
	for i, trial := range all {
		attempts, err := s.Attempts(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		done := 0
		for _, a := range attempts {
			if a.State == store.Done {
				done++
			}
		}
		if trial.State != store.Done || done != 1 {
			t.Errorf("trial %d is %s with %d done of %d attempts", i, trial.State, done, len(attempts))
		}
	}
	if said > trials || said < trials-killed {
		t.Errorf("%d trials were reported done, want %d, or up to %d fewer", said, trials, killed)
	}
}
