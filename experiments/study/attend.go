package study

import (
	"context"
	"os"
	"time"

	"flowbench/experiments/store"
)

// attendTime is how often a worker says that it is there, and looks whether its
// study is stopped.
const attendTime = 5 * time.Second

// attend records the worker and, until ctx ends, renews the record, keeps to the
// store's clock, and halts the worker where the study is stopped or Preempt is
// closed. The channel is closed when it has ended.
func (w *Worker) attend(ctx context.Context) (<-chan struct{}, error) {
	if err := w.keepClock(ctx); err != nil {
		return nil, err
	}
	self := w.record()
	if err := w.whenRoom(ctx, func() error { return w.Study.Store.SaveWorker(ctx, self) }); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		beat := time.NewTicker(attendTime)
		defer beat.Stop()
		preempt := w.Preempt
		for {
			select {
			case <-ctx.Done():
				return
			case <-preempt:
				w.halt.ask(ErrPreempted)
				preempt = nil
			case <-beat.C:
				w.look(ctx, self)
			}
		}
	}()
	return ended, nil
}

// look is one beat of attend. What fails is tried again at the next one: the
// claims have their own heartbeats.
func (w *Worker) look(ctx context.Context, self store.Worker) {
	if w.keepClock(ctx) != nil {
		return
	}
	self.Heard = w.now()
	if w.Study.Store.SaveWorker(ctx, self) != nil || w.Study.enforce(ctx, self.Heard) != nil {
		return
	}
	if c, err := w.Study.Store.Control(ctx); err == nil && c.Stopped {
		w.halt.ask(&store.StoppedError{Control: c})
	}
}

// keepClock measures how far the store's clock is from this machine's.
func (w *Worker) keepClock(ctx context.Context) error {
	before := time.Now()
	there, err := w.Study.Store.Clock(ctx)
	if err != nil {
		return err
	}
	// The answer is about as old as half of the time that it took.
	w.skew.Store(int64(there.Sub(before.Add(time.Since(before) / 2))))
	return nil
}

func (w *Worker) record() store.Worker {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	now := w.now()
	return store.Worker{
		Name: w.Name, Host: host, PID: os.Getpid(), Device: w.Backend.Name(), GPUs: w.GPUs, Job: w.Job, Started: now, Heard: now,
	}
}

// leave records the worker's end. Its claims are given back by then; that the
// record is made is not worth an error.
func (w *Worker) leave(ctx context.Context, why error) {
	self, err := w.Study.worker(ctx, w.Name)
	if err != nil || self == nil {
		return
	}
	self.Ended, self.Heard, self.Reason = true, w.now(), "no trial is left"
	if why != nil {
		self.Reason = why.Error()
	}
	w.Study.Store.SaveWorker(ctx, *self)
}

// worker is what the store holds of one of that name; nil where it has none.
func (s *Study) worker(ctx context.Context, name string) (*store.Worker, error) {
	all, err := s.Store.Workers(ctx)
	for _, w := range all {
		if w.Name == name {
			return &w, err
		}
	}
	return nil, err
}
