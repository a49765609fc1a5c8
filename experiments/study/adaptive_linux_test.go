package study

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"flowbench/experiments/store"
)

// kills are how many workers and sweeps TestKilledAdaptiveSweep kills: what
// FLOWBENCH_TEST_KILLS says, such as 200, with half as many sweeps, or a tenth.
func kills(t *testing.T) (workers, sweeps int) {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("FLOWBENCH_TEST_KILLS"))
	if err != nil {
		n = 20
	}
	return n, n / 2
}

// TestAdaptiveSweepIsTheSameForAnyWorkers sweeps with one worker and with three.
func TestAdaptiveSweepIsTheSameForAnyWorkers(t *testing.T) {
	one, three := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "three")
	runSweep(t, adaptiveSpec, one, 1, nil)
	runSweep(t, adaptiveSpec, three, 3, nil)
	wantSame(t, "with three workers", kept(t, three), kept(t, one))
	wantDecided(t, one)
	if a, b := standingText(t, openStudy(t, one)), standingText(t, openStudy(t, three)); a != b {
		t.Errorf("one worker decided\n%s\nthree workers\n%s", a, b)
	}
}

// wantDecided makes sure that a study pruned some trials and finished others.
func wantDecided(t *testing.T, dir string) {
	t.Helper()
	trials, err := openStudy(t, dir).Store.Trials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counts := stateCounts(trials)
	if counts[store.Pruned] == 0 || counts[store.Done] < 8 || counts[store.Pruned]+counts[store.Done]+counts[store.Diverged] != len(trials) {
		t.Errorf("trials ended as %v", counts)
	}
}

// TestKilledAdaptiveSweep kills workers and sweeps of TPE and ASHA over three
// kinds of model at random moments, over as many studies as it takes. Each must
// end in the bytes of one that nobody disturbed, with every trial counted once,
// and a killed sweep must leave no process.
func TestKilledAdaptiveSweep(t *testing.T) {
	workers, sweeps := kills(t)
	calm := filepath.Join(t.TempDir(), "calm")
	runSweep(t, adaptiveSpec, calm, 2, nil)
	want, decided := kept(t, calm), standingText(t, openStudy(t, calm))
	random := rand.New(rand.NewPCG(7, 11))
	studies, cut := 0, 0
	for ; workers+sweeps > 0; studies++ {
		dir := filepath.Join(t.TempDir(), fmt.Sprintf("killed%d", studies))
		p := startSweep(t, adaptiveSpec, dir, 2, nil, resting)
		died := &deaths{}
		for workers+sweeps > 0 && p.goesOn(time.Duration(200+random.IntN(700))*time.Millisecond) {
			if random.IntN(workers+sweeps) < workers {
				p.spare(dir, died)
				n := p.killWorker(t, random)
				workers, died.count = workers-n, died.count+n
				continue
			}
			sweeps--
			p.killSweep(t)
			died = &deaths{}
			p = startSweep(t, adaptiveSpec, dir, 2, nil, resting)
		}
		if code := p.wait(); code != 0 {
			t.Fatalf("study %d: exit code %d:\n%s", studies, code, p.said)
		}
		wantSame(t, fmt.Sprintf("study %d", studies), kept(t, dir), want)
		if got := standingText(t, openStudy(t, dir)); got != decided {
			t.Errorf("study %d decided\n%s\nwant\n%s", studies, got, decided)
		}
		cut += countedOnce(t, dir)
	}
	if cut == 0 {
		t.Error("no kill hit a trial in hand")
	}
	t.Logf("%d studies, %d attempts cut short", studies, cut)
}

// goesOn waits and says whether the sweep is still at work then.
func (p *process) goesOn(d time.Duration) bool {
	select {
	case <-p.end:
		return false
	case <-time.After(d):
		return true
	}
}

// spare waits until the study has advanced, or the sweep is over, where one more
// dead worker might be the last that the sweep forgives: as it forgives them, the
// killed ones are counted since the study last advanced. Of those from before
// that, one a worker may not be known to the sweep yet, which then counts it.
func (p *process) spare(dir string, died *deaths) {
	p.t.Helper()
	st, err := Open(dir)
	if err != nil {
		return // not there before its plan, nor are its workers
	}
	defer st.Close()
	for end := time.Now().Add(5 * time.Minute); ; {
		n, err := st.advanced(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		if n > died.advanced {
			died.count, died.advanced = min(died.count, 2), n
		}
		if died.count < maxDeaths-1 || time.Now().After(end) || !p.goesOn(10*time.Millisecond) {
			return
		}
	}
}

// killWorker kills one worker, and returns 0 where there is none just then.
func (p *process) killWorker(t *testing.T, random *rand.Rand) int {
	t.Helper()
	workers := childrenOf(t, p.cmd.Process.Pid)
	if len(workers) == 0 {
		return 0
	}
	if err := syscall.Kill(workers[random.IntN(len(workers))], syscall.SIGKILL); err != nil {
		return 0 // has ended meanwhile
	}
	return 1
}

// killSweep kills the sweep and makes sure that its workers are gone soon.
func (p *process) killSweep(t *testing.T) {
	t.Helper()
	workers := childrenOf(t, p.cmd.Process.Pid)
	if err := p.cmd.Process.Kill(); err != nil {
		return // has ended meanwhile
	}
	p.wait()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		left := 0
		for _, pid := range workers {
			if alive(pid) {
				left++
			}
		}
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d workers outlived their sweep by 2 minutes", left)
		}
	}
}

// countedOnce makes sure that every trial has ended once, and returns how many
// attempts were cut short.
func countedOnce(t *testing.T, dir string) (cut int) {
	t.Helper()
	st := openStudy(t, dir)
	trials, err := st.Store.Trials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, trial := range trials {
		attempts, err := st.Store.Attempts(t.Context(), trial.Index)
		if err != nil {
			t.Fatal(err)
		}
		ends, rungs := 0, 0
		for _, a := range attempts {
			switch a.State {
			case store.Done, store.Diverged:
				ends++
			case store.Paused:
				rungs++
			case store.Stale:
				cut++
			}
		}
		want := 1
		if trial.State == store.Pruned {
			want = 0
		}
		if ends != want || rungs != trial.Rung || !trial.State.Ended() {
			t.Errorf("trial %d is %s: %d attempts brought it to its end, %d to the %d rungs it has reported", trial.Index, trial.State, ends, rungs, trial.Rung)
		}
	}
	return cut
}
