package storetest

import (
	"errors"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/experiments/store"
)

var supervisionCases = []testCase{
	{"a stopped study gives no claims", stopped},
	{"workers are listed as they were last saved", workers},
	{"the store has a clock", clock},
}

func stopped(f *fixture) {
	f.create(2)
	if c, err := f.store.Control(f.ctx); err != nil || c != (store.Control{}) {
		f.t.Errorf("%+v, %v", c, err)
	}
	c := f.claim("a", start)
	stop := store.Control{Stopped: true, Kind: "disk", Reason: "2 GB are free, 3 GB are wanted", At: start}
	for range 2 {
		f.must(f.store.SetControl(f.ctx, stop))
		got, err := f.store.Control(f.ctx)
		f.must(err)
		if diff := cmp.Diff(stop, got); diff != "" {
			f.t.Error(diff)
		}
		refused, err := f.store.Claim(f.ctx, "b", lease, start)
		var why *store.StoppedError
		if refused != nil || !errors.As(err, &why) || !cmp.Equal(why.Control, stop) || !strings.Contains(err.Error(), "2 GB are free") {
			f.t.Errorf("%+v, %v", refused, err)
		}
	}
	f.must(f.store.Heartbeat(f.ctx, c, start))
	f.finish(c, store.Done, "", start)
	f.must(f.store.SetControl(f.ctx, store.Control{At: start.Add(time.Second)}))
	if c := f.claim("b", start); c == nil || c.Trial != 1 {
		f.t.Errorf("%+v", c)
	}
}

func workers(f *fixture) {
	first := store.Worker{Name: "z", Host: "node1", PID: 4_000_000, Device: "GPU-1", GPUs: 1, Job: "17_3", Started: start, Heard: start}
	second := store.Worker{Name: "a", Host: "node2", Device: "cpu/avx512", Started: start.Add(time.Second), Heard: start.Add(time.Second)}
	f.must(f.store.SaveWorker(f.ctx, second))
	f.must(f.store.SaveWorker(f.ctx, first))
	second.Heard, second.Ended, second.Reason = start.Add(time.Minute), true, "told to\x00stop"
	f.must(f.store.SaveWorker(f.ctx, second))
	second.Reason = "told to\uFFFDstop"
	all, err := f.store.Workers(f.ctx)
	f.must(err)
	if diff := cmp.Diff([]store.Worker{first, second}, all); diff != "" {
		f.t.Error(diff)
	}
}

// clock allows a minute between this machine and the store's, which are the
// same one here.
func clock(f *fixture) {
	before, err := f.store.Clock(f.ctx)
	f.must(err)
	after, err := f.store.Clock(f.ctx)
	f.must(err)
	if off := time.Since(after).Abs(); off > time.Minute || after.Before(before) {
		f.t.Errorf("the clock says %v and then %v, %v off", before, after, off)
	}
}
