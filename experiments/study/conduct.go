package study

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"flowbench/experiments/search"
	"flowbench/experiments/spec"
	"flowbench/experiments/store"
)

// conduct records what is due: decisions at rungs, then suggestions, until
// nothing more is. Both are functions of what the store holds, in the order of
// the plan and not in that of the clock, so that whoever comes first records
// what everybody else would have. It changes nothing in a study that is not
// adaptive.
func (s *Study) conduct(ctx context.Context) error {
	if !s.Plan.waits() {
		return nil
	}
	for {
		st, err := s.standing(ctx)
		if err != nil {
			return err
		}
		if err := s.take(st.suggestions); err != nil {
			return err
		}
		n, err := s.decide(ctx, st)
		if err == nil && n == 0 {
			n, err = s.suggest(ctx, st)
		}
		if err != nil || n == 0 {
			return err
		}
	}
}

// decide records the decisions that are due, and returns how many there were.
func (s *Study) decide(ctx context.Context, st *standing) (int, error) {
	if s.Plan.pruner == nil {
		return 0, nil
	}
	n := 0
	for number := 0; ; number++ {
		due, more := s.dueAt(st, number)
		for _, d := range due {
			if err := s.Store.Decide(ctx, d); err != nil {
				return n, err
			}
			n++
		}
		if !more {
			return n, nil
		}
	}
}

// dueAt lists the decisions that are due at one rung, and reports whether any
// configuration has such a rung. Configurations are judged in their order, each
// against its peers before it that reached the rung; the first one whose figure
// is not known yet holds up its peers behind it.
func (s *Study) dueAt(st *standing, number int) (due []store.Decision, any bool) {
	var earlier [][]float64 // by the search's number; nil of who did not reach the rung
	var holding []int       // who holds up its peers
	for i := range s.Plan.found.Count {
		c := s.Plan.configuration(i)
		earlier = append(earlier, nil)
		unknown := s.configuration(c).unknown()
		if !unknown && number >= len(s.rungs(c)) {
			continue
		}
		any = any || !unknown
		own, settled := s.figures(st, c, number)
		held := slices.ContainsFunc(holding, func(h int) bool { return s.Plan.pruner.Peers(h, i) })
		switch {
		case held:
		case unknown, !settled:
			holding = append(holding, i)
		case own != nil:
			if _, known := st.decisions[rung{c, number}]; !known {
				due = append(due, s.judge(i, number, own, earlier))
			}
			earlier[i] = own
		}
	}
	return due, any
}

// judge is the decision on what the search calls its i-th configuration.
func (s *Study) judge(i, number int, own []float64, earlier [][]float64) store.Decision {
	d := s.Plan.pruner.Decide(i, number, own, earlier[:i])
	against, err := json.Marshal(d)
	if err != nil {
		panic("study: " + err.Error())
	}
	return store.Decision{Configuration: s.Plan.configuration(i), Rung: number, Continue: d.Continue, Reason: d.Reason, Against: against}
}

// figures are the means of a configuration's reports at the rungs up to one,
// and whether all that it will ever report there is known: each of its trials
// has reported or has ended. They are nil where none has reported that rung.
func (s *Study) figures(st *standing, c, number int) (own []float64, settled bool) {
	trials := s.Plan.trialsOf(c)
	reached := false
	for _, t := range trials {
		has := len(st.reports[t]) > number
		if !has && !st.trials[t].State.Ended() {
			return nil, false
		}
		reached = reached || has
	}
	if !reached {
		return nil, true
	}
	for k := range number + 1 {
		var values []*float64
		for _, t := range trials {
			if len(st.reports[t]) > number {
				values = append(values, st.reports[t][k])
			}
		}
		own = append(own, orNaN(mean(values)))
	}
	return own, true
}

// suggest records the next configurations' suggestions as far as they are due,
// and returns how many there were.
func (s *Study) suggest(ctx context.Context, st *standing) (int, error) {
	if !s.Plan.suggests() {
		return 0, nil
	}
	n := 0
	for i := len(st.suggestions); i < s.Plan.found.Count; i++ {
		sweep := s.Plan.versions[s.Plan.found.Version(i)].Sweep
		seen := max(0, i-sweep.Concurrency+1) // how many it waits for and sees
		if !s.haveEnded(st, seen) {
			break
		}
		next, err := s.suggestion(st, seen, i, sweep)
		if err != nil {
			return n, err
		}
		if err := s.Store.Suggest(ctx, *next); err != nil {
			return n, err
		}
		st.suggestions = append(st.suggestions, *next)
		if err := s.take(st.suggestions); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// haveEnded says whether all trials of the first n configurations of the search have.
func (s *Study) haveEnded(st *standing, n int) bool {
	for i := range n {
		for _, t := range s.Plan.trialsOf(s.Plan.configuration(i)) {
			if !st.trials[t].State.Ended() {
				return false
			}
		}
	}
	return true
}

// suggestion draws the search's i-th configuration from the ends of the first
// seen ones, and from what those behind them, which are under way, are.
func (s *Study) suggestion(st *standing, seen, i int, sweep *spec.Sweep) (*store.Suggestion, error) {
	var record seenRecord
	for j := range seen {
		o, err := s.observation(st, j)
		if err != nil {
			return nil, err
		}
		record.Observed = append(record.Observed, *o)
	}
	for j := seen; j < i; j++ {
		record.Pending = append(record.Pending, s.configuration(s.Plan.configuration(j)).Params)
	}
	params, err := search.Suggest(sweep, i, record.Observed, record.Pending)
	if err != nil {
		return nil, fmt.Errorf("study: configuration %d: %w", i, err)
	}
	chosen, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("study: configuration %d: %w", i, err)
	}
	saw, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("study: configuration %d: %w", i, err)
	}
	return &store.Suggestion{Configuration: s.Plan.configuration(i), Params: chosen, Saw: saw}, nil
}

// seenRecord is what a suggestion saw, as the store keeps it.
type seenRecord struct {
	Observed []search.Observation
	Pending  []spec.Params
}

// observation is how the search's i-th configuration ended: the mean of the
// study's metric over the trials that have it, or, where it was pruned, that of
// its reports at the last rung.
func (s *Study) observation(st *standing, i int) (*search.Observation, error) {
	c := s.Plan.configuration(i)
	o := &search.Observation{Configuration: i, Params: s.configuration(c).Params}
	var done, last []*float64
	for _, t := range s.Plan.trialsOf(c) {
		v, err := metricOf(st.trials[t], s.Plan.Metric.Name)
		if err != nil {
			return nil, err
		}
		done = append(done, v)
		if n := len(st.reports[t]); st.trials[t].State == store.Pruned && n > 0 {
			o.Epochs = max(o.Epochs, s.rungs(c)[n-1])
			last = append(last, st.reports[t][n-1])
		}
	}
	if o.Value = mean(done); o.Value == nil {
		o.Value = mean(last)
	}
	return o, nil
}
