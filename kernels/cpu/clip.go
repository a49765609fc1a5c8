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

func (c *clip) run(*step) {
	sum := 0.0
	for _, g := range c.grads {
		for _, v := range g {
			sum += float64(float64(v) * float64(v))
		}
	}
	norm := math.Sqrt(sum)
	if !(norm > float64(c.maxNorm)) {
		return
	}
	scale := float32(float64(c.maxNorm) / norm)
	for _, g := range c.grads {
		for i := range g {
			g[i] *= scale
		}
	}
}
