package graph

import (
	"fmt"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// FeatureWeightName is the constant that Objective.FeatureWeight adds.
const FeatureWeightName = "loss.feature_weight"

// What a norm adds to the variance, and the share of a batch in the running
// statistics: PyTorch's defaults for LayerNorm and BatchNorm1d.
const (
	NormEpsilon  = 1e-5
	normMomentum = 0.1
)

// Build makes the graph of a network for batches of exactly batch rows and
// differentiates it. Its parameters are named dense0.weight (inputs×outputs),
// dense0.bias, norm0.gain, norm0.bias, its statistics norm0.running_mean and
// norm0.running_variance, counted from the input.
func Build(a Architecture, o Objective, batch int) (*Model, error) {
	return build(a, o, batch, tensor.Float32)
}

// build makes the graph in either dtype; float64 is for finite differences.
func build(a Architecture, o Objective, batch int, dtype tensor.Dtype) (*Model, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	if err := o.check(a); err != nil {
		return nil, err
	}
	if batch < 1 {
		return nil, fmt.Errorf("graph: batch of %d rows: want 1 or more", batch)
	}
	b := &builder{graph: gorgonia.NewGraph(), dtype: dtype, clock: NewClock(0)}
	x := b.input("x", batch, a.Inputs)
	output, err := b.network(a, x)
	if err != nil {
		return nil, err
	}
	loss, y, err := b.loss(o, x, output)
	if err != nil {
		return nil, err
	}
	m, err := NewModel(x, y, output, loss)
	if err != nil {
		return nil, err
	}
	m.Clock = b.clock
	return m, nil
}

type builder struct {
	graph   *gorgonia.ExprGraph
	dtype   tensor.Dtype
	clock   *Clock
	streams uint32 // handed out so far
}

func (b *builder) input(name string, rows, cols int) *gorgonia.Node {
	return gorgonia.NewMatrix(b.graph, b.dtype, gorgonia.WithShape(rows, cols), gorgonia.WithName(name))
}

// stream numbers the random sites in the order of the forward pass.
func (b *builder) stream() uint32 {
	b.streams++
	return b.streams - 1
}

// network is everything from x to the output.
func (b *builder) network(a Architecture, x *gorgonia.Node) (*gorgonia.Node, error) {
	h, err := Corrupt(x, float32(a.Sigma), float32(a.Mask), b.stream(), b.clock)
	if err != nil {
		return nil, err
	}
	in := a.Inputs
	for i, width := range a.Hidden {
		if h, err = b.hidden(a, i, h, in, width); err != nil {
			return nil, err
		}
		in = width
	}
	return b.dense(len(a.Hidden), h, in, a.Outputs, true)
}

func (b *builder) dense(i int, h *gorgonia.Node, in, out int, bias bool) (*gorgonia.Node, error) {
	w := b.input(fmt.Sprintf("dense%d.weight", i), in, out)
	if !bias {
		return Dense(h, w, nil)
	}
	return Dense(h, w, b.input(fmt.Sprintf("dense%d.bias", i), 1, out))
}

// hidden is one hidden layer: product, norm or bias, activation, dropout.
func (b *builder) hidden(a Architecture, i int, h *gorgonia.Node, in, width int) (*gorgonia.Node, error) {
	normed := a.Norm == layerwise || a.Norm == batchwise
	h, err := b.dense(i, h, in, width, !normed)
	if err != nil {
		return nil, err
	}
	if normed {
		if h, err = b.norm(a.Norm, i, h, width); err != nil {
			return nil, err
		}
	}
	if h, err = Activate(a.Activation, h); err != nil {
		return nil, err
	}
	return Dropout(h, float32(a.Dropout), b.stream(), b.clock)
}

func (b *builder) norm(kind string, i int, h *gorgonia.Node, width int) (*gorgonia.Node, error) {
	row := func(name string) *gorgonia.Node { return b.input(fmt.Sprintf("norm%d.%s", i, name), 1, width) }
	gain, bias := row("gain"), row("bias")
	if kind == layerwise {
		return LayerNorm(h, gain, bias, NormEpsilon)
	}
	y, _, _, err := BatchNorm(h, gain, bias, row("running_mean"), row("running_variance"), NormEpsilon, normMomentum, b.clock)
	return y, err
}

// loss returns the loss and its target column, nil where the target is x.
func (b *builder) loss(o Objective, x, output *gorgonia.Node) (loss, y *gorgonia.Node, err error) {
	var weight *gorgonia.Node
	if o.FeatureWeight {
		weight = b.input(FeatureWeightName, 1, output.Shape()[1])
	}
	switch o.Kind {
	case kernels.MSE:
		loss, err = MeanSquaredError(output, x, weight)
		return loss, nil, err
	case kernels.Huber:
		loss, err = Huber(output, x, weight, float32(o.Delta))
		return loss, nil, err
	}
	y = b.input("y", x.Shape()[0], 1)
	if o.Kind == kernels.BCE {
		loss, err = BinaryCrossEntropy(output, y, o.ClassWeight, float32(o.Gamma))
	} else {
		loss, err = SoftmaxCrossEntropy(output, y, o.ClassWeight, float32(o.Gamma))
	}
	return loss, y, err
}
