package study

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowbench/experiments/store"
)

// stops is how many trials are taken over from workers that are held up: what
// FLOWBENCH_TEST_STOPS says, or few enough for every run of the tests.
func stops(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("FLOWBENCH_TEST_STOPS"))
	if err != nil {
		return 2
	}
	return n
}

// TestStoppedWorkerIsCountedOnce holds up a worker in the midst of a trial, as a
// machine that swaps or a debugger does, for three lease times and until another
// worker has taken its trial over; when the first one goes on, it must not be
// counted too, and the study must end in the bytes of one that nobody disturbed.
func TestStoppedWorkerIsCountedOnce(t *testing.T) {
	n := stops(t)
	// So short that the worker that is left soon looks for another trial.
	spec := killSpecWith(t, "epochs: 8", "epochs: 3")
	calm := filepath.Join(t.TempDir(), "calm")
	runSweep(t, spec, calm, 2, nil)
	want := kept(t, calm)
	held, taken := 0, 0
	for sweep := 0; taken < n; sweep++ {
		dir := filepath.Join(t.TempDir(), fmt.Sprint("stopped", sweep))
		h, k := holdWorkersUp(t, spec, dir, n-taken)
		wantSame(t, "after workers were held up", kept(t, dir), want)
		wantEachTrialOnce(t, dir, 0)
		held, taken = held+h, taken+k
		// A worker may be stopped between its trials, or while it holds the store.
		if held >= 10*n+20 {
			t.Fatalf("%d trials were taken over from workers that were held up %d times", taken, held)
		}
	}
	t.Logf("held up %d times, %d trials taken over", held, taken)
}

// holdWorkersUp sweeps spec in dir and holds workers up until n trials were taken
// over from them, or the sweep is over. It returns how often it held one up, and
// how many trials were taken over.
func holdWorkersUp(t *testing.T, spec, dir string, n int) (held, taken int) {
	t.Helper()
	const lease = 300 * time.Millisecond
	p := startSweep(t, spec, dir, 2, nil, resting, leaseVariable+"="+lease.String())
	for ; taken < n; held++ {
		workers, over := p.working(dir)
		if over {
			break
		}
		if holdUp(t, dir, workers[held%2], 3*lease) {
			taken++
		}
	}
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.said)
	}
	return held, taken
}

// holdUp stops a worker for at least that long and until its trial is another
// worker's, and reports whether it came to be. A worker that holds the store when
// it is stopped keeps everyone waiting, so it goes on well before they give up.
func holdUp(t *testing.T, dir string, worker int, least time.Duration) (taken bool) {
	t.Helper()
	st, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	name, err := workerName(worker)
	if err != nil || syscall.Kill(worker, syscall.SIGSTOP) != nil {
		return false // it has ended meanwhile, as the sweep did
	}
	defer kill(t, syscall.SIGCONT, worker)
	stopped := time.Now()
	trial := -1 // the one it was stopped in
	for ; time.Since(stopped) < 6*time.Second; time.Sleep(10 * time.Millisecond) {
		trials, err := st.Store.Trials(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if trial < 0 {
			trial = slices.IndexFunc(trials, func(k store.Trial) bool { return k.State == store.Running && k.Worker == name })
			if trial < 0 {
				return false
			}
		}
		taken = trials[trial].Worker != name
		if taken && time.Since(stopped) >= least {
			break
		}
	}
	return taken
}

// workerName is the name under which a worker process of [Sweep] claims its
// trials: the last word of its command line (proc_pid_cmdline(5)).
func workerName(worker int) (string, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", worker))
	words := strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00")
	return words[len(words)-1], err
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
