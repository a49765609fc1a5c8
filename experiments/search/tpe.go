package search

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"flowbench/experiments/spec"
)

// Observation is a configuration that has ended, and what it reached.
type Observation struct {
	Configuration int
	Params        spec.Params
	// Value is the study's metric, the mean over the replicates that have it. Nil
	// or NaN, where none has, is worse than any number.
	Value *float64
	// Epochs is after how many a configuration was ended early, 0 where it was
	// not. One that was ended early is worse than all that were not, and of two the
	// one that came further is the better.
	Epochs int
}

// ErrExhausted says that a space has no configuration that is not there already.
var ErrExhausted = errors.New("search: the space has no more different configurations")

// Suggest gives a configuration of a tpe sweep its values, from the
// configurations that have ended and those that have begun but not ended. It is
// a function of its arguments and the sweep's seed alone: their order, and
// whether they went through JSON, makes no difference. What it returns is none
// of earlier and pending; where the space has no other, the error is ErrExhausted.
//
// The method is the tree-structured Parzen estimator of Bergstra et al.,
// Algorithms for Hyper-Parameter Optimization, NeurIPS 2011. The best Gamma of
// the configurations seen are good, the rest bad, and so are, whatever they will
// reach, those that are pending (a constant liar that tells the worst, as in
// Ginsbourger et al. 2010): what is being tried need not be tried again. Going
// down the tree of variants and conditions, each parameter takes, of Candidates
// values drawn from the density of the good, the one at which its ratio to the
// density of the bad is largest, which is where the expected improvement is. The
// first Startup configurations are points of a scrambled Sobol sequence.
func Suggest(sweep *spec.Sweep, configuration int, earlier []Observation, pending []spec.Params) (spec.Params, error) {
	o := sweep.TPE
	if o == nil || o.Startup < 0 || o.Candidates < 1 || !(o.Gamma > 0 && o.Gamma < 1) {
		return nil, fmt.Errorf("search: no options of tpe, or impossible ones: %+v", o)
	}
	seen := keys{}
	for _, e := range earlier {
		seen.add(e.Params)
	}
	for _, p := range pending {
		seen.add(p)
	}
	t := &tpe{sweep: sweep, spaces: spaces(sweep), configuration: configuration}
	t.good, t.bad = split(earlier, pending, o.Gamma, sweep.Metric.Goal == "maximize")
	draws := maxRedraws
	if t.size() > maxListed {
		draws = maxAttempts
	}
	for _, way := range []struct {
		next     func(attempt int) spec.Params
		attempts int
	}{{t.startup, maxRedraws}, {t.suggest, maxRedraws}, {t.random, draws}} {
		for attempt := range way.attempts {
			p := way.next(attempt)
			if p == nil {
				break
			}
			if !seen[keyOf(p)] {
				return nonNil(p), nil
			}
		}
	}
	return t.remaining(seen)
}

// maxRedraws is how often a configuration that is there already is drawn anew
// from a model: enough that only a nearly exhausted space needs random draws.
const maxRedraws = 50

// maxGood bounds the good configurations: more would blur where they lie. 25 is
// what hyperopt and Optuna take.
const maxGood = 25

// split parts what was seen into the good and the bad, the best first.
func split(earlier []Observation, pending []spec.Params, gamma float64, maximize bool) (good, bad []spec.Params) {
	ranked := slices.Clone(earlier)
	slices.SortFunc(ranked, func(a, b Observation) int { return compare(a, b, maximize) })
	n := min(int(math.Ceil(gamma*float64(len(ranked)))), maxGood)
	for i, o := range ranked {
		if i < n && o.has() {
			good = append(good, o.Params)
		} else {
			bad = append(bad, o.Params)
		}
	}
	lies := slices.Clone(pending)
	slices.SortFunc(lies, func(a, b spec.Params) int { return cmp.Compare(keyOf(a), keyOf(b)) })
	return good, append(bad, lies...)
}

func (o Observation) has() bool { return o.Value != nil && !math.IsNaN(*o.Value) }

// compare is negative where a is better than b, and never 0 for two configurations.
func compare(a, b Observation, maximize bool) int {
	if c := cmp.Compare(a.class(), b.class()); c != 0 {
		return c
	}
	c := cmp.Compare(b.Epochs, a.Epochs)
	if c == 0 && a.has() {
		c = cmp.Compare(*a.Value, *b.Value)
		if maximize {
			c = -c
		}
	}
	if c == 0 {
		c = cmp.Compare(a.Configuration, b.Configuration)
	}
	return c
}

// class is 0 for what trained to its end, 1 for what was ended early, 2 for what
// has no value.
func (o Observation) class() int {
	switch {
	case !o.has():
		return 2
	case o.Epochs > 0:
		return 1
	}
	return 0
}

// tpe is one suggestion in the making.
type tpe struct {
	sweep         *spec.Sweep
	spaces        []space
	configuration int
	good, bad     []spec.Params
}

// startup is a point of the Sobol sequence of one of the variants, in turn, for
// the first configurations, and nil after them.
func (t *tpe) startup(attempt int) spec.Params {
	if t.configuration >= t.sweep.TPE.Startup || checkDimensions(t.spaces[0].Space) != nil {
		return nil
	}
	one := t.spaces[t.configuration%len(t.spaces)]
	point := t.configuration/len(t.spaces) + attempt*t.sweep.TPE.Startup
	return sobolParams(one.Space, t.sweep.Seed, uint32(point))
}

// suggest chooses the variant and then each parameter that is there. Later
// attempts choose among fewer candidates, down to one, which is a draw from the
// density of the good.
func (t *tpe) suggest(attempt int) spec.Params {
	one := t.spaces[0]
	if len(t.spaces) > 1 {
		names := make([]any, len(t.spaces))
		for i, s := range t.spaces {
			names[i] = s.Variant
		}
		name := t.best(spec.Parameter{Path: spec.VariantKey, Values: names}, attempt)
		one = t.spaces[slices.Index(names, name)]
	}
	return one.Choose(func(p spec.Parameter) any { return t.best(p, attempt) })
}

// best is the value of p with the largest expected improvement among candidates.
// Where others depend on p, it is one draw from the density of the good: the
// best of many would leave a branch for good that did badly on its first few
// configurations, whose own parameters had not been searched yet. On the mixed
// function of the tests that ends at 0.30 (median of 30 seeds, 100
// configurations), the single draw at 0.07, random search at 0.43.
func (t *tpe) best(p spec.Parameter, attempt int) any {
	good, bad := newParzen(p, valuesOf(t.good, p.Path)), newParzen(p, valuesOf(t.bad, p.Path))
	var chosen any
	largest := math.Inf(-1)
	candidates := max(1, t.sweep.TPE.Candidates>>attempt)
	if t.branches(p.Path) {
		candidates = 1
	}
	for k := range candidates {
		what := fmt.Sprintf("tpe/%s/%d", p.Path, k)
		v := good.draw(t.word(attempt, what+"/component"), t.word(attempt, what))
		if improvement := good.logDensity(v) - bad.logDensity(v); improvement > largest {
			chosen, largest = v, improvement
		}
	}
	return chosen
}

// branches reports whether a path is the variant or named by a condition.
func (t *tpe) branches(path string) bool {
	for _, one := range t.spaces {
		for _, p := range one.Parameters {
			if slices.ContainsFunc(p.When, func(c spec.Condition) bool { return c.Path == path }) {
				return true
			}
		}
	}
	return path == spec.VariantKey
}

func (t *tpe) word(attempt int, what string) uint64 {
	return draw(t.sweep.Seed, t.configuration, attempt, what)
}

// random is a draw from the whole space, each variant as likely as any other.
func (t *tpe) random(attempt int) spec.Params {
	one := t.spaces[below(t.word(attempt, "tpe/variant"), len(t.spaces))]
	return one.Choose(func(p spec.Parameter) any { return pick(p, t.word(attempt, p.Path)) })
}

// size is how many configurations there are.
func (t *tpe) size() float64 {
	n := 0.0
	for _, one := range t.spaces {
		n += one.size
	}
	return n
}

// remaining draws one of all configurations that are not in seen.
func (t *tpe) remaining(seen keys) (spec.Params, error) {
	var all []spec.Params
	for _, one := range t.spaces {
		all = append(all, remaining(one, seen)...)
	}
	if len(all) == 0 {
		return nil, ErrExhausted
	}
	return nonNil(all[below(t.word(0, "remaining"), len(all))]), nil
}

// valuesOf lists the values that configurations which have a parameter gave it.
func valuesOf(configurations []spec.Params, path string) []any {
	var values []any
	for _, c := range configurations {
		if v, ok := c.Get(path); ok {
			values = append(values, v)
		}
	}
	return values
}
