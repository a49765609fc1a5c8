package search

import (
	"strconv"

	"flowbench/experiments/spec"
)

// grid lists every combination: variants in the order of the spec, and in each
// the common parameters, then its own, the last one changing fastest. Those of
// an earlier version of the plan are not repeated.
func (b *builder) grid(s *spec.Sweep) error {
	total := float64(len(b.all))
	for _, one := range spaces(s) {
		total += one.size
	}
	if total*float64(s.Replicates) > maxTrials {
		return tooMany(strconv.FormatFloat(total, 'g', 6, 64), s.Replicates)
	}
	for _, one := range spaces(s) {
		each(one.Space, func(p spec.Params) bool {
			if b.seen.add(p) {
				b.all = append(b.all, p)
			}
			return true
		})
	}
	return nil
}
