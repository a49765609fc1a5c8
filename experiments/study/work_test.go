package study

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flowbench/experiments/store"
	"flowbench/kernels"
	"flowbench/kernels/cpu"
)

// network is the index of the first trial of tiny that trains a network.
const network = 3

// preparedStudy is a study of tiny with its flows; its first trials, all
// baselines, are done.
func preparedStudy(t *testing.T, set ...string) *Study {
	t.Helper()
	sweep, _ := tinySweep(t, filepath.Join(t.TempDir(), "study"), 1, set...)
	for range network {
		w := newWorker(t, sweep.Study, "first", nil)
		if err := w.serve(t.Context(), claimNext(t, w), &slots{open: 1}); err != nil {
			t.Fatal(err)
		}
	}
	return sweep.Study
}

// newWorker is a worker whose backend calls rest before every step of training.
func newWorker(t *testing.T, st *Study, name string, rest func()) *Worker {
	t.Helper()
	w := &Worker{Study: st, Name: name, Backend: cpu.New()}
	if rest != nil {
		w.Backend = slowed{w.Backend, rest}
	}
	set, err := st.flows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	w.datasets, w.halt, w.ration = &datasets{set: set}, newHalt(), newRation(w.Backend)
	return w
}

func claimNext(t *testing.T, w *Worker) *store.Claim {
	t.Helper()
	claim, err := w.Study.Store.Claim(t.Context(), w.Name, w.lease(), time.Now())
	if err != nil || claim == nil {
		t.Fatalf("claim %v, %v", claim, err)
	}
	return claim
}

// wantNothingRuns makes sure that an interrupted sweep left no claim behind.
func wantNothingRuns(t *testing.T, dir string) {
	t.Helper()
	st, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	trials, err := st.Store.Trials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, trial := range trials {
		if trial.State == store.Running {
			t.Errorf("trial %d is still claimed by %s", trial.Index, trial.Worker)
		}
	}
}

// wantEachTrialOnce makes sure that every trial was brought to its end by one
// attempt alone, and that at least so many others were cut short. It returns how
// many were.
func wantEachTrialOnce(t *testing.T, dir string, cut int) (lost int) {
	t.Helper()
	st := openStudy(t, dir)
	for i := range st.Plan.Trials {
		attempts, err := st.Store.Attempts(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		states := map[store.State]int{}
		for _, a := range attempts {
			states[a.State]++
		}
		if whole := states[store.Done] + states[store.Diverged]; whole != 1 || states[store.Running] != 0 || states[store.Failed] != 0 {
			t.Errorf("trial %d: attempts ended as %v, want one done", i, states)
		}
		lost += states[store.Stale]
	}
	if lost < cut {
		t.Errorf("%d attempts were cut short, want at least %d: the kills missed", lost, cut)
	}
	return lost
}

// wantTrial checks a trial's state and how the attempts at it ended, oldest first.
func wantTrial(t *testing.T, st *Study, index int, state store.State, attempts ...store.State) store.Trial {
	t.Helper()
	trials, err := st.Store.Trials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := st.Store.Attempts(t.Context(), index)
	if err != nil {
		t.Fatal(err)
	}
	same := len(got) == len(attempts)
	for i := range got {
		same = same && got[i].State == attempts[i]
	}
	if trials[index].State != state || !same {
		t.Errorf("trial %d is %s (%s) after %+v, want %s after %v", index, trials[index].State, trials[index].Reason, got, state, attempts)
	}
	return trials[index]
}

// gate holds a worker in the midst of a trial until it is opened.
type gate struct {
	once    sync.Once
	reached chan struct{} // closed when the worker stands before it
	open    chan struct{}
}

func newGate() *gate { return &gate{reached: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) wait() {
	g.once.Do(func() { close(g.reached) })
	<-g.open
}

// TestLateResultIsSuperseded lets the lease of a worker run out in the midst of
// its trial, has another one claim it, and only then lets the first one finish.
func TestLateResultIsSuperseded(t *testing.T) {
	st := preparedStudy(t)
	gate := newGate()
	late, next := newWorker(t, st, "late", gate.wait), newWorker(t, st, "next", nil)
	late.Lease = time.Hour // not renewed between the gate and the end below
	lateEnd, nextEnd := make(chan error, 1), make(chan error, 1)
	claim := claimNext(t, late)
	go func() { lateEnd <- late.serve(t.Context(), claim, &slots{open: 1}) }()
	<-gate.reached

	if n, err := st.Store.ExpireLeases(t.Context(), time.Now().Add(2*late.Lease)); n != 1 || err != nil {
		t.Fatalf("%d leases ran out, %v", n, err)
	}
	claim = claimNext(t, next)
	if claim.Trial != network {
		t.Fatalf("trial %d was claimed, want the one that was lost, %d", claim.Trial, network)
	}
	go func() { nextEnd <- next.serve(t.Context(), claim, &slots{open: 1}) }()
	close(gate.open)
	if err := errors.Join(<-lateEnd, <-nextEnd); err != nil {
		t.Fatal(err)
	}
	wantTrial(t, st, network, store.Done, store.Superseded, store.Done)
	table, err := st.Comparison(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, v := range table.Configurations[network].Metrics["test.auroc"] {
		if v != nil {
			counted++
		}
	}
	if counted != 1 {
		t.Errorf("the comparison counts %d results of the trial, want 1", counted)
	}
}

// TestLostClaimStopsItsWorker: nothing but the heartbeat that finds the claim
// lost can end this training.
func TestLostClaimStopsItsWorker(t *testing.T) {
	st := preparedStudy(t, "train.epochs=100000")
	w := newWorker(t, st, "lost", func() {
		if err := st.Store.ReleaseWorker(context.Background(), "lost"); err != nil {
			t.Error(err)
		}
	})
	w.Lease = 30 * time.Millisecond
	if err := w.serve(t.Context(), claimNext(t, w), &slots{open: 1}); err != nil {
		t.Fatal(err)
	}
	wantTrial(t, st, network, store.Planned, store.Stale)
}

func TestInterruptedTrialGoesBack(t *testing.T) {
	st := preparedStudy(t)
	ctx, cancel := context.WithCancel(t.Context())
	w := newWorker(t, st, "interrupted", cancel)
	if err := w.serve(ctx, claimNext(t, w), &slots{open: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	trial := wantTrial(t, st, network, store.Planned, store.Stale)
	if trial.Losses != 0 || trial.Failures != 0 {
		t.Errorf("an interruption counts as %d losses and %d failures", trial.Losses, trial.Failures)
	}
}

// TestTrialThatEndsAsTheInterruptComesIsReported interrupts a worker whose trial
// has just written its result.
func TestTrialThatEndsAsTheInterruptComesIsReported(t *testing.T) {
	st := preparedStudy(t)
	dir := st.trialDir(network)
	w := newWorker(t, st, "w", nil)
	claim := claimNext(t, w)
	if _, err := w.train(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "result.json")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.serve(ctx, claim, &slots{open: 1}); err != nil {
		t.Fatal(err)
	}
	wantTrial(t, st, network, store.Done, store.Done)
}

// broken is a backend that compiles nothing.
type broken struct {
	kernels.Backend
	err error
}

func (b broken) Compile(*kernels.Program) (kernels.Machine, error) { return nil, b.err }

func TestTrialThatFailsIsTriedAgain(t *testing.T) {
	st := preparedStudy(t)
	w := newWorker(t, st, "w", nil)
	w.Backend = broken{w.Backend, errors.New("no such instruction")}
	for i := range 1 + st.retries() {
		if err := w.serve(t.Context(), claimNext(t, w), &slots{open: 1}); err != nil {
			t.Fatalf("attempt %d: %v", i+1, err)
		}
	}
	trial := wantTrial(t, st, network, store.Failed, store.Failed, store.Failed, store.Failed)
	if !strings.Contains(trial.Reason, "no such instruction") {
		t.Errorf("reason %q", trial.Reason)
	}
	log, err := os.ReadFile(filepath.Join(st.trialDir(network), "log.txt"))
	if err != nil || !strings.Contains(string(log), "no such instruction") {
		t.Errorf("log.txt: %v:\n%s", err, log)
	}
}

func TestWhatTheMachineRefusesIsNoFailureOfTheTrial(t *testing.T) {
	st := preparedStudy(t)
	w := newWorker(t, st, "w", nil)
	w.Backend = broken{w.Backend, &os.PathError{Op: "write", Path: "checkpoint", Err: syscall.EROFS}}
	err := w.serve(t.Context(), claimNext(t, w), &slots{open: 1})
	var machine *MachineError
	if !errors.As(err, &machine) || machine.Trial != network {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"trial 0003", "read-only file system", "make the file system writable, then run the same command again"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
	trial := wantTrial(t, st, network, store.Planned, store.Stale)
	if trial.Failures != 0 {
		t.Errorf("it counts as %d failures", trial.Failures)
	}
}

// TestHalfWrittenFilesOfAKilledWriterGo leaves what a kill between a temporary
// file and its renaming leaves.
func TestHalfWrittenFilesOfAKilledWriterGo(t *testing.T) {
	st := preparedStudy(t)
	dir := st.trialDir(network)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	stays := []string{".note", "notes.1", ".a.b"}
	for _, name := range append([]string{".result.json.123456", ".checkpoint-member0-best.safetensors.9"}, stays...) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorker(t, st, "w", nil)
	if err := w.serve(t.Context(), claimNext(t, w), &slots{open: 1}); err != nil {
		t.Fatal(err)
	}
	halves, err := filepath.Glob(filepath.Join(dir, ".*.[0-9]*"))
	if err != nil || len(halves) > 0 {
		t.Errorf("%v, %v are still there", err, halves)
	}
	for _, name := range stays {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestLockIsWaitedForUntilTheContextEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), lockName)
	held, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error, 1)
	go func() {
		_, err := waitLock(ctx, path)
		waited <- err
	}()
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	go func() {
		l, err := waitLock(t.Context(), path)
		if err == nil {
			err = l.unlock()
		}
		waited <- err
	}()
	if err := held.unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
}
