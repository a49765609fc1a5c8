// Package storetest holds what every store.Store must do, as one table of cases.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/experiments/store"
)

// Open opens the store of a name: an empty one at first, and after that the
// same one again, however many are open. The caller closes it.
type Open func(t *testing.T, name string) store.Store

// start is the time at which every case begins.
var start = time.UnixMilli(1_700_000_000_000)

const lease = time.Minute

// retries is how many failures the cases forgive.
const retries = 2

// Run runs every case against the stores that open gives.
func Run(t *testing.T, open Open) {
	for _, tc := range slices.Concat(queueCases, searchCases, supervisionCases) {
		t.Run(tc.name, func(t *testing.T) {
			f := &fixture{t: t, open: open, ctx: t.Context()}
			f.store = f.reopen()
			tc.run(f)
		})
	}
}

// testCase is something that every store must do.
type testCase struct {
	name string
	run  func(*fixture)
}

// fixture is one case's store, with calls that must succeed.
type fixture struct {
	t     *testing.T
	ctx   context.Context
	open  Open
	store store.Store
}

// reopen opens the case's store once more.
func (f *fixture) reopen() store.Store {
	f.t.Helper()
	s := f.open(f.t, "store")
	f.t.Cleanup(func() { s.Close() })
	return s
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func planned(n int) []store.PlannedTrial {
	all := make([]store.PlannedTrial, n)
	for i := range all {
		all[i] = store.PlannedTrial{Index: i, Configuration: i % 2, Replicate: i / 2, Seed: uint64(1)<<53 - 1, Params: json.RawMessage(fmt.Sprintf(`{"train.batch":%d}`, i))}
	}
	return all
}

func (f *fixture) create(n int) {
	f.t.Helper()
	f.must(f.store.Create(f.ctx, "study", "f00d", planned(n)))
}

func (f *fixture) claim(worker string, now time.Time) *store.Claim {
	f.t.Helper()
	c, err := f.store.Claim(f.ctx, worker, lease, now)
	f.must(err)
	return c
}

func (f *fixture) finish(c *store.Claim, end store.State, reason string, now time.Time) {
	f.t.Helper()
	f.must(f.store.Finish(f.ctx, c, store.End{State: end, Reason: reason, Retries: retries}, now))
}

func (f *fixture) trial(i int) store.Trial {
	f.t.Helper()
	all, err := f.store.Trials(f.ctx)
	f.must(err)
	if i >= len(all) {
		f.t.Fatalf("there are %d trials", len(all))
	}
	state, err := f.store.States(f.ctx)
	f.must(err)
	bare := slices.Clone(all)
	for k := range bare {
		bare[k].Params, bare[k].Result = nil, nil
	}
	if diff := cmp.Diff(bare, state); diff != "" {
		f.t.Errorf("States are not Trials without parameters and results: %s", diff)
	}
	return all[i]
}

func (f *fixture) attempts(i int) []store.Attempt {
	f.t.Helper()
	all, err := f.store.Attempts(f.ctx, i)
	f.must(err)
	return all
}

// wantState fails where trial i is not in a state, for a reason with these words.
func (f *fixture) wantState(i int, state store.State, words string) {
	f.t.Helper()
	if t := f.trial(i); t.State != state || !strings.Contains(t.Reason, words) {
		f.t.Errorf("trial %d is %s (%s), want %s (...%s...)", i, t.State, t.Reason, state, words)
	}
}

func (f *fixture) wantSuperseded(err error) {
	f.t.Helper()
	if !errors.Is(err, store.ErrSuperseded) {
		f.t.Errorf("got %v, want ErrSuperseded", err)
	}
}
