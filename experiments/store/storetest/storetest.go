// Package storetest holds what every store.Store must do, as one table of cases.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
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

var queueCases = []testCase{
	{"an empty store holds no study", emptyStore},
	{"create lists the plan", createListsThePlan},
	{"create again changes nothing", createAgain},
	{"create of another study is refused", createOther},
	{"claims go by index and once each", claimsGoByIndex},
	{"a finished trial keeps its end", finishKeepsItsEnd},
	{"finishing twice changes nothing", finishTwice},
	{"a failed trial is tried three times", failedThreeTimes},
	{"a failure that would repeat itself is the last", failedForGood},
	{"a diverged trial is not tried again", divergedOnce},
	{"an expired lease frees its trial", expiredLease},
	{"a heartbeat keeps a lease", heartbeatKeepsALease},
	{"a late finish is kept but not counted", lateFinish},
	{"a late finish in time is counted", lateButNotMissed},
	{"a trial that loses every worker fails", losesEveryWorker},
	{"release puts a trial back", release},
	{"releasing twice changes nothing", releaseTwice},
	{"the claims of a dead worker go back", releaseWorker},
	{"requeue forgives", requeue},
	{"requeueing twice changes nothing", requeueTwice},
	{"tokens only grow", tokensGrow},
	{"everything outlives a close", outlivesClose},
	{"workers at once claim every trial once", workersAtOnce},
	{"bad JSON is refused", badJSON},
	{"JSON keeps its bytes and words lose what is no text", oddText},
	{"a plan of thousands is kept whole", largePlan},
	{"a claim that never was is an error", foreignClaim},
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

func emptyStore(f *fixture) {
	held, err := f.store.Study(f.ctx)
	f.must(err)
	trials, err := f.store.Trials(f.ctx)
	f.must(err)
	if held != (store.Study{}) || len(trials) != 0 || f.claim("a", start) != nil {
		f.t.Errorf("holds %v with %d trials", held, len(trials))
	}
}

func createListsThePlan(f *fixture) {
	f.create(5)
	trials, err := f.store.Trials(f.ctx)
	f.must(err)
	var want []store.Trial
	for _, p := range planned(5) {
		want = append(want, store.Trial{PlannedTrial: p, State: store.Planned})
	}
	if diff := cmp.Diff(want, trials); diff != "" {
		f.t.Error(diff)
	}
	held, err := f.store.Study(f.ctx)
	f.must(err)
	if held != (store.Study{Name: "study", Fingerprint: "f00d"}) {
		f.t.Errorf("holds %v", held)
	}
}

func createAgain(f *fixture) {
	f.create(2)
	f.finish(f.claim("a", start), store.Done, "", start)
	f.create(2)
	f.wantState(0, store.Done, "")
}

func createOther(f *fixture) {
	f.create(2)
	for _, other := range []store.Study{{Name: "else", Fingerprint: "f00d"}, {Name: "study", Fingerprint: "beef"}} {
		err := f.store.Create(f.ctx, other.Name, other.Fingerprint, planned(1))
		var refused *store.OtherStudyError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "holds study study") ||
			!strings.Contains(err.Error(), other.Name) || !strings.Contains(err.Error(), "choose another output folder") {
			f.t.Errorf("got %v", err)
		}
	}
	if len(f.attempts(0)) != 0 || f.trial(1).State != store.Planned {
		f.t.Error("a refused study changed the store")
	}
}

func claimsGoByIndex(f *fixture) {
	f.create(3)
	for i := range 3 {
		c := f.claim(fmt.Sprint("worker", i), start)
		if c == nil || c.Trial != i || c.Attempt != 1 || c.Worker != fmt.Sprint("worker", i) || c.Lease != lease {
			f.t.Fatalf("claim %d is %+v", i, c)
		}
		got := f.trial(i)
		if got.State != store.Running || got.Worker != c.Worker || !got.LeaseUntil.Equal(start.Add(lease)) || got.Attempts != 1 {
			f.t.Errorf("trial %d is %+v", i, got)
		}
	}
	if c := f.claim("late", start); c != nil {
		f.t.Errorf("a fourth claim of three trials: %+v", c)
	}
}

func finishKeepsItsEnd(f *fixture) {
	ends := []store.State{store.Done, store.Pruned, store.Diverged}
	f.create(len(ends))
	for i, end := range ends {
		c := f.claim("a", start)
		f.must(f.store.Finish(f.ctx, c, store.End{State: end, Reason: "reason " + string(end), Result: json.RawMessage(`{"x": [1, null]}`)}, start.Add(time.Second)))
		f.wantState(i, end, "reason "+string(end))
		if got := f.trial(i); string(got.Result) != `{"x": [1, null]}` || !got.LeaseUntil.IsZero() {
			f.t.Errorf("trial %d is %+v", i, got)
		}
		got := f.attempts(i)
		if len(got) != 1 || got[0].State != end || got[0].Token != c.Token || !got[0].Started.Equal(start) || !got[0].Heard.Equal(start.Add(time.Second)) {
			f.t.Errorf("attempts at trial %d: %+v", i, got)
		}
	}
	if c := f.claim("a", start.Add(time.Hour)); c != nil {
		f.t.Errorf("an ended trial was claimed: %+v", c)
	}
}

func finishTwice(f *fixture) {
	f.create(1)
	c := f.claim("a", start)
	f.must(f.store.Finish(f.ctx, c, store.End{State: store.Done, Reason: "first", Result: json.RawMessage(`1`)}, start))
	f.must(f.store.Finish(f.ctx, c, store.End{State: store.Done, Reason: "second", Result: json.RawMessage(`2`)}, start))
	f.wantState(0, store.Done, "first")
	f.wantSuperseded(f.store.Finish(f.ctx, c, store.End{State: store.Diverged, Reason: "third"}, start))
	f.wantState(0, store.Done, "first")
	if got := f.attempts(0); len(got) != 1 || got[0].State != store.Done || string(got[0].Result) != "1" {
		f.t.Errorf("attempts %+v", got)
	}
}

func failedThreeTimes(f *fixture) {
	f.create(2)
	for i := range retries + 1 {
		c := f.claim("a", start)
		if c == nil || c.Trial != 0 || c.Attempt != i+1 {
			f.t.Fatalf("claim %+v", c)
		}
		f.finish(c, store.Failed, fmt.Sprint("no luck ", i), start)
		if i < retries {
			f.wantState(0, store.Planned, fmt.Sprint("no luck ", i))
		}
	}
	f.wantState(0, store.Failed, fmt.Sprintf("%d of %d times: no luck", retries+1, retries+1))
	if got := f.trial(0); got.Failures != retries+1 || got.Attempts != retries+1 {
		f.t.Errorf("%+v", got)
	}
	if c := f.claim("a", start); c == nil || c.Trial != 1 {
		f.t.Errorf("after a failed trial comes %+v", c)
	}
}

func failedForGood(f *fixture) {
	f.create(1)
	f.finish(f.claim("a", start), store.Failed, "no luck", start)
	f.must(f.store.Finish(f.ctx, f.claim("a", start), store.End{State: store.Failed, Reason: "out of memory"}, start))
	f.wantState(0, store.Failed, "not repeated: out of memory")
	if c := f.claim("a", start); c != nil {
		f.t.Errorf("claimed again: %+v", c)
	}
}

func divergedOnce(f *fixture) {
	f.create(1)
	f.finish(f.claim("a", start), store.Diverged, "loss is NaN at step 3", start)
	f.wantState(0, store.Diverged, "step 3")
	if c := f.claim("a", start); c != nil {
		f.t.Errorf("claimed again: %+v", c)
	}
}

func expiredLease(f *fixture) {
	f.create(2)
	f.claim("a", start)
	n, err := f.store.ExpireLeases(f.ctx, start.Add(lease-time.Millisecond))
	f.must(err)
	if n != 0 {
		f.t.Errorf("%d leases expired early", n)
	}
	n, err = f.store.ExpireLeases(f.ctx, start.Add(lease))
	f.must(err)
	if n != 1 {
		f.t.Errorf("%d leases expired", n)
	}
	f.wantState(0, store.Stale, "worker a ran out")
	if got := f.attempts(0); got[0].State != store.Stale {
		f.t.Errorf("%+v", got)
	}
	if c := f.claim("b", start.Add(lease)); c.Trial != 0 || c.Attempt != 2 {
		f.t.Errorf("%+v", c)
	}
	f.claim("b", start.Add(lease)) // trial 1
	if c := f.claim("c", start.Add(2*lease)); c == nil || c.Trial != 0 || c.Attempt != 3 {
		f.t.Errorf("a claim does not expire leases by itself: %+v", c)
	}
}

func heartbeatKeepsALease(f *fixture) {
	f.create(1)
	c := f.claim("a", start)
	f.must(f.store.Heartbeat(f.ctx, c, start.Add(lease/2)))
	if other := f.claim("b", start.Add(lease)); other != nil {
		f.t.Errorf("claimed beside a heartbeat: %+v", other)
	}
	if got := f.trial(0); !got.LeaseUntil.Equal(start.Add(lease / 2).Add(lease)) {
		f.t.Errorf("%+v", got)
	}
	if got := f.attempts(0); !got[0].Heard.Equal(start.Add(lease / 2)) {
		f.t.Errorf("%+v", got)
	}
	f.claim("b", start.Add(3*lease))
	f.wantSuperseded(f.store.Heartbeat(f.ctx, c, start.Add(3*lease)))
}

func lateFinish(f *fixture) {
	f.create(1)
	late := f.claim("a", start)
	next := f.claim("b", start.Add(lease))
	f.wantSuperseded(f.store.Finish(f.ctx, late, store.End{State: store.Done, Result: json.RawMessage(`"late"`)}, start.Add(lease)))
	f.wantState(0, store.Running, "")
	f.wantSuperseded(f.store.Release(f.ctx, late))
	f.must(f.store.Finish(f.ctx, next, store.End{State: store.Done, Result: json.RawMessage(`"counted"`)}, start.Add(lease)))
	f.wantSuperseded(f.store.Finish(f.ctx, late, store.End{State: store.Done, Result: json.RawMessage(`"later"`)}, start.Add(lease)))
	if got := f.trial(0); got.State != store.Done || string(got.Result) != `"counted"` || got.Worker != "b" {
		f.t.Errorf("%+v", got)
	}
	got := f.attempts(0)
	if len(got) != 2 || got[0].State != store.Superseded || string(got[0].Result) != `"late"` || got[1].State != store.Done {
		f.t.Errorf("%+v", got)
	}
}

// lateButNotMissed: a lease that ran out, but that nobody has acted on.
func lateButNotMissed(f *fixture) {
	f.create(1)
	c := f.claim("a", start)
	f.finish(c, store.Done, "", start.Add(9*lease))
	f.wantState(0, store.Done, "")
}

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

func tokensGrow(f *fixture) {
	f.create(3)
	last := int64(0)
	for i := range 20 {
		c := f.claim("a", start)
		if c.Token <= last {
			f.t.Fatalf("token %d after %d", c.Token, last)
		}
		last = c.Token
		if i%2 == 0 {
			f.must(f.store.Release(f.ctx, c))
		} else {
			f.must(f.store.ReleaseWorker(f.ctx, "a"))
		}
	}
}

func outlivesClose(f *fixture) {
	f.create(3)
	f.finish(f.claim("a", start), store.Done, "well", start)
	c := f.claim("a", start)
	before, err := f.store.Trials(f.ctx)
	f.must(err)
	f.must(f.store.Close())
	f.store = f.reopen()
	after, err := f.store.Trials(f.ctx)
	f.must(err)
	if diff := cmp.Diff(before, after); diff != "" {
		f.t.Error(diff)
	}
	f.finish(c, store.Done, "", start)
	if next := f.claim("b", start); next.Trial != 2 || next.Token <= c.Token {
		f.t.Errorf("%+v after %+v", next, c)
	}
}

// workersAtOnce lets workers on two openings of the store race for every trial,
// a third of which fail at first.
func workersAtOnce(f *fixture) {
	const trials, workers = 60, 6
	f.create(trials)
	openings := []store.Store{f.store, f.reopen()}
	claimed := make([][]store.Claim, workers)
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			s := openings[w%len(openings)]
			for {
				c, err := s.Claim(f.ctx, fmt.Sprint("worker", w), lease, start)
				if err != nil || c == nil {
					if err != nil {
						f.t.Error(err)
					}
					return
				}
				claimed[w] = append(claimed[w], *c)
				end := store.Done
				if c.Trial%3 == 0 && c.Attempt == 1 {
					end = store.Failed
				}
				if err := s.Finish(f.ctx, c, store.End{State: end, Retries: retries}, start); err != nil {
					f.t.Error(err)
				}
			}
		})
	}
	running.Wait()
	var got []store.Claim
	for _, c := range claimed {
		got = append(got, c...)
	}
	slices.SortFunc(got, func(a, b store.Claim) int { return 10*(a.Trial-b.Trial) + a.Attempt - b.Attempt })
	at := 0
	for i := range trials {
		f.wantState(i, store.Done, "")
		want := 1
		if i%3 == 0 {
			want = 2
		}
		for attempt := 1; attempt <= want; attempt++ {
			if at >= len(got) || got[at].Trial != i || got[at].Attempt != attempt {
				f.t.Fatalf("claim %d of %d is not attempt %d at trial %d", at, len(got), attempt, i)
			}
			at++
		}
	}
	if at != len(got) {
		f.t.Errorf("%d claims, want %d", len(got), at)
	}
}

func badJSON(f *fixture) {
	f.create(1)
	c := f.claim("a", start)
	if err := f.store.Finish(f.ctx, c, store.End{State: store.Done, Result: json.RawMessage(`{"x": NaN}`)}, start); err == nil || !strings.Contains(err.Error(), "no JSON") {
		f.t.Errorf("got %v", err)
	}
	f.wantState(0, store.Running, "")
	if err := f.store.Finish(f.ctx, c, store.End{State: store.Done, Result: json.RawMessage("\"\xff\"")}, start); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		f.t.Errorf("got %v", err)
	}
}

func oddText(f *fixture) {
	const result = "{\"<&>\" :\n[1e2,\t\"\u2028 \\u0000 ☃\", 1.0]}"
	f.create(1)
	c := f.claim("wörker 'a\"; --", start)
	f.must(f.store.Finish(f.ctx, c, store.End{State: store.Done, Reason: "read \x00 and \xff from 'it'", Result: json.RawMessage(result)}, start))
	got := f.trial(0)
	if string(got.Result) != result || got.Worker != c.Worker {
		f.t.Errorf("%+v", got)
	}
	f.wantState(0, store.Done, "read \uFFFD and \uFFFD from 'it'")
	if attempts := f.attempts(0); string(attempts[0].Result) != result {
		f.t.Errorf("%+v", attempts)
	}
}

func largePlan(f *fixture) {
	const n = 2345
	f.create(n)
	trials, err := f.store.Trials(f.ctx)
	f.must(err)
	for i, want := range planned(n) {
		if diff := cmp.Diff(want, trials[i].PlannedTrial); diff != "" {
			f.t.Fatal(diff)
		}
	}
}

func foreignClaim(f *fixture) {
	f.create(1)
	f.claim("a", start)
	foreign := &store.Claim{Trial: 0, Attempt: 1, Token: 99, Worker: "a", Lease: lease}
	if err := f.store.Finish(f.ctx, foreign, store.End{State: store.Done}, start); err == nil || errors.Is(err, store.ErrSuperseded) {
		f.t.Errorf("got %v", err)
	}
	f.wantState(0, store.Running, "")
}
