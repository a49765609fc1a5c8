package cuda

import (
	"cmp"
	"math"
	"slices"
)

// bias is what Adam's corrections take from the betas and the number t of a step
// alone: 1 - β₁ᵗ and 1/√(1 - β₂ᵗ).
type bias struct {
	first  float64
	second float32
}

func newBias(beta1, beta2 float32, step uint64) bias {
	t := float64(step)
	return bias{1 - math.Pow(float64(beta1), t), float32(1 / math.Sqrt(1-math.Pow(float64(beta2), t)))}
}

// corrections are Adam's, as kernels.Update says.
func (b bias) corrections(rate float32) (corrected, correction float32) {
	return float32(float64(rate) / b.first), b.second
}

// biases are those of trials with the same betas whose steps overlap, each computed
// once.
type biases struct {
	beta1, beta2 float32
	from, to     uint64 // the lowest and the highest number of a step
	steps        uint64 // of all the trials
	known        []bias // of the steps from from on; none where they lie far apart
}

// at is the bias of a step.
func (s *biases) at(step uint64) bias {
	if i := step - s.from; i < uint64(len(s.known)) {
		return s.known[i]
	}
	return newBias(s.beta1, s.beta2, step)
}

// compute fills known, unless that takes more than each step by itself.
func (s *biases) compute() {
	if s.to-s.from >= s.steps {
		return
	}
	s.known = make([]bias, s.to-s.from+1)
	const each = 256
	inParallel(blocks(len(s.known), each), func(k int) {
		for i := k * each; i < min((k+1)*each, len(s.known)); i++ {
			s.known[i] = newBias(s.beta1, s.beta2, s.from+uint64(i))
		}
	})
}

// shareBiases gives each of the loads the biases of those that have its betas and
// steps in common with it.
func shareBiases(loads []fleetLoad) {
	sorted := make([]*fleetLoad, len(loads))
	for i := range loads {
		sorted[i] = &loads[i]
	}
	slices.SortStableFunc(sorted, func(a, b *fleetLoad) int {
		u, v := &a.machine.optimizer, &b.machine.optimizer
		return cmp.Or(cmp.Compare(u.Beta1, v.Beta1), cmp.Compare(u.Beta2, v.Beta2), cmp.Compare(a.from, b.from))
	})
	var all []*biases
	s := &biases{}
	for _, l := range sorted {
		u := &l.machine.optimizer
		if s.steps == 0 || s.beta1 != u.Beta1 || s.beta2 != u.Beta2 || l.from > s.to {
			s = &biases{beta1: u.Beta1, beta2: u.Beta2, from: l.from}
			all = append(all, s)
		}
		s.to, s.steps = max(s.to, l.to), s.steps+uint64(len(l.batches))
		l.biases = s
	}
	for _, s := range all {
		s.compute()
	}
}
