package graph

import (
	"fmt"
	"math"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
)

// Corrupt makes the noisy input of a denoising autoencoder (Vincent et al.
// 2008): keep·(x + sigma·ε), ε standard normal and keep 0 with probability
// mask; nothing is rescaled. ε of element e of the row-major x is
// kernels.Normal and keep is kernels.Keep, both of (seed, step, stream, e) at
// the clock. When scoring x passes unchanged. Sigma and mask both 0 return x itself.
func Corrupt(x *gorgonia.Node, sigma, mask float32, stream uint32, clock *Clock) (*gorgonia.Node, error) {
	if !(sigma >= 0) || math.IsInf(float64(sigma), 1) {
		return nil, fmt.Errorf("graph: noise %v: want a finite number, 0 or more", sigma)
	}
	if !(mask >= 0 && mask < 1) {
		return nil, fmt.Errorf("graph: mask %v: want 0 or more and less than 1", mask)
	}
	if clock == nil {
		panic("graph: Corrupt without a Clock")
	}
	if sigma == 0 && mask == 0 {
		return x, nil
	}
	return apply(corrupt{sigma, mask, stream, clock}, x)
}

type corrupt struct {
	sigma, mask float32
	stream      uint32
	clock       *Clock
}

func (c corrupt) label() string {
	return fmt.Sprintf("corrupt (noise %v, mask %v, stream %d)", c.sigma, c.mask, c.stream)
}
func (corrupt) operands() []string                { return []string{"x"} }
func (corrupt) infer(in []extent) (extent, error) { return in[0], nil }
func (c corrupt) time() *Clock                    { return c.clock }
func (corrupt) wrt() []bool                       { return []bool{true} }

// keep is the mask's bit of element e.
func (c corrupt) keep(e int) bool {
	return c.clock.Scoring || kernels.Keep(c.clock.Seed, c.clock.Step, c.stream, uint64(e), c.mask)
}

func (c corrupt) compute(in []matrix, out matrix) error {
	for e, v := range in[0].data {
		if !c.keep(e) {
			continue
		}
		if !c.clock.Scoring {
			v += float64(c.sigma) * float64(kernels.Normal(c.clock.Seed, c.clock.Step, c.stream, uint64(e)))
		}
		out.data[e] = v
	}
	return nil
}

func (c corrupt) derive(_ gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := apply(corruptGrad{c}, grad)
	return gorgonia.Nodes{dx}, err
}

// corruptGrad passes the gradient where the mask passed the input.
type corruptGrad struct{ corrupt corrupt }

func (g corruptGrad) label() string                   { return "gradient of " + g.corrupt.label() }
func (corruptGrad) operands() []string                { return []string{"dy"} }
func (corruptGrad) infer(in []extent) (extent, error) { return in[0], nil }
func (g corruptGrad) time() *Clock                    { return g.corrupt.clock }

func (g corruptGrad) compute(in []matrix, out matrix) error {
	for e, d := range in[0].data {
		if g.corrupt.keep(e) {
			out.data[e] = d
		}
	}
	return nil
}
