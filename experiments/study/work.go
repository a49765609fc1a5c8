package study

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"flowbench/experiments/spec"
	"flowbench/experiments/store"
	"flowbench/experiments/tensorboard"
	"flowbench/kernels"
	"flowbench/train"
	"flowbench/train/checkpoint"
)

const (
	// leaseTime is how long a claim lives without a heartbeat, where a worker does
	// not say otherwise. A worker on this machine that dies is noticed at once; the
	// lease is for what is not.
	leaseTime = 30 * time.Second
	// pollTime is how often an idle worker looks for a trial.
	pollTime = 300 * time.Millisecond
)

// Worker claims trials of a study and trains them.
type Worker struct {
	Study   *Study
	Name    string // who claims; unique among the workers of the study
	Backend kernels.Backend
	Lease   time.Duration // of its claims; 0 is 30 s
	// Slots is how many trials are trained at once, for a Backend that gains by
	// it; 0 is one.
	Slots int
	// GPUs is how many the worker holds, and Job what a cluster's scheduler calls
	// it: the store records them.
	GPUs int
	Job  string
	// Preempt, once closed, makes the worker save its trials at their next steps,
	// give them back and end with ErrPreempted. It may be nil.
	Preempt <-chan struct{}
	// Say, where set, hears what keeps the worker waiting.
	Say func(string)

	datasets *datasets
	halt     *halt
	ration   *ration
	skew     atomic.Int64 // of the store's clock against this machine's, in nanoseconds
}

// ErrPreempted ends a worker that was told to save its trials and make way.
var ErrPreempted = errors.New("told to make way: the trials are saved and go back to the plan")

// halt tells a worker's trials to save and end; the first to ask for it says why.
type halt struct {
	once sync.Once
	done chan struct{}
	why  error
}

func newHalt() *halt { return &halt{done: make(chan struct{})} }

func (h *halt) ask(why error) {
	h.once.Do(func() {
		h.why = why
		close(h.done)
	})
}

// asked is why the worker is to end, or nil.
func (h *halt) asked() error {
	select {
	case <-h.done:
		return h.why
	default:
		return nil
	}
}

// Work claims and trains until every trial of the study has ended, ctx does, or
// the study is stopped, which is no error of the worker. A trial that is cut
// short goes back to the plan and is resumed from its last checkpoint by whoever
// claims it next.
func (w *Worker) Work(ctx context.Context) error {
	set, err := w.Study.flows(ctx)
	if err != nil {
		return err
	}
	defer set.Close()
	w.datasets, w.halt, w.ration = &datasets{set: set}, newHalt(), newRation(w.Backend)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	attended, err := w.attend(ctx)
	if err != nil {
		return err
	}
	err = w.fillAll(ctx, cancel)
	cancel()
	<-attended
	w.leave(context.WithoutCancel(ctx), err)
	var stopped *store.StoppedError
	if errors.As(err, &stopped) {
		w.say("stops: %s", stopped.Control.Reason)
		return nil
	}
	return err
}

// fillAll keeps every slot filled. It returns the error that says most: that of a
// slot that failed before those of slots that it ended.
func (w *Worker) fillAll(ctx context.Context, cancel func()) error {
	slots := &slots{open: max(w.Slots, 1)}
	ends := make(chan error, slots.open)
	for range cap(ends) {
		go func() {
			err := w.fill(ctx, slots)
			if err != nil && w.halt.asked() == nil {
				cancel()
			}
			ends <- err
		}()
	}
	var first error
	for range cap(ends) {
		if err := <-ends; err != nil && (first == nil || errors.Is(first, context.Canceled)) {
			first = err
		}
	}
	return first
}

// slots counts the slots of a worker that are open: a trial that the device has no
// memory for beside the others closes its own.
type slots struct {
	mu   sync.Mutex
	open int
}

// close closes a slot, unless it is the last.
func (s *slots) close() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == 1 {
		return false
	}
	s.open--
	return true
}

// errSlotClosed ends a slot whose trial others may train.
var errSlotClosed = errors.New("the device has no memory for so many trials at once")

// fill trains one trial after another.
func (w *Worker) fill(ctx context.Context, slots *slots) error {
	for {
		if err := w.admitted(ctx); err != nil {
			return err
		}
		claim, err := w.next(ctx)
		if err == nil && claim != nil {
			err = w.serve(ctx, claim, slots)
		}
		w.ration.leave()
		if errors.Is(err, errSlotClosed) {
			return nil
		}
		if err != nil || claim == nil {
			return err
		}
	}
}

// admitted waits until the device has memory for one more trial.
func (w *Worker) admitted(ctx context.Context) error {
	for {
		ok, err := w.ration.enter()
		if ok || err != nil {
			return err
		}
		if err := w.rest(ctx, rationTime); err != nil {
			return err
		}
	}
}

// next waits for a trial to train; nil where every one has ended.
func (w *Worker) next(ctx context.Context) (*store.Claim, error) {
	for {
		if err := w.halt.asked(); err != nil {
			return nil, err
		}
		if err := w.waitForRoom(ctx); err != nil {
			return nil, err
		}
		var claim *store.Claim
		err := w.whenRoom(ctx, func() (err error) {
			if err = errors.Join(w.Study.enforce(ctx, w.now()), w.Study.conduct(ctx)); err == nil {
				claim, err = w.Study.Store.Claim(ctx, w.Name, w.lease(), w.now())
			}
			return err
		})
		if err != nil || claim != nil {
			return claim, err
		}
		if over, err := w.Study.over(ctx); over || err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-w.halt.done:
		case <-time.After(pollTime):
		}
	}
}

func (w *Worker) lease() time.Duration {
	if w.Lease > 0 {
		return w.Lease
	}
	return leaseTime
}

// now is the time by the store's clock.
func (w *Worker) now() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }

func (w *Worker) say(format string, args ...any) {
	if w.Say != nil {
		w.Say(fmt.Sprintf("worker %s "+format, append([]any{w.Name}, args...)...))
	}
}

// over says whether no trial is planned or running any more.
func (s *Study) over(ctx context.Context) (bool, error) {
	trials, err := s.Store.States(ctx)
	if err != nil {
		return false, err
	}
	for _, t := range trials {
		if !t.State.Ended() {
			return false, nil
		}
	}
	return true, nil
}

// serve trains a claimed trial to its end or its next rung, and reports that.
// Its error is the context's, the store's, why the worker is to halt, or a
// *MachineError; a trial that fails is no error of the worker.
func (w *Worker) serve(ctx context.Context, claim *store.Claim, slots *slots) error {
	trialCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := w.heartbeat(trialCtx, cancel, claim)
	result, err := w.train(trialCtx, claim)
	cancel()
	lost := <-stopped
	interrupted := ctx.Err()
	ctx = context.WithoutCancel(ctx) // what follows is said even then
	switch {
	case lost != nil && !errors.Is(lost, store.ErrSuperseded):
		return lost
	case lost != nil && err != nil:
		return nil // the trial is another's by now
	case interrupted != nil && err != nil:
		return errors.Join(interrupted, w.release(ctx, claim))
	case errors.Is(err, train.ErrPreempted):
		return errors.Join(w.halt.asked(), w.release(ctx, claim))
	case err != nil && outOfDeviceMemory(err) && slots.close():
		return errors.Join(errSlotClosed, w.release(ctx, claim))
	case err != nil && deviceFault(err):
		w.release(ctx, claim)
		return &DeviceError{claim.Trial, err}
	case err != nil && diskFull(err):
		return w.pause(ctx, claim, err)
	case err != nil && refused(err):
		// A release that fails too is left to the sweep or the lease.
		w.release(ctx, claim)
		return &MachineError{claim.Trial, err}
	}
	return w.whenRoom(ctx, func() error { return w.report(ctx, claim, result, err) })
}

// report tells the store how a claim ended.
func (w *Worker) report(ctx context.Context, claim *store.Claim, result *train.Result, err error) error {
	switch {
	case err != nil:
		return ignoreSuperseded(w.fail(ctx, claim, err))
	case result.State == train.StatePaused:
		return ignoreSuperseded(w.reportRung(ctx, claim, result))
	}
	raw, err := json.Marshal(result.Metrics)
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	end := store.End{State: store.State(result.State), Reason: result.Reason, Result: raw}
	return ignoreSuperseded(w.Study.Store.Finish(ctx, claim, end, w.now()))
}

// fail reports a failure. What another attempt would meet again gets none.
func (w *Worker) fail(ctx context.Context, claim *store.Claim, err error) error {
	end := store.End{State: store.Failed, Reason: err.Error(), Retries: w.Study.retries()}
	if outOfDeviceMemory(err) {
		end.Retries = 0
	}
	if err := w.Study.Store.Finish(ctx, claim, end, w.now()); err != nil {
		return err
	}
	return w.Study.enforceFailures(ctx, w.now())
}

func (w *Worker) release(ctx context.Context, claim *store.Claim) error {
	return ignoreSuperseded(w.Study.Store.Release(ctx, claim))
}

// ignoreSuperseded drops the error of a claim that was lost: another worker has
// the trial, and the store has noted this one's end as superseded.
func ignoreSuperseded(err error) error {
	if errors.Is(err, store.ErrSuperseded) {
		return nil
	}
	return err
}

// heartbeat renews the claim until ctx ends, and cancels where it is lost. The
// channel yields why it was lost, or nil.
func (w *Worker) heartbeat(ctx context.Context, cancel func(), claim *store.Claim) <-chan error {
	stopped := make(chan error, 1)
	go func() {
		beat := time.NewTicker(claim.Lease / 6)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				stopped <- nil
				return
			case <-beat.C:
			}
			err := w.Study.Store.Heartbeat(ctx, claim, w.now())
			// On a full disk the trial goes on for as long as it needs none of it.
			if err != nil && ctx.Err() == nil && !diskFull(err) {
				stopped <- err
				cancel()
				return
			}
		}
	}()
	return stopped
}

// train runs a claim's trial in its folder, to the next rung or to its end. The
// folder's lock keeps out a worker that lost its claim but has not noticed yet.
func (w *Worker) train(ctx context.Context, claim *store.Claim) (*train.Result, error) {
	run, err := w.Study.Run(claim.Trial)
	if err != nil {
		return nil, err
	}
	dir := w.Study.trialDir(claim.Trial)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("trial folder: %w", err)
	}
	held, err := waitLock(ctx, filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	defer held.unlock()
	if err := checkpoint.ClearTemporary(checkpoint.OS{}, dir); err != nil {
		return nil, fmt.Errorf("trial folder: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(dir, "log.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("trial folder: %w", err)
	}
	defer log.Close()
	return w.trainLogged(ctx, claim, run, dir, log)
}

func (w *Worker) trainLogged(ctx context.Context, claim *store.Claim, run *spec.Run, dir string, log io.Writer) (*train.Result, error) {
	say := func(format string, args ...any) {
		fmt.Fprintf(log, "%s %s\n", time.Now().UTC().Format(time.RFC3339), fmt.Sprintf(format, args...))
	}
	say("%s begins on %s", w.Name, w.Backend.Name())
	if err := writeRun(dir, run); err != nil {
		return nil, err
	}
	data, err := w.datasets.of(run.Data)
	if err != nil {
		say("failed: %v", err)
		return nil, err
	}
	defer w.datasets.release(data)
	backend, keep := w.metered(claim, dir)
	events, err := w.openEvents(claim, run, dir)
	if err != nil {
		return nil, err
	}
	defer events.Close()
	trial := &train.Trial{
		Config: run.Config, Data: data.Data, Seed: run.Seed, Backend: backend,
		Dir: dir, Fingerprint: trialFingerprint(run, data.Fingerprint, w.Backend.Name()),
		Log: log, Until: w.Study.until(claim), Warn: w.halt.done,
		OnEpoch: func(m train.EpochMetrics) error {
			say("member %d epoch %d: %s", m.Member, m.Epoch, epochLine(m))
			w.ration.observe()
			return events.Epoch(m)
		},
	}
	result, err := trial.Run(ctx)
	record, failed := keep()
	if record != nil {
		say("device: %v", record)
	}
	if err = errors.Join(err, failed); err != nil {
		say("stopped: %v", err)
		return nil, err
	}
	say("%s", result.State)
	if result.State == train.StatePaused {
		return result, nil
	}
	status := tensorboard.Succeeded
	if result.State == train.StateDiverged {
		status = tensorboard.Failed
	}
	return result, events.End(result.Metrics, status)
}

// openEvents opens the trial's curves for TensorBoard.
func (w *Worker) openEvents(claim *store.Claim, run *spec.Run, dir string) (*tensorboard.Log, error) {
	parameters, err := tensorboard.Parameters(*run)
	if err != nil {
		return nil, err
	}
	group := w.Study.configuration(w.Study.Plan.Trials[claim.Trial].Configuration).Name
	return tensorboard.Open(dir, tensorboard.Session{Group: group, Parameters: parameters}, time.Now)
}
