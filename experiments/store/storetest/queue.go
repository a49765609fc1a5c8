package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/experiments/store"
)

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
