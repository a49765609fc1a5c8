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
	"time"

	"flowbench/experiments/spec"
	"flowbench/experiments/store"
	"flowbench/kernels"
	"flowbench/train"
)

const (
	// leaseTime is how long a claim lives without a heartbeat, where a worker does
	// not say otherwise. A worker on this machine that dies is noticed at once; the
	// lease is for what is not.
	leaseTime = 30 * time.Second
	// pollTime is how often an idle worker looks for a trial.
	pollTime = 300 * time.Millisecond
	// retries is how many failures of a trial are followed by another attempt.
	retries = 2
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

	datasets *datasets
}

// Work claims and trains until every trial of the study has ended, or ctx does.
// A trial that ctx interrupts goes back to the plan and is resumed from its
// last checkpoint by whoever claims it next.
func (w *Worker) Work(ctx context.Context) error {
	set, err := w.Study.flows(ctx)
	if err != nil {
		return err
	}
	defer set.Close()
	w.datasets = &datasets{set: set}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := &slots{open: max(w.Slots, 1)}
	ends := make(chan error, slots.open)
	for range cap(ends) {
		go func() {
			err := w.fill(ctx, slots)
			if err != nil {
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
		claim, err := w.Study.Store.Claim(ctx, w.Name, w.lease(), time.Now())
		if err != nil {
			return err
		}
		if claim != nil {
			err := w.serve(ctx, claim, slots)
			if errors.Is(err, errSlotClosed) {
				return nil
			}
			if err != nil {
				return err
			}
			continue
		}
		if over, err := w.Study.over(ctx); over || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
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

// over says whether no trial is planned or running any more.
func (s *Study) over(ctx context.Context) (bool, error) {
	trials, err := s.Store.Trials(ctx)
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

// serve trains a claimed trial and reports how it ended. Its error is the
// context's, the store's or a *MachineError; a trial that fails is no error of
// the worker.
func (w *Worker) serve(ctx context.Context, claim *store.Claim, slots *slots) error {
	trialCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := w.heartbeat(trialCtx, cancel, claim)
	result, err := w.train(trialCtx, claim.Trial)
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
	case err != nil && outOfDeviceMemory(err) && slots.close():
		return errors.Join(errSlotClosed, w.release(ctx, claim))
	case err != nil && deviceFault(err):
		w.release(ctx, claim)
		return &DeviceError{claim.Trial, err}
	case err != nil && refused(err):
		// A release that fails too, as on a full disk, is left to the sweep or the lease.
		w.release(ctx, claim)
		return &MachineError{claim.Trial, err}
	case err != nil:
		return ignoreSuperseded(w.Study.Store.Finish(ctx, claim, store.End{State: store.Failed, Reason: err.Error(), Retries: retries}, time.Now()))
	}
	raw, err := json.Marshal(result.Metrics)
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	return ignoreSuperseded(w.Study.Store.Finish(ctx, claim, store.End{State: store.State(result.State), Reason: result.Reason, Result: raw}, time.Now()))
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
			err := w.Study.Store.Heartbeat(ctx, claim, time.Now())
			if err != nil && ctx.Err() == nil {
				stopped <- err
				cancel()
				return
			}
		}
	}()
	return stopped
}

// train runs trial index in its folder. The folder's lock keeps out a worker
// that lost its claim but has not noticed yet.
func (w *Worker) train(ctx context.Context, index int) (*train.Result, error) {
	run, err := w.Study.Run(index)
	if err != nil {
		return nil, err
	}
	dir := w.Study.trialDir(index)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("trial folder: %w", err)
	}
	held, err := waitLock(ctx, filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	defer held.unlock()
	if err := clearTemporary(dir); err != nil {
		return nil, fmt.Errorf("trial folder: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(dir, "log.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("trial folder: %w", err)
	}
	defer log.Close()
	return w.trainLogged(ctx, run, dir, log)
}

func (w *Worker) trainLogged(ctx context.Context, run *spec.Run, dir string, log io.Writer) (*train.Result, error) {
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
	trial := &train.Trial{
		Config: run.Config, Data: data.Data, Seed: run.Seed, Backend: w.Backend,
		Dir: dir, Fingerprint: trialFingerprint(run, data.Fingerprint, w.Backend.Name()),
		Log: log,
		OnEpoch: func(m train.EpochMetrics) error {
			say("member %d epoch %d: %s", m.Member, m.Epoch, epochLine(m))
			return nil
		},
	}
	result, err := trial.Run(ctx)
	if err != nil {
		say("stopped: %v", err)
		return nil, err
	}
	if device, ok := w.Backend.(interface{ Facts() string }); ok {
		say("device: %s", device.Facts())
	}
	say("%s", result.State)
	return result, nil
}
