package graph

import (
	"fmt"

	"gorgonia.org/gorgonia"
)

// BatchNorm is gain·x̂ + bias with x̂ = (x-mean)/√(variance+epsilon), mean and
// biased variance of each column of the batch (Ioffe, Szegedy 2015); when
// scoring, of the running statistics instead. gain, bias, runMean and
// runVariance are 1×cols.
//
// An op has no side effects, so the moved statistics are nodes of their own,
// beside y: (1-momentum)·running + momentum·batch, the variance being the
// unbiased one there. Model.Advance binds them to runMean and runVariance.
func BatchNorm(x, gain, bias, runMean, runVariance *gorgonia.Node, epsilon, momentum float32, clock *Clock) (y, nextMean, nextVariance *gorgonia.Node, err error) {
	if err := checkEpsilon(epsilon); err != nil {
		return nil, nil, nil, err
	}
	if !(momentum > 0 && momentum <= 1) {
		return nil, nil, nil, fmt.Errorf("graph: batch norm momentum %v: want more than 0 and at most 1", momentum)
	}
	if clock == nil {
		panic("graph: BatchNorm without a Clock")
	}
	if y, err = apply(batchNorm{epsilon, clock}, x, gain, bias, runMean, runVariance); err != nil {
		return nil, nil, nil, err
	}
	if nextMean, err = apply(movingMean{moving{momentum, clock}}, runMean, x); err != nil {
		return nil, nil, nil, err
	}
	if nextVariance, err = apply(movingVariance{moving{momentum, clock}}, runVariance, x); err != nil {
		return nil, nil, nil, err
	}
	return y, nextMean, nextVariance, nil
}

type batchNorm struct {
	epsilon float32
	clock   *Clock
}

func (n batchNorm) label() string { return fmt.Sprintf("batch norm (epsilon %v)", n.epsilon) }
func (batchNorm) operands() []string {
	return []string{"x", "gain", "bias", "running mean", "running variance"}
}
func (n batchNorm) time() *Clock { return n.clock }

// wrt: the running statistics are state, not something to descend on.
func (batchNorm) wrt() []bool { return []bool{true, true, true, false, false} }

func (n batchNorm) infer(in []extent) (extent, error) {
	return in[0], sameRow(in[0], n.operands()[1:], in[1:])
}

// standard is that of column j, from the column or from the running statistics.
func (n batchNorm) standard(column []float64, runMean, runVariance float64) standard {
	if n.clock.Scoring {
		return standardOf(runMean, runVariance, n.epsilon)
	}
	mean, variance := moments(column)
	return standardOf(mean, variance, n.epsilon)
}

func (n batchNorm) compute(in []matrix, out matrix) error {
	x, gain, bias, mean, variance := in[0], in[1].data, in[2].data, in[3].data, in[4].data
	for j := range x.cols {
		s := n.standard(x.column(j), mean[j], variance[j])
		for i := range x.rows {
			out.set(i, j, gain[j]*s.hat(x.at(i, j))+bias[j])
		}
	}
	return nil
}

func (n batchNorm) derive(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	x, gain, mean, variance := in[0], in[1], in[3], in[4]
	dx, err := apply(batchNormGradX{n}, x, gain, mean, variance, grad)
	if err != nil {
		return nil, err
	}
	dGain, err := apply(batchNormGradGain{n}, x, mean, variance, grad)
	if err != nil {
		return nil, err
	}
	dBias, err := apply(columnSums{}, grad)
	return gorgonia.Nodes{dx, dGain, dBias, nil, nil}, err
}

type batchNormGradX struct{ norm batchNorm }

func (g batchNormGradX) label() string { return "gradient in x of " + g.norm.label() }
func (batchNormGradX) operands() []string {
	return []string{"x", "gain", "running mean", "running variance", "dy"}
}
func (g batchNormGradX) time() *Clock { return g.norm.clock }

func (g batchNormGradX) infer(in []extent) (extent, error) {
	if in[4] != in[0] {
		return extent{}, fmt.Errorf("x is %v and dy is %v: want one shape", in[0], in[4])
	}
	return in[0], sameRow(in[0], g.operands()[1:4], in[1:4])
}

func (g batchNormGradX) compute(in []matrix, out matrix) error {
	x, gain, mean, variance, dy := in[0], in[1].data, in[2].data, in[3].data, in[4]
	for j := range x.cols {
		column, d := x.column(j), dy.column(j)
		for i := range d {
			d[i] *= gain[j]
		}
		s := g.norm.standard(column, mean[j], variance[j])
		if g.norm.clock.Scoring {
			for i := range d {
				d[i] *= s.invStd // the statistics do not depend on x
			}
		} else {
			s.pull(column, d)
		}
		for i, v := range d {
			out.set(i, j, v)
		}
	}
	return nil
}

type batchNormGradGain struct{ norm batchNorm }

func (g batchNormGradGain) label() string { return "gradient in gain of " + g.norm.label() }
func (batchNormGradGain) operands() []string {
	return []string{"x", "running mean", "running variance", "dy"}
}
func (g batchNormGradGain) time() *Clock { return g.norm.clock }

func (g batchNormGradGain) infer(in []extent) (extent, error) {
	if in[3] != in[0] {
		return extent{}, fmt.Errorf("x is %v and dy is %v: want one shape", in[0], in[3])
	}
	return in[0].row(), sameRow(in[0], g.operands()[1:3], in[1:3])
}

func (g batchNormGradGain) compute(in []matrix, out matrix) error {
	x, mean, variance, dy := in[0], in[1].data, in[2].data, in[3]
	for j := range x.cols {
		column := x.column(j)
		s := g.norm.standard(column, mean[j], variance[j])
		for i, v := range column {
			out.data[j] += s.hat(v) * dy.at(i, j)
		}
	}
	return nil
}
