package cpu

import (
	"math"

	"flowbench/kernels"
)

// clip is kernels.ClipGradient, on one thread: a network's gradients are small
// beside the products that made them, and one order of summation serves all.
type clip struct {
	grads   [][]float32
	maxNorm float32
}

func (c *compiler) clip(in kernels.ClipGradient) *clip {
	return &clip{grads: c.vectors(in.Grads), maxNorm: in.MaxNorm}
}

func (c *clip) run(s *step) {
	sum := 0.0
	for _, g := range c.grads {
		var part [1]float64
		s.level.squareSums(part[:], g, len(g))
		sum += part[0]
	}
	norm := math.Sqrt(sum)
	if !(norm > float64(c.maxNorm)) {
		return
	}
	scale := float32(float64(c.maxNorm) / norm)
	for _, g := range c.grads {
		s.level.scale(g, scale)
	}
}

// scale is v·by.
func (l level) scale(v []float32, by float32) {
	switch l {
	case avx512:
		scaleAVX512(&v[0], by, len(v))
	case avx2:
		scaleAVX2(&v[0], by, len(v))
	default:
		plainScale(v, by)
	}
}

func plainScale(v []float32, by float32) {
	for i := range v {
		v[i] *= by
	}
}
