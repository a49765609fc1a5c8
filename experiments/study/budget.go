package study

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"flowbench/experiments/spec"
	"flowbench/experiments/store"
)

// Kinds of store.Control.
const (
	StopCancelled = "cancelled" // a person asked for it
	StopBudget    = "budget"    // sweep.budget is spent
	StopFailures  = "failures"  // sweep.max_failed trials failed
)

// Spent is what a study has used so far.
type Spent struct {
	Trials   int           // that have ended
	Wall     time.Duration // in which at least one worker was at work
	GPUHours float64
}

// Spent reads what the study has used by now.
func (s *Study) Spent(ctx context.Context) (*Spent, error) {
	trials, err := s.Store.States(ctx)
	if err != nil {
		return nil, err
	}
	workers, err := s.Store.Workers(ctx)
	if err != nil {
		return nil, err
	}
	spent := &Spent{Wall: covered(workers)}
	for _, t := range trials {
		if t.State.Ended() {
			spent.Trials++
		}
	}
	for _, w := range workers {
		spent.GPUHours += float64(w.GPUs) * w.Heard.Sub(w.Started).Hours()
	}
	return spent, nil
}

// covered is the length of the union of the times that workers were at work.
func covered(workers []store.Worker) time.Duration {
	workers = slices.Clone(workers)
	slices.SortFunc(workers, func(a, b store.Worker) int { return a.Started.Compare(b.Started) })
	var sum time.Duration
	var until time.Time
	for _, w := range workers {
		from := w.Started
		if from.Before(until) {
			from = until
		}
		if w.Heard.After(from) {
			sum, until = sum+w.Heard.Sub(from), w.Heard
		}
	}
	return sum
}

// beyond says in words what of b is spent, or nothing.
func (s *Spent) beyond(b spec.Budget) string {
	switch {
	case b.Trials > 0 && s.Trials >= b.Trials:
		return fmt.Sprintf("%d of the %d trials of sweep.budget.trials have ended", s.Trials, b.Trials)
	case b.Wall > 0 && s.Wall >= time.Duration(b.Wall):
		return fmt.Sprintf("workers were at work for %s, sweep.budget.wall is %s", s.Wall.Round(time.Second), time.Duration(b.Wall))
	case b.GPUHours > 0 && s.GPUHours >= b.GPUHours:
		return fmt.Sprintf("%.3g GPU hours are used, sweep.budget.gpu_hours is %g", s.GPUHours, b.GPUHours)
	}
	return ""
}

// enforce stops the study where its budget is spent.
func (s *Study) enforce(ctx context.Context, now time.Time) error {
	if s.Spec.Sweep == nil || s.Spec.Sweep.Budget == (spec.Budget{}) {
		return nil
	}
	spent, err := s.Spent(ctx)
	if err != nil {
		return err
	}
	if reason := spent.beyond(s.Spec.Sweep.Budget); reason != "" {
		return s.stop(ctx, StopBudget, reason+": raise it and run the same command again to go on", now)
	}
	return nil
}

// stop stops the study, unless it is stopped already.
func (s *Study) stop(ctx context.Context, kind, reason string, now time.Time) error {
	held, err := s.Store.Control(ctx)
	if err != nil || held.Stopped {
		return err
	}
	return s.Store.SetControl(ctx, store.Control{Stopped: true, Kind: kind, Reason: reason, At: now})
}

// enforceFailures stops the study where as many trials have failed as may.
func (s *Study) enforceFailures(ctx context.Context, now time.Time) error {
	if s.Spec.Sweep == nil || s.Spec.Sweep.MaxFailed == 0 {
		return nil
	}
	trials, err := s.Store.States(ctx)
	if err != nil {
		return err
	}
	var reasons []string
	for _, t := range trials {
		if t.State == store.Failed {
			reasons = append(reasons, t.Reason)
		}
	}
	if len(reasons) < s.Spec.Sweep.MaxFailed {
		return nil
	}
	cause, n := commonCause(reasons)
	return s.stop(ctx, StopFailures, fmt.Sprintf(
		"%d trials failed, sweep.max_failed is %d; %d of them for this reason: %s: put it right, then run the same command with --retry-failed",
		len(reasons), s.Spec.Sweep.MaxFailed, n, cause), now)
}

// digits are what tells apart reasons of one cause: numbers, and folders of trials.
var digits = regexp.MustCompile(`[0-9]+`)

// commonCause is the reason that most of reasons share but for their numbers, in
// its first wording, and how many do.
func commonCause(reasons []string) (string, int) {
	counts, first := map[string]int{}, map[string]string{}
	var order []string
	for _, r := range reasons {
		key := digits.ReplaceAllString(strings.TrimSpace(r), "#")
		if counts[key]++; counts[key] == 1 {
			first[key], order = r, append(order, key)
		}
	}
	best := ""
	for _, key := range order {
		if counts[key] > counts[best] {
			best = key
		}
	}
	return first[best], counts[best]
}
