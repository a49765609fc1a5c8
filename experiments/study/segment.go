package study

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"flowbench/experiments/spec"
	"flowbench/experiments/store"
	"flowbench/train"
)

// configuration is a configuration as far as it is known by now. It may be called
// by any number of goroutines.
func (s *Study) configuration(index int) Configuration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.Plan.Configurations[index]
}

// unknown says whether the configuration has still to be suggested.
func (c Configuration) unknown() bool { return c.run == nil && c.err == nil }

// take fills in the configurations that the store's suggestions name. One whose
// values cannot be trained together keeps the reason for its trials.
func (s *Study) take(suggestions []store.Suggestion) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range suggestions {
		c := &s.Plan.Configurations[g.Configuration]
		if !c.unknown() {
			continue
		}
		var chosen spec.Params
		if err := json.Unmarshal(g.Params, &chosen); err != nil {
			return fmt.Errorf("study: the suggestion for configuration %d in the store: %w", g.Configuration, err)
		}
		i := g.Configuration - s.Plan.baselines()
		found, err := s.Plan.resolve(i, chosen)
		if err != nil {
			found.Name, found.err = fmt.Sprintf("suggested-%d", i), err
		}
		found.Suggested = true
		*c = found
	}
	return nil
}

// Refresh reads the suggestions that have been made since the study was opened.
func (s *Study) Refresh(ctx context.Context) error {
	if !s.Plan.suggests() {
		return nil
	}
	suggestions, err := s.Store.Suggestions(ctx)
	if err != nil {
		return err
	}
	return s.take(suggestions)
}

// rungs lists the epochs at which a configuration is judged; none for a baseline
// or a detector, and where it is not known yet.
func (s *Study) rungs(configuration int) []int {
	c := s.configuration(configuration)
	if s.Plan.pruner == nil || c.run == nil || c.Baseline || train.IsDetector(c.run.Model.Kind) {
		return nil
	}
	return s.Plan.pruner.Rungs(configuration-s.Plan.baselines(), c.run.Train.Epochs)
}

// until is the epoch at which a claim's training pauses; 0: at its end.
func (s *Study) until(claim *store.Claim) int {
	rungs := s.rungs(s.Plan.Trials[claim.Trial].Configuration)
	if claim.Rung >= len(rungs) {
		return 0
	}
	return rungs[claim.Rung]
}

// singleRetries is what sweep.retries is where a spec does not say.
const singleRetries = 2

// retries is how many attempts may follow a failed one.
func (s *Study) retries() int {
	if s.Spec.Sweep == nil {
		return singleRetries
	}
	return s.Spec.Sweep.Retries
}

// reportRung tells the store what a trial that paused has reached: the best value
// so far, which is that of the weights it would keep, or, for a rule that takes
// means over epochs, the value of the epoch.
func (w *Worker) reportRung(ctx context.Context, claim *store.Claim, result *train.Result) error {
	lines, err := train.ReadMetrics(filepath.Join(w.Study.trialDir(claim.Trial), "metrics.jsonl"))
	if err != nil {
		return err
	}
	epoch := w.Study.until(claim)
	var values []float64
	for _, l := range lines {
		if v, ok := l.Values[w.Study.Plan.Metric.Name]; ok && l.Member == 0 && l.Epoch <= epoch {
			values = append(values, v)
		}
	}
	return w.Study.Store.Report(ctx, claim, store.Report{
		Trial: claim.Trial, Rung: claim.Rung, Epoch: epoch, Value: w.Study.standingValue(values), Worker: w.Name, At: w.now(),
	})
}

// standingValue is what a trial with these values, one an epoch, is judged by.
func (s *Study) standingValue(values []float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	v := values[len(values)-1]
	switch {
	case s.Plan.versions[0].Sweep.EarlyTerminate.Type == "median":
	case s.Plan.Metric.Goal == "minimize":
		v = slices.Min(values)
	default:
		v = slices.Max(values)
	}
	return &v
}
