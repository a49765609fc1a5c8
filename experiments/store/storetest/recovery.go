package storetest

import (
	"strings"

	"flowbench/experiments/store"
)

func losesEveryWorker(f *fixture) {
	f.create(1)
	now := start
	for range store.MaxLosses {
		if c := f.claim("a", now); c == nil {
			f.t.Fatal("given up too early")
		}
		now = now.Add(lease)
	}
	if c := f.claim("a", now); c != nil {
		f.t.Errorf("claimed once more: %+v", c)
	}
	f.wantState(0, store.Failed, "lost its worker")
}

func release(f *fixture) {
	f.create(1)
	for i := range 2 * store.MaxLosses {
		c := f.claim("a", start)
		if c == nil || c.Attempt != i+1 {
			f.t.Fatalf("claim %+v", c)
		}
		f.must(f.store.Release(f.ctx, c))
		f.wantState(0, store.Planned, "released")
		f.wantSuperseded(f.store.Heartbeat(f.ctx, c, start))
	}
}

func releaseTwice(f *fixture) {
	f.create(1)
	c := f.claim("a", start)
	f.must(f.store.Release(f.ctx, c))
	f.must(f.store.Release(f.ctx, c))
	next := f.claim("b", start)
	f.must(f.store.Release(f.ctx, c))
	f.wantState(0, store.Running, "")
	f.must(f.store.Heartbeat(f.ctx, next, start))
}

func releaseWorker(f *fixture) {
	f.create(4)
	dead := f.claim("a", start)
	f.claim("b", start)
	f.claim("a", start)
	f.finish(f.claim("a", start), store.Done, "", start)
	f.must(f.store.ReleaseWorker(f.ctx, "a"))
	for i, want := range []store.State{store.Planned, store.Running, store.Planned, store.Done} {
		f.wantState(i, want, "")
	}
	f.wantSuperseded(f.store.Finish(f.ctx, dead, store.End{State: store.Done}, start))
	f.wantState(0, store.Planned, "")
	if got := f.attempts(0); got[0].State != store.Superseded {
		f.t.Errorf("%+v", got)
	}
	f.must(f.store.ReleaseWorker(f.ctx, "nobody"))
}

func requeue(f *fixture) {
	f.create(3)
	for range retries + 1 {
		f.finish(f.claim("a", start), store.Failed, "x", start)
	}
	f.must(f.store.Requeue(f.ctx, 0))
	if got := f.trial(0); got.State != store.Planned || got.Failures != 0 || got.Result != nil {
		f.t.Errorf("%+v", got)
	}
	f.finish(f.claim("a", start), store.Done, "", start)
	f.claim("a", start)
	for i, words := range []string{"trial 0 is done", "trial 1 is running", "trial 2 is planned", "no trial 3"} {
		if err := f.store.Requeue(f.ctx, i); err == nil || !strings.Contains(err.Error(), words) {
			f.t.Errorf("got %v, want ...%s...", err, words)
		}
	}
}

func requeueTwice(f *fixture) {
	f.create(1)
	f.finish(f.claim("a", start), store.Diverged, "x", start)
	f.must(f.store.Requeue(f.ctx, 0))
	f.must(f.store.Requeue(f.ctx, 0))
	f.claim("a", start)
	if err := f.store.Requeue(f.ctx, 0); err == nil || !strings.Contains(err.Error(), "is running") {
		f.t.Errorf("got %v", err)
	}
}
