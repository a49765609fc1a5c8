package study

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"flowbench/experiments/store"
)

// standing is all that a study's store holds of an adaptive study, read at once:
// what is due next is a function of it.
type standing struct {
	trials      []store.Trial
	suggestions []store.Suggestion // of adaptive configurations, in their order
	reports     map[int][]*float64 // trial to its figures, by rung
	decisions   map[rung]store.Decision
}

// rung is a place at which a configuration is judged.
type rung struct{ configuration, number int }

func (s *Study) standing(ctx context.Context) (*standing, error) {
	// Trials come first: of one that they show as ended every report is among the
	// reports. What is written between the reads only makes less due than there is.
	st := &standing{reports: map[int][]*float64{}, decisions: map[rung]store.Decision{}}
	var err error
	if st.trials, err = s.Store.Trials(ctx); err != nil {
		return nil, err
	}
	decisions, err := s.Store.Decisions(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range decisions {
		st.decisions[rung{d.Configuration, d.Rung}] = d
	}
	reports, err := s.Store.Reports(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range reports {
		if r.Rung != len(st.reports[r.Trial]) {
			return nil, fmt.Errorf("study: the store lacks the report of trial %d at rung %d", r.Trial, len(st.reports[r.Trial]))
		}
		st.reports[r.Trial] = append(st.reports[r.Trial], r.Value)
	}
	st.suggestions, err = s.Store.Suggestions(ctx)
	return st, err
}

// orNaN is the value, NaN where there is none.
func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// metricOf is a figure among those that a trial ended with, nil where it lacks it.
func metricOf(t store.Trial, name string) (*float64, error) {
	if t.State != store.Done || t.Result == nil {
		return nil, nil
	}
	var metrics map[string]float64
	if err := json.Unmarshal(t.Result, &metrics); err != nil {
		return nil, fmt.Errorf("study: the result of trial %d in the store: %w", t.Index, err)
	}
	if v, ok := metrics[name]; ok {
		return &v, nil
	}
	return nil, nil
}

// mean is that of the values that are there; nil where none is.
func mean(values []*float64) *float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if v != nil {
			sum, n = sum+*v, n+1
		}
	}
	if n == 0 {
		return nil
	}
	sum /= float64(n)
	return &sum
}
