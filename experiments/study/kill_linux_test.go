package study

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowbench/experiments/store"
)

// resting makes trials of killSpec last long enough to be killed in their midst,
// without making the machine busy.
const resting = restVariable + "=2ms"

// disturbances come one after another over one sweep.
var disturbances = []struct {
	name string
	hit  func(t *testing.T, sweep int, workers []int)
	ends bool // the sweep too, so that it must be started again
}{
	{"one worker killed", func(t *testing.T, _ int, workers []int) { kill(t, syscall.SIGKILL, workers[0]) }, false},
	{"the sweep killed", func(t *testing.T, sweep int, _ []int) { kill(t, syscall.SIGKILL, sweep) }, true},
	{"one worker told to end", func(t *testing.T, _ int, workers []int) { kill(t, syscall.SIGTERM, workers[len(workers)-1]) }, false},
	{"the sweep interrupted", func(t *testing.T, sweep int, _ []int) { kill(t, syscall.SIGINT, sweep) }, true},
	{"everything killed", func(t *testing.T, sweep int, workers []int) {
		kill(t, syscall.SIGKILL, append([]int{sweep}, workers...)...)
	}, true},
}

func kill(t *testing.T, signal syscall.Signal, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		// A worker that the kernel kills with its sweep may be gone before its turn.
		if err := syscall.Kill(pid, signal); err != nil && pid == pids[0] {
			t.Fatalf("process %d: %v", pid, err)
		}
	}
}

// TestKilledSweepEndsInTheSameBytes disturbs a sweep five times at work and
// compares what it ends with, file by file, with one that nobody disturbed.
func TestKilledSweepEndsInTheSameBytes(t *testing.T) {
	want := calm(t)
	dir := filepath.Join(t.TempDir(), "killed")
	p := startSweep(t, killSpec, dir, 2, nil, resting)
	for i, d := range disturbances {
		// From the second on, trials must have ended since the one before.
		workers := p.atWork(dir, 2*i)
		d.hit(t, p.cmd.Process.Pid, workers)
		if d.ends {
			if code := p.wait(); code == 0 {
				t.Fatalf("%s: the sweep ended well:\n%s", d.name, p.said)
			}
			if strings.Contains(d.name, "interrupted") {
				wantNothingRuns(t, dir)
			}
			p = startSweep(t, killSpec, dir, 2, nil, resting)
		}
	}
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.said)
	}
	wantSame(t, "after kills", kept(t, dir), want)
	wantEachTrialOnce(t, dir, len(disturbances))
}

// atWork waits until at least that many trials have ended and each of two
// workers has finished an epoch of the trial it is at, and returns the workers.
func (p *process) atWork(dir string, ended int) []int {
	p.t.Helper()
	var st *Study
	for ; ; time.Sleep(2 * time.Millisecond) {
		select {
		case <-p.end:
			p.t.Fatalf("the sweep ended before it could be disturbed:\n%s", p.said)
		default:
		}
		if st == nil {
			st, _ = Open(dir) // not there before its plan
			continue
		}
		progress, err := st.Progress(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		training := 0
		for _, t := range progress.Trials {
			if t.State == store.Running && t.Epochs > 0 && t.Epochs < t.MaxEpochs {
				training++
			}
		}
		workers := childrenOf(p.t, p.cmd.Process.Pid)
		if progress.Ended() >= ended && training == 2 && len(workers) == 2 {
			st.Close()
			return workers
		}
	}
}
