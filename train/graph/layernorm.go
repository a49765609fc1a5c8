package graph

import (
	"fmt"

	"gorgonia.org/gorgonia"
)

// LayerNorm is gain·x̂ + bias with x̂ = (x-mean)/√(variance+epsilon), mean and
// biased variance of each row (Ba, Kiros, Hinton 2016). gain and bias are 1×cols.
func LayerNorm(x, gain, bias *gorgonia.Node, epsilon float32) (*gorgonia.Node, error) {
	if err := checkEpsilon(epsilon); err != nil {
		return nil, err
	}
	return apply(layerNorm{epsilon}, x, gain, bias)
}

type layerNorm struct{ epsilon float32 }

func (n layerNorm) label() string    { return fmt.Sprintf("layer norm (epsilon %v)", n.epsilon) }
func (layerNorm) operands() []string { return []string{"x", "gain", "bias"} }
func (layerNorm) wrt() []bool        { return []bool{true, true, true} }

func (n layerNorm) infer(in []extent) (extent, error) {
	return in[0], sameRow(in[0], n.operands()[1:], in[1:])
}

func (n layerNorm) standard(row []float64) standard {
	mean, variance := moments(row)
	return standardOf(mean, variance, n.epsilon)
}

func (n layerNorm) compute(in []matrix, out matrix) error {
	x, gain, bias := in[0], in[1].data, in[2].data
	for i := range x.rows {
		s := n.standard(x.row(i))
		for j, v := range x.row(i) {
			out.set(i, j, gain[j]*s.hat(v)+bias[j])
		}
	}
	return nil
}

func (n layerNorm) derive(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	x, gain := in[0], in[1]
	dx, err := apply(layerNormGradX{n}, x, gain, grad)
	if err != nil {
		return nil, err
	}
	dGain, err := apply(layerNormGradGain{n}, x, grad)
	if err != nil {
		return nil, err
	}
	dBias, err := apply(columnSums{}, grad)
	return gorgonia.Nodes{dx, dGain, dBias}, err
}

type layerNormGradX struct{ norm layerNorm }

func (g layerNormGradX) label() string    { return "gradient in x of " + g.norm.label() }
func (layerNormGradX) operands() []string { return []string{"x", "gain", "dy"} }

func (g layerNormGradX) infer(in []extent) (extent, error) {
	if in[2] != in[0] {
		return extent{}, fmt.Errorf("x is %v and dy is %v: want one shape", in[0], in[2])
	}
	return in[0], sameRow(in[0], []string{"gain"}, in[1:2])
}

func (g layerNormGradX) compute(in []matrix, out matrix) error {
	x, gain, dy := in[0], in[1].data, in[2]
	for i := range x.rows {
		dx := out.row(i)
		for j, d := range dy.row(i) {
			dx[j] = gain[j] * d
		}
		g.norm.standard(x.row(i)).pull(x.row(i), dx)
	}
	return nil
}

type layerNormGradGain struct{ norm layerNorm }

func (g layerNormGradGain) label() string    { return "gradient in gain of " + g.norm.label() }
func (layerNormGradGain) operands() []string { return []string{"x", "dy"} }

func (g layerNormGradGain) infer(in []extent) (extent, error) {
	if in[1] != in[0] {
		return extent{}, fmt.Errorf("x is %v and dy is %v: want one shape", in[0], in[1])
	}
	return in[0].row(), nil
}

func (g layerNormGradGain) compute(in []matrix, out matrix) error {
	x, dy := in[0], in[1]
	for i := range x.rows {
		s := g.norm.standard(x.row(i))
		for j, v := range x.row(i) {
			out.data[j] += s.hat(v) * dy.at(i, j)
		}
	}
	return nil
}
