package study

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"flowbench/experiments/store"
)

// stops is how often a worker is held up: what FLOWBENCH_TEST_STOPS says, or few
// enough for every run of the tests.
func stops(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("FLOWBENCH_TEST_STOPS"))
	if err != nil {
		return 2
	}
	return n
}

// TestStoppedWorkerIsCountedOnce holds up a worker in the midst of a trial, as a
// machine that swaps or a debugger does, for three lease times. Another worker
// takes its trial over; when the first one goes on, it must not be counted too,
// and the study must end in the bytes of one that nobody disturbed.
func TestStoppedWorkerIsCountedOnce(t *testing.T) {
	n := stops(t)
	held, lost := 0, 0
	for sweep := 0; held < n; sweep++ {
		h, l := holdWorkersUp(t, filepath.Join(t.TempDir(), fmt.Sprint("stopped", sweep)), n-held)
		held, lost = held+h, lost+l
	}
	// A worker that is held up keeps its trial where the other one is busy with its
	// own all the while.
	if lost < (n+3)/4 {
		t.Errorf("%d trials were taken over from workers that were held up %d times", lost, held)
	}
	t.Logf("held up %d times, %d trials taken over", held, lost)
}

// holdWorkersUp sweeps in dir and holds a worker up at most n times, as often as
// the sweep lasts. It returns how often, and how many trials were taken over.
func holdWorkersUp(t *testing.T, dir string, n int) (held, lost int) {
	t.Helper()
	const lease = 300 * time.Millisecond
	want := calm(t)
	p := startSweep(t, killSpec, dir, 2, nil, resting, leaseVariable+"="+lease.String())
	for ; held < n; held++ {
		workers, over := p.working(dir)
		if over {
			break
		}
		kill(t, syscall.SIGSTOP, workers[0])
		time.Sleep(3 * lease)
		kill(t, syscall.SIGCONT, workers[0])
	}
	if held == 0 {
		t.Fatal("the sweep ended before a worker could be held up")
	}
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.said)
	}
	wantSame(t, "after workers were held up", kept(t, dir), want)
	return held, wantEachTrialOnce(t, dir, 0)
}

// working waits until two workers train a trial each, and returns them, or says
// that the sweep is over.
func (p *process) working(dir string) (workers []int, over bool) {
	p.t.Helper()
	var st *Study
	for ; ; time.Sleep(2 * time.Millisecond) {
		select {
		case <-p.end:
			return nil, true
		default:
		}
		if st == nil {
			st, _ = Open(dir) // not there before its plan
			continue
		}
		trials, err := st.Store.Trials(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		running := stateCounts(trials)[store.Running]
		workers = childrenOf(p.t, p.cmd.Process.Pid)
		if running == 2 && len(workers) == 2 {
			st.Close()
			return workers, false
		}
	}
}
