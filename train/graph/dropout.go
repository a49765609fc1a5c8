package graph

import (
	"fmt"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
)

// Dropout zeroes each element of y with probability rate and divides the others
// by 1-rate (Srivastava et al. 2014, scaled while training). Element e of the
// row-major y survives where kernels.Keep(seed, step, stream, e, rate) says so,
// at the clock's seed and step; when scoring every element passes unchanged.
// Each site of a graph needs a stream of its own. A rate of 0 returns y itself.
func Dropout(y *gorgonia.Node, rate float32, stream uint32, clock *Clock) (*gorgonia.Node, error) {
	if !(rate >= 0 && rate < 1) {
		return nil, fmt.Errorf("graph: dropout rate %v: want 0 or more and less than 1", rate)
	}
	if clock == nil {
		panic("graph: Dropout without a Clock")
	}
	if rate == 0 {
		return y, nil
	}
	return apply(dropout{rate, stream, clock}, y)
}

type dropout struct {
	rate   float32
	stream uint32
	clock  *Clock
}

func (d dropout) label() string {
	return fmt.Sprintf("dropout (rate %v, stream %d)", d.rate, d.stream)
}
func (dropout) operands() []string                { return []string{"y"} }
func (dropout) infer(in []extent) (extent, error) { return in[0], nil }
func (d dropout) time() *Clock                    { return d.clock }
func (dropout) wrt() []bool                       { return []bool{true} }

func (d dropout) compute(in []matrix, out matrix) error {
	if d.clock.Scoring {
		copy(out.data, in[0].data)
		return nil
	}
	for e, v := range in[0].data {
		if kernels.Keep(d.clock.Seed, d.clock.Step, d.stream, uint64(e), d.rate) {
			out.data[e] = v / (1 - float64(d.rate))
		}
	}
	return nil
}

func (d dropout) derive(_ gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dy, err := apply(dropoutGrad{d}, grad)
	return gorgonia.Nodes{dy}, err
}

// dropoutGrad is dropout itself, with the same mask, on the gradient.
type dropoutGrad struct{ dropout dropout }

func (g dropoutGrad) label() string                         { return "gradient of " + g.dropout.label() }
func (dropoutGrad) operands() []string                      { return []string{"dy"} }
func (dropoutGrad) infer(in []extent) (extent, error)       { return in[0], nil }
func (g dropoutGrad) time() *Clock                          { return g.dropout.clock }
func (g dropoutGrad) compute(in []matrix, out matrix) error { return g.dropout.compute(in, out) }
