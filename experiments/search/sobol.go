package search

import (
	"fmt"

	"flowbench/experiments/spec"
)

// sobol takes the points of a scrambled Sobol sequence of each variant, variants
// in turn. A point that falls on a configuration that is there already, as those
// of short lists do, is passed over.
func (b *builder) sobol(s *spec.Sweep) error {
	for _, one := range s.Spaces() {
		if err := checkDimensions(one); err != nil {
			return err
		}
	}
	return b.inTurn(s, func(one space, i int) spec.Params {
		for range maxAttempts {
			params := sobolParams(one.Space, s.Seed, b.next[one.Variant])
			b.next[one.Variant]++
			if !b.seen[keyOf(params)] {
				return nonNil(params)
			}
		}
		return drawRemaining(one, s.Seed, i, b.seen)
	})
}

func checkDimensions(s spec.Space) error {
	if n := len(s.Parameters); n > sobolDimensions {
		return fmt.Errorf("sweep: %d parameters are more than the %d dimensions of the Sobol sequence: vary fewer, or write method: random", n, sobolDimensions)
	}
	return nil
}

// sobolParams is the configuration of one point of a space's sequence, which is
// scrambled by the study's seed. Parameter d takes dimension d; one that is not
// there at this point leaves its coordinate unused.
func sobolParams(s spec.Space, seed uint64, point uint32) spec.Params {
	dimension := make(map[string]int, len(s.Parameters))
	for d, p := range s.Parameters {
		dimension[p.Path] = d
	}
	return s.Choose(func(p spec.Parameter) any {
		key := uint32(draw(seed, 0, 0, "sobol/"+s.Variant+"/"+p.Path) >> 32)
		x := scramble(sobolPoint(point, dimension[p.Path]), key)
		const half = 1 << 31 // the middle of what 32 bits leave open
		return pick(p, uint64(x)<<32|half)
	})
}
