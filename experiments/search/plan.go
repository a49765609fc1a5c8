// Package search turns a spec's sweep into a plan: how many configurations there
// are, which they are, and the seed of every replicate.
//
// The configurations of grid, random and sobol are known before the first trial
// starts. Those of tpe are suggested one by one, from what configurations before
// them found (Suggest). Either way there is no sampler whose state a crash could
// lose: every draw is a function of the study's seed, the number of the
// configuration and the path of the parameter, so plans and suggestions are the
// same on every machine, for any number of workers, in any order of trials.
package search

import (
	"fmt"
	"math"
	"strconv"

	"flowbench/data/parallel"
	"flowbench/experiments/spec"
)

// Plan is what a sweep chose: each configuration is to be trained once with each seed.
type Plan struct {
	Study  string // the spec's name
	Metric spec.Metric
	// Adaptive says that Suggest gives the configurations, each once it is due.
	Adaptive bool
	// Count is how many configurations there are, those of an adaptive plan too.
	Count int
	// From is the first configuration of each version of the spec: 0, then what
	// each extension added.
	From []int
	// Configurations are all different, and Runs what spec.With makes of each by its
	// version of the spec; both are nil where the plan is Adaptive.
	Configurations []spec.Params
	Runs           []*spec.Run
	// Seeds are the replicates' own, all different. All configurations share
	// them, so that they are compared on equal terms.
	Seeds []uint64
	Notes []string // say in words where the plan is not what was asked for
}

// maxTrials bounds a plan. A tenth of it at a minute each is a week.
const maxTrials = 100_000

// New plans the sweep of s. An error, a configuration that cannot be trained
// among them, names the place in the spec and comes before any work. Of an
// adaptive plan, whose configurations are not known yet, as many as a random
// search would draw are tried.
func New(s *spec.Spec) (*Plan, error) { return Versions([]*spec.Spec{s}) }

// Version is which version of the spec configuration i belongs to: the one to
// make its run, and whose sweep it is drawn or suggested from.
func (p *Plan) Version(i int) int {
	v := len(p.From) - 1
	for v > 0 && p.From[v] > i {
		v--
	}
	return v
}

// builder gathers the configurations of a plan.
type builder struct {
	all   []spec.Params
	runs  []*spec.Run // of all
	seen  keys
	next  map[string]uint32 // of each variant, the next point of its Sobol sequence
	notes []string
}

func newBuilder() *builder { return &builder{seen: keys{}, next: map[string]uint32{}} }

// add plans what s adds to earlier versions and resolves it.
func (b *builder) add(s *spec.Spec) error {
	from := len(b.all)
	methods := map[string]func(*spec.Sweep) error{"grid": b.grid, "random": b.random, "sobol": b.sobol}
	method, ok := methods[s.Sweep.Method]
	if !ok {
		panic("search: unknown method " + s.Sweep.Method)
	}
	if err := method(s.Sweep); err != nil {
		return fmt.Errorf("spec %s: %w", s.Document().Path, err)
	}
	runs, err := resolve(s, b.all[from:])
	b.runs = append(b.runs, runs...)
	return err
}

// resolve makes the runs of configurations; its error is that of the first without one.
func resolve(s *spec.Spec, configurations []spec.Params) ([]*spec.Run, error) {
	runs, errs := make([]*spec.Run, len(configurations)), make([]error, len(configurations))
	parallel.Each(len(configurations), func(i int) { runs[i], errs[i] = s.With(configurations[i]) })
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// suggested is how many configurations an adaptive sweep has, from of which are
// those of earlier versions. Which of these lie in the space of s is not known
// in advance, so as many as could are taken to.
func suggested(s *spec.Spec, from int) (count int, note string, err error) {
	if err := tooManyTrials(s.Sweep); err != nil {
		return 0, "", fmt.Errorf("spec %s: %w", s.Document().Path, err)
	}
	total := 0.0
	for _, one := range spaces(s.Sweep) {
		if err := checkDimensions(one.Space); err != nil {
			return 0, "", fmt.Errorf("spec %s: %w", s.Document().Path, err)
		}
		total += one.size
	}
	asked := s.Sweep.Trials - from
	count = int(min(float64(asked), math.Max(total-float64(from), 0)))
	if count < asked {
		note = exhausted("", asked-count)
	}
	sample := newBuilder()
	if err := sample.random(s.Sweep); err != nil {
		return 0, "", fmt.Errorf("spec %s: %w", s.Document().Path, err)
	}
	_, err = resolve(s, sample.all)
	return from + count, note, err
}

// exhausted says that a variant, or the whole space, could not give n configurations.
func exhausted(variant string, n int) string {
	where := "the search space"
	if variant != "" {
		where = "variant " + variant
	}
	return fmt.Sprintf("%s has no more different configurations: %d of those asked for would repeat one and are left out", where, n)
}

// tooManyTrials is an error where a sweep asks for more than a plan may hold.
func tooManyTrials(s *spec.Sweep) error {
	if float64(s.Trials)*float64(s.Replicates) > maxTrials {
		return tooMany(strconv.Itoa(s.Trials), s.Replicates)
	}
	return nil
}

// tooMany says that n configurations cannot be planned.
func tooMany(n string, replicates int) error {
	return fmt.Errorf("sweep: %s configurations × %d replicates are more than the %d trials that a plan may hold: list fewer values, or write method: random with trials",
		n, replicates, maxTrials)
}
