package graph

import (
	"math"
	"math/rand/v2"
	"testing"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// network is one model of the table that every comparison goes through.
type network struct {
	name string
	a    Architecture
	o    Objective
}

// networks holds both models with every activation, norm, loss and random op.
func networks() []network {
	dnn := Architecture{Inputs: 9, Hidden: []int{12, 7}, Outputs: 1, Activation: kernels.ReLU}
	deep := Architecture{Inputs: 9, Hidden: []int{8, 3, 8}, Outputs: 9, Activation: kernels.Tanh}
	weighted := Objective{Kind: kernels.BCE, ClassWeight: []float32{0.6, 4}}
	with := func(a Architecture, change func(*Architecture)) Architecture { change(&a); return a }
	list := []network{
		{"linear", Architecture{Inputs: 9, Outputs: 1}, weighted},
		{"dropout", with(dnn, func(a *Architecture) { a.Dropout = 0.4 }), weighted},
		{"layer norm", with(dnn, func(a *Architecture) { a.Norm = "layer" }), weighted},
		{"layer norm, gelu, dropout", with(dnn, func(a *Architecture) { a.Norm, a.Activation, a.Dropout = "layer", kernels.GELU, 0.3 }), weighted},
		{"batch norm", with(dnn, func(a *Architecture) { a.Norm = "batch" }), weighted},
		{"batch norm, gelu, dropout", with(dnn, func(a *Architecture) { a.Norm, a.Activation, a.Dropout = "batch", kernels.GELU, 0.3 }), weighted},
		{"noisy dnn", with(dnn, func(a *Architecture) { a.Sigma, a.Mask = 0.2, 0.1 }), weighted},
		{"bce", dnn, Objective{Kind: kernels.BCE}},
		{"focal", dnn, Objective{Kind: kernels.BCE, ClassWeight: []float32{0.6, 4}, Gamma: 2}},
		{"softmax", with(dnn, func(a *Architecture) { a.Outputs = 4 }), Objective{Kind: kernels.SoftmaxCE}},
		{"softmax weighted", with(dnn, func(a *Architecture) { a.Outputs = 4 }), Objective{Kind: kernels.SoftmaxCE, ClassWeight: []float32{1, 2, 3, 0.5}}},
		{"softmax focal", with(dnn, func(a *Architecture) { a.Outputs, a.Norm = 3, "layer" }), Objective{Kind: kernels.SoftmaxCE, Gamma: 1.5}},
		{"autoencoder", deep, Objective{Kind: kernels.MSE}},
		{"autoencoder, feature weights", deep, Objective{Kind: kernels.MSE, FeatureWeight: true}},
		{"autoencoder, huber", deep, Objective{Kind: kernels.Huber, Delta: 0.5}},
		{"autoencoder, huber, feature weights", deep, Objective{Kind: kernels.Huber, Delta: 0.5, FeatureWeight: true}},
		{"autoencoder, noise", with(deep, func(a *Architecture) { a.Sigma = 0.3 }), Objective{Kind: kernels.MSE}},
		{"autoencoder, mask", with(deep, func(a *Architecture) { a.Mask = 0.25 }), Objective{Kind: kernels.MSE}},
		{"autoencoder, all", with(deep, func(a *Architecture) {
			a.Sigma, a.Mask, a.Norm, a.Dropout, a.Activation = 0.3, 0.25, "batch", 0.2, kernels.GELU
		}), Objective{Kind: kernels.Huber, Delta: 0.5, FeatureWeight: true}},
	}
	for f := kernels.Identity; f <= kernels.Sigmoid; f++ {
		name := "identity"
		if f != kernels.Identity {
			name = activation{f}.label()
		}
		list = append(list, network{name, with(dnn, func(a *Architecture) { a.Activation = f }), weighted})
	}
	return list
}

// flows draws a table of rows and their targets for a network.
func (n network) flows(rows int, seed uint64) (x, y []float32) {
	r := rand.New(rand.NewPCG(seed, 2))
	x, y = make([]float32, rows*n.a.Inputs), make([]float32, rows)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	for i := range y {
		y[i] = float32(r.IntN(max(2, n.a.Outputs)))
	}
	return x, y
}

// values are initial values with life in them: biases off 0, gains and feature
// weights off 1, running statistics that are not those of the data.
func (n network) values(t testing.TB, m *Model, seed uint64) map[string][]float32 {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	v := mustInit(t, m, seed)
	shake := func(name string) {
		for i := range v[name] {
			v[name][i] += float32(0.2 * r.NormFloat64())
		}
	}
	for _, p := range m.Parameters {
		shake(p.Name())
	}
	for _, s := range m.Statistics {
		shake(s.Name())
	}
	for _, c := range m.Constants {
		shake(c.Name())
	}
	for _, values := range v {
		for i, x := range values {
			if math.IsNaN(float64(x)) {
				t.Fatalf("value %d is NaN", i)
			}
		}
	}
	return v
}

// bindAll binds values, and the flows as x and y.
func (n network) bindAll(t testing.TB, m *Model, values map[string][]float32, x, y []float32) {
	t.Helper()
	all := map[string][]float32{"x": x}
	if m.Y != nil {
		all["y"] = y
	}
	for name, v := range values {
		all[name] = v
	}
	if err := m.Bind(all); err != nil {
		t.Fatal(err)
	}
}

// TestModelGradientsMatchFiniteDifferences steps elements of every parameter of
// every network in float64 and runs the whole graph again: the chain of ops,
// not one.
// The difference quotient errs by h²·f‴/6 + ε·f/h, about 1e-10 for h = 1e-5.
// A kink of relu or Huber within h of a value would show as an error of the
// gradient's own size; with these seeds there is none.
func TestModelGradientsMatchFiniteDifferences(t *testing.T) {
	const rows, h, tolerance = 6, 1e-5, 1e-6
	for _, n := range networks() {
		t.Run(n.name, func(t *testing.T) {
			m, err := build(n.a, n.o, rows, tensor.Float64)
			if err != nil {
				t.Fatal(err)
			}
			x, y := n.flows(rows, 1)
			n.bindAll(t, m, n.values(t, m, 1), x, y)
			m.Clock.Seed, m.Clock.Step = 4, 2
			vm := gorgonia.NewTapeMachine(m.Graph)
			defer vm.Close()
			loss := func() float64 {
				vm.Reset()
				if err := vm.RunAll(); err != nil {
					t.Fatal(err)
				}
				return m.Loss.Value().Data().(float64)
			}
			for _, p := range m.Parameters {
				loss() // the gradient here, not where the last step of p before left the graph
				grad, err := load(p.Grad.Value())
				if err != nil {
					t.Fatal(err)
				}
				data := p.Node.Value().Data().([]float64)
				for k := 0; k < len(data); k += 1 + len(data)/16 {
					at := data[k]
					data[k] = at + h
					up := loss()
					data[k] = at - h
					down := loss()
					data[k] = at
					if want := (up - down) / (2 * h); !(math.Abs(grad.data[k]-want) <= tolerance*(1+math.Abs(want))) {
						t.Fatalf("%s, element %d: gradient %v, finite difference %v", p.Name(), k, grad.data[k], want)
					}
				}
			}
		})
	}
}

// TestScoringForm: with gorgonia.EvalMode the graph has no noise left in it and
// batch norm uses, and keeps, the running statistics.
func TestScoringForm(t *testing.T) {
	n := network{"", Architecture{Inputs: 4, Hidden: []int{6}, Outputs: 4, Activation: kernels.Tanh, Norm: "batch", Dropout: 0.5, Sigma: 1, Mask: 0.5}, Objective{Kind: kernels.MSE}}
	m := mustBuild(t, n.a, n.o, 5)
	x, y := n.flows(5, 1)
	n.bindAll(t, m, n.values(t, m, 1), x, y)
	vm := gorgonia.NewTapeMachine(m.Graph, gorgonia.EvalMode())
	defer vm.Close()
	run := func() []float32 {
		vm.Reset()
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		return append([]float32{}, m.Output.Value().Data().([]float32)...)
	}
	first := run()
	before := append([]float32{}, m.Statistics[0].Node.Value().Data().([]float32)...)
	if err := m.Advance(); err != nil {
		t.Fatal(err)
	}
	agree(t, "output at another step", run(), first, 0)
	agree(t, "running mean after scoring", m.Statistics[0].Node.Value().Data().([]float32), before, 0)
	m.Clock.Scoring = false
	noisy := run()
	same := 0
	for i := range noisy {
		if noisy[i] == first[i] {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d of %d outputs of the training form are those of the scoring form", same, len(first))
	}
}

// cancelled is a hundredth of a summand of size 1.
const cancelled = 0.01

// agree compares element by element: a NaN agrees with a NaN alone, and the
// others may differ by tolerance times the largest wanted value, because a
// float32 sum errs by the size of its summands, not of its result. Where all of
// a tensor is a sum that cancels, as the gradient of one bias, the summands of
// size 1 show: cancelled is what they leave.
func agree(t testing.TB, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	scale := 0.0
	for _, w := range want {
		scale = math.Max(scale, math.Abs(float64(w)))
	}
	worst, share := -1, 0.0
	for i := range want {
		g, w := float64(got[i]), float64(want[i])
		if math.IsNaN(g) || math.IsNaN(w) {
			if math.IsNaN(g) != math.IsNaN(w) {
				t.Fatalf("%s: element %d is %v, want %v", what, i, g, w)
			}
			continue
		}
		if diff := math.Abs(g - w); !(diff <= tolerance*(scale+cancelled)) && !(diff/scale <= share) {
			worst, share = i, diff/scale
		}
	}
	if worst >= 0 {
		t.Errorf("%s: element %d is %v, want %v: off by %.3g of the largest value, allowed %.3g", what, worst, got[worst], want[worst], share, tolerance)
	}
}
