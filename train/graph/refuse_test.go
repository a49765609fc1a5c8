package graph

import (
	"math"
	"testing"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestGraphsThatCannotBeLowered: each is an error that names the op or the node.
func TestGraphsThatCannotBeLowered(t *testing.T) {
	ok := must(t)
	cases := []struct {
		name, say string
		build     func(h hand) (output, loss *gorgonia.Node)
	}{
		{"foreign op", `cannot lower op "sin"`, func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			logits := ok(Dense(ok(gorgonia.Sin(ok(Dense(h.x, h.w0, h.b0)))), h.w1, h.b1))
			return logits, ok(BinaryCrossEntropy(logits, h.y, nil, 0))
		}},
		{"scaled loss", `cannot lower op "⊙`, func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			logits := ok(Dense(ok(Dense(h.x, h.w0, h.b0)), h.w1, h.b1))
			return logits, ok(gorgonia.Mul(ok(BinaryCrossEntropy(logits, h.y, nil, 0)), gorgonia.NewConstant(float32(2))))
		}},
		{"activation of x", `cannot lower op "relu": it does not follow a dense or a norm`, func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			logits := ok(Dense(ok(Dense(ok(Activate(kernels.ReLU, h.x)), h.w0, h.b0)), h.w1, h.b1))
			return logits, ok(BinaryCrossEntropy(logits, h.y, nil, 0))
		}},
		{"two activations", `cannot lower op "tanh": it does not follow`, func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			hidden := ok(Activate(kernels.Tanh, ok(Activate(kernels.ReLU, ok(Dense(h.x, h.w0, h.b0))))))
			logits := ok(Dense(hidden, h.w1, h.b1))
			return logits, ok(BinaryCrossEntropy(logits, h.y, nil, 0))
		}},
		{"product read twice", "is read elsewhere too and cannot be fused away", func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			z := ok(Dense(ok(Dense(h.x, h.w0, h.b0)), h.w1, h.b1))
			return ok(Activate(kernels.Sigmoid, z)), ok(BinaryCrossEntropy(z, h.y, nil, 0))
		}},
		{"activation after corruption", `cannot lower op "relu": it follows "corrupt`, func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			noisy := ok(Activate(kernels.ReLU, ok(Corrupt(h.x, 1, 0, 0, h.clock))))
			logits := ok(Dense(ok(Dense(noisy, h.w0, h.b0)), h.w1, h.b1))
			return logits, ok(BinaryCrossEntropy(logits, h.y, nil, 0))
		}},
		{"shared stream", "draw from one stream", func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			hidden := ok(Dropout(ok(Dense(ok(Corrupt(h.x, 1, 0, 3, h.clock)), h.w0, h.b0)), 0.5, 3, h.clock))
			logits := ok(Dense(hidden, h.w1, h.b1))
			return logits, ok(BinaryCrossEntropy(logits, h.y, nil, 0))
		}},
		{"two clocks", "another clock", func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			hidden := ok(Dropout(ok(Dense(ok(Corrupt(h.x, 1, 0, 1, h.clock)), h.w0, h.b0)), 0.5, 3, NewClock(1)))
			logits := ok(Dense(hidden, h.w1, h.b1))
			return logits, ok(BinaryCrossEntropy(logits, h.y, nil, 0))
		}},
		{"weight used twice", "parameter first bias is used twice", func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			normed := ok(LayerNorm(ok(Dense(h.x, h.w0, h.b0)), h.b0, h.b0, 1e-5))
			logits := ok(Dense(normed, h.w1, h.b1))
			return logits, ok(BinaryCrossEntropy(logits, h.y, nil, 0))
		}},
		{"computed weight", "it reads first, which is neither x nor", func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			logits := ok(Dense(h.x, ok(Dense(h.w0, h.w1, nil)), h.b1))
			return logits, ok(BinaryCrossEntropy(logits, h.y, nil, 0))
		}},
		{"computed logits are x", "is not what a layer leaves", func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			logits := ok(Dense(ok(Dense(h.x, h.w0, h.b0)), h.w1, h.b1))
			return logits, ok(MeanSquaredError(h.x, h.x, nil))
		}},
		{"output is x", "is not computed by a layer", func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			logits := ok(Dense(ok(Dense(h.x, h.w0, h.b0)), h.w1, h.b1))
			return h.x, ok(BinaryCrossEntropy(logits, h.y, nil, 0))
		}},
		{"another target", "y is attack, but the target of", func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			hidden := ok(Dense(h.x, h.w0, h.b0))
			logits := ok(Dense(hidden, h.w1, h.b1))
			return logits, ok(MeanSquaredError(logits, logits, nil))
		}},
		{"corruption in the middle", `cannot lower the gradient of op "corrupt`, func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			logits := ok(Dense(ok(Corrupt(ok(Dense(h.x, h.w0, h.b0)), 1, 0, 0, h.clock)), h.w1, h.b1))
			return logits, ok(BinaryCrossEntropy(logits, h.y, nil, 0))
		}},
		{"second head", "the loss does not depend on parameter first gain", func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			hidden := ok(Dense(h.x, h.w0, nil))
			logits := ok(Dense(hidden, h.w1, h.b1))
			return ok(LayerNorm(hidden, h.g0, h.b0, 1e-5)), ok(BinaryCrossEntropy(logits, h.y, nil, 0))
		}},
		{"no loss", "it is no loss", func(h hand) (*gorgonia.Node, *gorgonia.Node) {
			logits := ok(Dense(ok(Dense(h.x, h.w0, h.b0)), h.w1, h.b1))
			return logits, logits
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := newHand()
			output, loss := c.build(h)
			_, err := NewModel(h.x, h.y, output, loss)
			wantError(t, err, c.say)
		})
	}
}

func TestNothingToTrain(t *testing.T) {
	h, ok := newHand(), must(t)
	noisy := ok(Corrupt(h.x, 1, 0, 0, h.clock))
	_, err := NewModel(h.x, nil, noisy, ok(MeanSquaredError(noisy, h.x, nil)))
	wantError(t, err, "nothing between x and the loss has parameters to train")
}

// TestNothingIsDroppedUnsaid: what hangs beside a model is seen by Lower.
func TestNothingIsDroppedUnsaid(t *testing.T) {
	ok := must(t)
	cases := []struct {
		name, say string
		attach    func(m *Model)
	}{
		{"foreign op", `cannot lower op "sin"`, func(m *Model) { ok(gorgonia.Sin(m.Output)) }},
		{"our op", `cannot lower op "tanh"`, func(m *Model) { ok(Activate(kernels.Tanh, m.Output)) }},
		{"input", "input stray is neither", func(m *Model) {
			gorgonia.NewMatrix(m.Graph, tensor.Float32, gorgonia.WithShape(2, 2), gorgonia.WithName("stray"))
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := mustBuild(t, Architecture{Inputs: 3, Outputs: 1}, Objective{Kind: kernels.BCE}, 4)
			c.attach(m)
			_, err := m.Lower(adam)
			wantError(t, err, c.say)
		})
	}
}

func TestLowerRefuses(t *testing.T) {
	m := mustBuild(t, Architecture{Inputs: 3, Outputs: 1}, Objective{Kind: kernels.BCE}, 4)
	cases := []struct {
		say string
		o   Optimizer
	}{
		{"optimizer: kind 0", Optimizer{}},
		{"beta2 0.99999999999", Optimizer{Kind: kernels.Adam, Beta2: 0.99999999999, Epsilon: 1e-8}},
		{"momentum 1:", Optimizer{Kind: kernels.SGD, Momentum: 1}},
		{"epsilon 0:", Optimizer{Kind: kernels.AdamW}},
		{"weight decay -1:", Optimizer{Kind: kernels.SGD, WeightDecay: -1}},
		{"clip norm +Inf:", Optimizer{Kind: kernels.SGD, ClipNorm: math.Inf(1)}},
	}
	for _, c := range cases {
		_, err := m.Lower(c.o)
		wantError(t, err, c.say)
	}
	wide, err := build(Architecture{Inputs: 3, Outputs: 1}, Objective{Kind: kernels.BCE}, 4, tensor.Float64)
	if err != nil {
		t.Fatal(err)
	}
	_, err = wide.Lower(adam)
	wantError(t, err, "kernels are float32")
}

func TestBuildRefuses(t *testing.T) {
	dnn := Architecture{Inputs: 3, Outputs: 1}
	cases := []struct {
		say   string
		a     Architecture
		o     Objective
		batch int
	}{
		{"inputs 0", Architecture{Outputs: 1}, Objective{Kind: kernels.BCE}, 4},
		{"outputs 0", Architecture{Inputs: 1}, Objective{Kind: kernels.BCE}, 4},
		{"hidden -1", Architecture{Inputs: 3, Hidden: []int{4, -1}, Outputs: 1}, Objective{Kind: kernels.BCE}, 4},
		{"activation 77", Architecture{Inputs: 3, Outputs: 1, Activation: 77}, Objective{Kind: kernels.BCE}, 4},
		{`norm "group"`, Architecture{Inputs: 3, Outputs: 1, Norm: "group"}, Objective{Kind: kernels.BCE}, 4},
		{"dropout rate 1", Architecture{Inputs: 3, Hidden: []int{2}, Outputs: 1, Dropout: 1}, Objective{Kind: kernels.BCE}, 4},
		{"mask 1", Architecture{Inputs: 3, Outputs: 1, Mask: 1}, Objective{Kind: kernels.BCE}, 4},
		{"batch of 0 rows", dnn, Objective{Kind: kernels.BCE}, 0},
		{"kind 0", dnn, Objective{}, 4},
		{"binary cross-entropy of 2 outputs", Architecture{Inputs: 3, Outputs: 2}, Objective{Kind: kernels.BCE}, 4},
		{"softmax cross-entropy of 1 output", dnn, Objective{Kind: kernels.SoftmaxCE}, 4},
		{"1 outputs are to reconstruct 3 inputs", dnn, Objective{Kind: kernels.MSE}, 4},
		{"class weights and gamma belong", Architecture{Inputs: 3, Outputs: 3}, Objective{Kind: kernels.MSE, Gamma: 1}, 4},
		{"feature weights belong", dnn, Objective{Kind: kernels.BCE, FeatureWeight: true}, 4},
		{"delta 1 belongs to Huber", dnn, Objective{Kind: kernels.BCE, Delta: 1}, 4},
		{"huber delta 0", Architecture{Inputs: 3, Outputs: 3}, Objective{Kind: kernels.Huber}, 4},
		{"1 class weights for 2 classes", dnn, Objective{Kind: kernels.BCE, ClassWeight: []float32{1}}, 4},
	}
	for _, c := range cases {
		_, err := Build(c.a, c.o, c.batch)
		wantError(t, err, c.say)
	}
}
