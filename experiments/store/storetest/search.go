package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/experiments/store"
)

var searchCases = []testCase{
	{"a trial waits for its suggestion", suggestionFrees},
	{"suggesting twice changes nothing, or is refused", suggestTwice},
	{"a report pauses its attempt", reportPauses},
	{"reporting twice changes nothing", reportTwice},
	{"a late report is not kept", lateReport},
	{"a report that is none is refused", badReport},
	{"release and expiry keep the rungs", rungsStay},
	{"a decision prunes those that wait at its rung", decisionPrunes},
	{"deciding twice changes nothing, or is refused", decideTwice},
	{"a requeued trial meets decisions that are made", requeueAfterDecision},
	{"no report slips past a decision made at once", decideAtOnce},
	{"extend adds trials", extend},
	{"extend twice changes nothing, and of another plan is refused", extendTwice},
	{"searches outlive a close", searchOutlivesClose},
}

// createWaiting makes a study of configurations x 2 trials that wait for suggestions.
func (f *fixture) createWaiting(configurations int) {
	f.t.Helper()
	trials := make([]store.PlannedTrial, 2*configurations)
	for i := range trials {
		trials[i] = store.PlannedTrial{Index: i, Configuration: i / 2, Replicate: i % 2, Waits: true}
	}
	f.must(f.store.Create(f.ctx, "study", "f00d", trials))
}

func suggestion(configuration int) store.Suggestion {
	return store.Suggestion{
		Configuration: configuration, Params: json.RawMessage(fmt.Sprintf(`{"x": %d}`, configuration)),
		Saw: json.RawMessage(`{"finished": [ ]}`), At: start.Add(time.Second),
	}
}

func (f *fixture) suggest(configuration int) {
	f.t.Helper()
	f.must(f.store.Suggest(f.ctx, suggestion(configuration)))
}

// report is what c reports: a value at its rung.
func report(c *store.Claim, value float64, at time.Time) store.Report {
	return store.Report{Trial: c.Trial, Rung: c.Rung, Epoch: 1 << c.Rung, Value: &value, Worker: c.Worker, At: at}
}

func (f *fixture) report(c *store.Claim, value float64) {
	f.t.Helper()
	f.must(f.store.Report(f.ctx, c, report(c, value, start)))
}

func (f *fixture) decide(configuration, rung int, goOn bool, reason string) {
	f.t.Helper()
	f.must(f.store.Decide(f.ctx, store.Decision{Configuration: configuration, Rung: rung, Continue: goOn, Reason: reason, Against: json.RawMessage(`[0.5]`), At: start}))
}

// wantTrial fails where trial i is not in a state, or waits or not, at a rung.
func (f *fixture) wantTrial(i int, state store.State, waits bool, rung int) {
	f.t.Helper()
	if t := f.trial(i); t.State != state || t.Waits != waits || t.Rung != rung {
		f.t.Errorf("trial %d is %s, waits %t, rung %d (%s); want %s, %t, %d", i, t.State, t.Waits, t.Rung, t.Reason, state, waits, rung)
	}
}

func suggestionFrees(f *fixture) {
	f.createWaiting(3)
	f.wantState(0, store.Planned, "waits for its suggestion")
	if c := f.claim("a", start); c != nil {
		f.t.Fatalf("claimed before it was suggested: %+v", c)
	}
	f.suggest(1)
	for i := range 6 {
		f.wantTrial(i, store.Planned, i/2 != 1, 0)
	}
	if c := f.claim("a", start); c == nil || c.Trial != 2 || c.Rung != 0 {
		f.t.Errorf("claimed %+v, want trial 2", c)
	}
	if got := f.trial(3); string(got.Params) != `{"x": 1}` || got.Reason != "" {
		f.t.Errorf("%+v", got)
	}
	f.suggest(0)
	if c := f.claim("a", start); c == nil || c.Trial != 0 {
		f.t.Errorf("claimed %+v, want trial 0", c)
	}
	all, err := f.store.Suggestions(f.ctx)
	f.must(err)
	if diff := cmp.Diff([]store.Suggestion{suggestion(0), suggestion(1)}, all); diff != "" {
		f.t.Error(diff)
	}
}

func suggestTwice(f *fixture) {
	f.createWaiting(2)
	f.suggest(0)
	f.claim("a", start)
	f.suggest(0)
	f.wantTrial(0, store.Running, false, 0)
	params, saw := suggestion(0), suggestion(0)
	params.Params, saw.Saw = json.RawMessage(`{"x": 9}`), json.RawMessage(`[]`)
	for _, other := range []store.Suggestion{params, saw} {
		if err := f.store.Suggest(f.ctx, other); err == nil || !strings.Contains(err.Error(), "already") {
			f.t.Errorf("got %v", err)
		}
	}
	if err := f.store.Suggest(f.ctx, suggestion(7)); err == nil || !strings.Contains(err.Error(), "no trial that waits") {
		f.t.Errorf("got %v", err)
	}
	if err := f.store.Suggest(f.ctx, store.Suggestion{Configuration: 1, Params: json.RawMessage(`{`)}); err == nil || !strings.Contains(err.Error(), "no JSON") {
		f.t.Errorf("got %v", err)
	}
	all, err := f.store.Suggestions(f.ctx)
	f.must(err)
	if len(all) != 1 || string(f.trial(1).Params) != `{"x": 0}` {
		f.t.Errorf("%d suggestions, trial 1 is %+v", len(all), f.trial(1))
	}
}

func reportPauses(f *fixture) {
	f.create(3)
	c := f.claim("a", start)
	f.must(f.store.Report(f.ctx, c, report(c, 0.25, start.Add(time.Second))))
	f.wantTrial(0, store.Planned, true, 1)
	f.wantState(0, store.Planned, "rung 0")
	if got := f.attempts(0); len(got) != 1 || got[0].State != store.Paused || !got[0].Heard.Equal(start.Add(time.Second)) {
		f.t.Errorf("%+v", got)
	}
	if got := f.trial(0); !got.LeaseUntil.IsZero() {
		f.t.Errorf("%+v", got)
	}
	if next := f.claim("a", start.Add(time.Hour)); next == nil || next.Trial != 1 {
		f.t.Errorf("claimed %+v, want trial 1", next)
	}
	f.wantSuperseded(f.store.Heartbeat(f.ctx, c, start))
	f.wantSuperseded(f.store.Finish(f.ctx, c, store.End{State: store.Done}, start))
	f.wantTrial(0, store.Planned, true, 1)
	f.decide(0, 0, true, "goes on")
	f.wantTrial(0, store.Planned, false, 1)
	f.wantTrial(2, store.Planned, false, 0)
	next := f.claim("b", start)
	if next == nil || next.Trial != 0 || next.Rung != 1 || next.Attempt != 2 {
		f.t.Fatalf("claimed %+v, want trial 0 at rung 1", next)
	}
	none := report(next, 0, start)
	none.Value = nil
	f.must(f.store.Report(f.ctx, next, none))
	all, err := f.store.Reports(f.ctx)
	f.must(err)
	if diff := cmp.Diff([]store.Report{report(c, 0.25, start.Add(time.Second)), none}, all); diff != "" {
		f.t.Error(diff)
	}
}

func reportTwice(f *fixture) {
	f.create(1)
	c := f.claim("a", start)
	f.report(c, 0)
	f.report(c, 1)
	f.wantTrial(0, store.Planned, true, 1)
	f.decide(0, 0, true, "")
	next := f.claim("b", start)
	f.report(c, 2)
	f.wantTrial(0, store.Running, false, 1)
	f.must(f.store.Heartbeat(f.ctx, next, start))
	all, err := f.store.Reports(f.ctx)
	f.must(err)
	if len(all) != 1 || all[0].Value == nil || *all[0].Value != 0 {
		f.t.Errorf("%+v", all)
	}
}

func lateReport(f *fixture) {
	f.create(1)
	late := f.claim("a", start)
	next := f.claim("b", start.Add(lease))
	f.wantSuperseded(f.store.Report(f.ctx, late, report(late, 1, start.Add(lease))))
	f.wantSuperseded(f.store.Report(f.ctx, late, report(late, 1, start.Add(lease))))
	f.wantTrial(0, store.Running, false, 0)
	all, err := f.store.Reports(f.ctx)
	f.must(err)
	if len(all) != 0 || f.attempts(0)[0].State != store.Superseded {
		f.t.Errorf("%+v of %+v", all, f.attempts(0))
	}
	f.report(next, 2)
	f.wantTrial(0, store.Planned, true, 1)
}

func badReport(f *fixture) {
	f.create(1)
	c := f.claim("a", start)
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if err := f.store.Report(f.ctx, c, report(c, value, start)); err == nil || !strings.Contains(err.Error(), "not evaluable") {
			f.t.Errorf("%v: got %v", value, err)
		}
	}
	next := report(c, 1, start)
	next.Rung = 1
	if err := f.store.Report(f.ctx, c, next); err == nil || !strings.Contains(err.Error(), "its next is 0") {
		f.t.Errorf("got %v", err)
	}
	f.wantTrial(0, store.Running, false, 0)
}

func rungsStay(f *fixture) {
	f.create(1)
	f.report(f.claim("a", start), 0.5)
	f.decide(0, 0, true, "")
	f.must(f.store.Release(f.ctx, f.claim("a", start)))
	f.wantTrial(0, store.Planned, false, 1)
	f.claim("a", start)
	f.must(f.store.ReleaseWorker(f.ctx, "a"))
	f.wantTrial(0, store.Planned, false, 1)
	f.claim("a", start)
	if c := f.claim("b", start.Add(lease)); c == nil || c.Rung != 1 {
		f.t.Fatalf("%+v", c)
	} else {
		f.finish(c, store.Failed, "no luck", start)
	}
	f.wantTrial(0, store.Planned, false, 1)
	all, err := f.store.Reports(f.ctx)
	f.must(err)
	if len(all) != 1 {
		f.t.Errorf("%+v", all)
	}
}

func decisionPrunes(f *fixture) {
	f.create(8) // configuration 0 is trials 0, 2, 4, 6
	var claims []*store.Claim
	for range 7 {
		claims = append(claims, f.claim("a", start))
	}
	f.report(claims[0], 1)
	f.report(claims[1], 1)
	f.report(claims[2], 1)
	f.finish(claims[4], store.Done, "", start) // trial 6 runs on
	f.decide(0, 1, false, "at a rung that nobody has reported")
	f.wantTrial(0, store.Planned, true, 1)
	f.decide(0, 0, false, "third of 3, at most 1 goes on")
	f.wantState(0, store.Pruned, "third of 3")
	f.wantState(2, store.Pruned, "third of 3")
	f.wantState(4, store.Done, "")
	f.wantTrial(6, store.Running, false, 0)
	f.wantTrial(1, store.Planned, true, 1)
	f.report(claims[6], 1)
	f.wantState(6, store.Pruned, "third of 3")
	all, err := f.store.Decisions(f.ctx)
	f.must(err)
	want := []store.Decision{
		{Configuration: 0, Rung: 0, Reason: "third of 3, at most 1 goes on", Against: json.RawMessage(`[0.5]`), At: start},
		{Configuration: 0, Rung: 1, Reason: "at a rung that nobody has reported", Against: json.RawMessage(`[0.5]`), At: start},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		f.t.Error(diff)
	}
}

func decideTwice(f *fixture) {
	f.create(1)
	f.report(f.claim("a", start), 1)
	f.decide(0, 0, true, "first")
	f.decide(0, 0, true, "second")
	err := f.store.Decide(f.ctx, store.Decision{Configuration: 0, Rung: 0})
	if err == nil || !strings.Contains(err.Error(), "the other way") {
		f.t.Errorf("got %v", err)
	}
	f.wantTrial(0, store.Planned, false, 1)
	all, err := f.store.Decisions(f.ctx)
	f.must(err)
	if len(all) != 1 || all[0].Reason != "first" || !all[0].Continue {
		f.t.Errorf("%+v", all)
	}
}

func requeueAfterDecision(f *fixture) {
	f.create(1)
	f.report(f.claim("a", start), 1)
	f.decide(0, 0, false, "last of 9")
	f.must(f.store.Requeue(f.ctx, 0))
	f.wantTrial(0, store.Planned, false, 1)
	c := f.claim("a", start)
	if c == nil || c.Rung != 1 {
		f.t.Fatalf("%+v", c)
	}
	f.decide(0, 1, true, "first of 1")
	f.report(c, 1)
	f.wantTrial(0, store.Planned, false, 2)
	f.decide(0, 2, false, "last of 8")
	f.report(f.claim("a", start), 1)
	f.wantTrial(0, store.Pruned, false, 3)
	f.wantState(0, store.Pruned, "last of 8")
}

// decideAtOnce lets reports race with the decisions on their rungs.
func decideAtOnce(f *fixture) {
	const configurations = 30
	trials := make([]store.PlannedTrial, configurations)
	for i := range trials {
		trials[i] = store.PlannedTrial{Index: i, Configuration: i}
	}
	f.must(f.store.Create(f.ctx, "study", "f00d", trials))
	openings := []store.Store{f.store, f.reopen()}
	for i := range configurations {
		c := f.claim("a", start)
		var both sync.WaitGroup
		both.Go(func() {
			if err := openings[0].Report(f.ctx, c, report(c, 1, start)); err != nil {
				f.t.Error(err)
			}
		})
		both.Go(func() {
			if err := openings[1].Decide(f.ctx, store.Decision{Configuration: i, Reason: "at once"}); err != nil {
				f.t.Error(err)
			}
		})
		both.Wait()
		f.wantTrial(i, store.Pruned, false, 1)
	}
}

func further(from, n int) []store.PlannedTrial {
	return planned(from + n)[from:]
}

func extend(f *fixture) {
	f.create(2)
	f.finish(f.claim("a", start), store.Done, "", start)
	f.must(f.store.Extend(f.ctx, "f00d", "beef", further(2, 3)))
	f.wantState(0, store.Done, "")
	trials, err := f.store.Trials(f.ctx)
	f.must(err)
	if len(trials) != 5 {
		f.t.Fatalf("%d trials", len(trials))
	}
	for i, want := range planned(5) {
		if diff := cmp.Diff(want, trials[i].PlannedTrial); diff != "" {
			f.t.Error(diff)
		}
	}
	held, err := f.store.Study(f.ctx)
	f.must(err)
	if held != (store.Study{Name: "study", Fingerprint: "beef"}) {
		f.t.Errorf("%+v", held)
	}
	f.must(f.store.Create(f.ctx, "study", "beef", planned(5)))
}

func extendTwice(f *fixture) {
	if err := f.store.Extend(f.ctx, "f00d", "beef", nil); err == nil || !strings.Contains(err.Error(), "no study") {
		f.t.Errorf("an empty store: %v", err)
	}
	f.create(2)
	for _, from := range []int{1, 3} {
		if err := f.store.Extend(f.ctx, "f00d", "beef", further(from, 1)); err == nil || !strings.Contains(err.Error(), "cannot follow trial 1") {
			f.t.Errorf("trial %d after 1: %v", from, err)
		}
	}
	f.must(f.store.Extend(f.ctx, "f00d", "beef", further(2, 1)))
	f.must(f.store.Extend(f.ctx, "f00d", "beef", further(2, 1)))
	var other *store.OtherStudyError
	if err := f.store.Extend(f.ctx, "f00d", "cafe", further(3, 1)); !errors.As(err, &other) || other.Fingerprint != "beef" || other.WantedFingerprint != "f00d" {
		f.t.Errorf("got %v", err)
	}
	trials, err := f.store.Trials(f.ctx)
	f.must(err)
	if len(trials) != 3 {
		f.t.Errorf("%d trials", len(trials))
	}
}

func searchOutlivesClose(f *fixture) {
	f.createWaiting(2)
	f.suggest(0)
	f.report(f.claim("a", start), 0.1+0.2)
	f.decide(0, 0, true, "")
	before := f.everything()
	f.must(f.store.Close())
	f.store = f.reopen()
	if diff := cmp.Diff(before, f.everything()); diff != "" {
		f.t.Error(diff)
	}
}

// everything is all that a store holds.
func (f *fixture) everything() []any {
	f.t.Helper()
	trials, err := f.store.Trials(f.ctx)
	f.must(err)
	suggestions, err := f.store.Suggestions(f.ctx)
	f.must(err)
	reports, err := f.store.Reports(f.ctx)
	f.must(err)
	decisions, err := f.store.Decisions(f.ctx)
	f.must(err)
	workers, err := f.store.Workers(f.ctx)
	f.must(err)
	control, err := f.store.Control(f.ctx)
	f.must(err)
	return []any{trials, suggestions, reports, decisions, workers, control}
}
