// Package search turns a spec's sweep into a plan: every configuration and the
// seed of every replicate, before the first trial starts.
//
// Nothing is drawn later, so there is no sampler whose state a crash could lose,
// and the plan is a function of the spec alone: the same on every machine, for
// any number of workers, in any order of trials.
package search

import (
	"fmt"

	"flowbench/experiments/spec"
)

// Plan is what a sweep chose: each configuration is to be trained once with each seed.
type Plan struct {
	Study  string // the spec's name
	Metric spec.Metric
	// Configurations are all different. Each one has been resolved against the
	// spec once, so that spec.With makes a run of it.
	Configurations []spec.Params
	// Seeds are the replicates' own, all different. All configurations share
	// them, so that they are compared on equal terms.
	Seeds []uint64
	Notes []string // say in words where the plan is not what was asked for
}

// maxTrials bounds a plan. A tenth of it at a minute each is a week.
const maxTrials = 100_000

// New plans the sweep of s. An error, a configuration that cannot be trained
// among them, names the place in the spec and comes before any work.
func New(s *spec.Spec) (*Plan, error) {
	if s.Sweep == nil {
		return nil, fmt.Errorf("spec %s has no section sweep: add one, or train it as a single run", s.Document().Path)
	}
	p := &Plan{Study: s.Name, Metric: s.Sweep.Metric}
	var err error
	switch s.Sweep.Method {
	case "grid":
		p.Configurations, err = grid(s.Sweep)
	case "random":
		p.Configurations, p.Notes, err = random(s.Sweep)
	default:
		panic("search: unknown method " + s.Sweep.Method)
	}
	if err != nil {
		return nil, fmt.Errorf("spec %s: %w", s.Document().Path, err)
	}
	for _, params := range p.Configurations {
		if _, err := s.With(params); err != nil {
			return nil, err
		}
	}
	p.Seeds = seeds(s.Sweep.Seed, s.Sweep.Replicates)
	return p, nil
}

// tooMany says that n configurations cannot be planned.
func tooMany(n string, replicates int) error {
	return fmt.Errorf("sweep: %s configurations × %d replicates are more than the %d trials that a plan may hold: list fewer values, or write method: random with trials",
		n, replicates, maxTrials)
}
