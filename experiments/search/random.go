package search

import (
	"math"

	"flowbench/experiments/spec"
)

// maxAttempts is how often a configuration that is there already is drawn anew
// before those that are left are listed.
const maxAttempts = 20_000

// random draws configurations up to s.Trials, all different. Configuration i
// belongs to variant i modulo their number; its values come from draw(s.Seed, i,
// attempt, path), attempt counting up from 0 while the configuration is there
// already. A variant that has no more makes the plan shorter, with a note.
func (b *builder) random(s *spec.Sweep) error {
	return b.inTurn(s, func(one space, i int) spec.Params {
		return drawNew(one, s.Seed, i, b.seen)
	})
}

// inTurn fills the plan up to s.Trials with what next gives for the variants in
// turn; nil says that a variant has no more. Configuration i is i-th of those
// asked for, with those that a variant could not give.
func (b *builder) inTurn(s *spec.Sweep, next func(one space, i int) spec.Params) error {
	if err := tooManyTrials(s); err != nil {
		return err
	}
	all := spaces(s)
	left := make([]int, len(all))      // what an exhausted variant could not give
	taken := make([]float64, len(all)) // configurations of a variant that are there
	for v, one := range all {
		taken[v] = countIn(one.Space, b.all)
	}
	for i := len(b.all); i < s.Trials; i++ {
		v := i % len(all)
		var params spec.Params
		if taken[v] < all[v].size {
			params = next(all[v], i)
		}
		if params == nil {
			left[v]++
			taken[v] = math.Inf(1)
			continue
		}
		taken[v]++
		b.seen.add(params)
		b.all = append(b.all, params)
	}
	for v, n := range left {
		if n > 0 {
			b.notes = append(b.notes, exhausted(all[v].Variant, n))
		}
	}
	return nil
}

// drawNew draws configuration i of a space, anew while it is in seen; nil where
// the space has no other.
func drawNew(s space, seed uint64, i int, seen keys) spec.Params {
	for attempt := range maxAttempts {
		params := s.Choose(func(p spec.Parameter) any { return pick(p, draw(seed, i, attempt, p.Path)) })
		if !seen[keyOf(params)] {
			return nonNil(params)
		}
	}
	return drawRemaining(s, seed, i, seen)
}

// drawRemaining draws one of the configurations that are not in seen, each as
// likely as any other; nil where there is none.
func drawRemaining(s space, seed uint64, i int, seen keys) spec.Params {
	left := remaining(s, seen)
	if len(left) == 0 {
		return nil
	}
	return nonNil(left[below(draw(seed, i, 0, "remaining"), len(left))])
}

// nonNil tells a configuration without parameters from none.
func nonNil(p spec.Params) spec.Params {
	if p == nil {
		return spec.Params{}
	}
	return p
}
