package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// opCase is one op at one set of operands: the table that shape, gradient and
// dtype tests go through.
type opCase struct {
	name  string
	rule  differentiable
	in    []extent
	fixed map[int]matrix // operands that are not random: targets, variances
	// floor keeps random operands this far from 0, where an activation has a kink.
	floor float64
}

func values(rows, cols int, v ...float64) matrix { return matrix{extent{rows, cols}, v} }

// testClock draws masks that are neither all ones nor all zeros on the small operands here.
func testClock() *Clock { return &Clock{Seed: 7, Step: 3} }

func opCases() []opCase {
	clock, scoring := testClock(), &Clock{Seed: 7, Step: 3, Scoring: true}
	variance := map[int]matrix{4: values(1, 3, 0.5, 2, 1)}
	binary := map[int]matrix{1: values(4, 1, 0, 1, 1, 0)}
	classes := map[int]matrix{1: values(4, 1, 2, 0, 1, 2)}
	weights := map[int]matrix{2: values(1, 3, 0.5, 2, 0)}
	cases := []opCase{
		{name: "dense", rule: dense{bias: true}, in: []extent{{4, 3}, {3, 5}, {1, 5}}},
		{name: "dense without bias", rule: dense{}, in: []extent{{4, 3}, {3, 5}}},
		{name: "dense one row", rule: dense{bias: true}, in: []extent{{1, 1}, {1, 1}, {1, 1}}},
		{name: "dropout", rule: dropout{0.5, 2, clock}, in: []extent{{4, 5}}},
		{name: "dropout scoring", rule: dropout{0.5, 2, scoring}, in: []extent{{4, 5}}},
		{name: "corrupt", rule: corrupt{0.3, 0.5, 1, clock}, in: []extent{{4, 5}}},
		{name: "corrupt scoring", rule: corrupt{0.3, 0.5, 1, scoring}, in: []extent{{4, 5}}},
		{name: "layer norm", rule: layerNorm{1e-5}, in: []extent{{4, 5}, {1, 5}, {1, 5}}},
		{name: "batch norm", rule: batchNorm{1e-5, clock}, in: []extent{{6, 3}, {1, 3}, {1, 3}, {1, 3}, {1, 3}}, fixed: variance},
		{name: "batch norm scoring", rule: batchNorm{1e-5, scoring}, in: []extent{{6, 3}, {1, 3}, {1, 3}, {1, 3}, {1, 3}}, fixed: variance},
		{name: "bce", rule: meanLoss{bce{}}, in: []extent{{4, 1}, {4, 1}}, fixed: binary},
		{name: "bce weighted", rule: meanLoss{bce{weights: []float32{1, 30}}}, in: []extent{{4, 1}, {4, 1}}, fixed: binary},
		{name: "bce focal", rule: meanLoss{bce{weights: []float32{0.5, 3}, gamma: 2}}, in: []extent{{4, 1}, {4, 1}}, fixed: binary},
		{name: "bce focal half", rule: meanLoss{bce{gamma: 0.5}}, in: []extent{{4, 1}, {4, 1}}, fixed: binary},
		{name: "softmax", rule: meanLoss{softmax{}}, in: []extent{{4, 3}, {4, 1}}, fixed: classes},
		{name: "softmax weighted", rule: meanLoss{softmax{weights: []float32{1, 2, 0.25}}}, in: []extent{{4, 3}, {4, 1}}, fixed: classes},
		{name: "softmax focal", rule: meanLoss{softmax{weights: []float32{1, 2, 0.25}, gamma: 2}}, in: []extent{{4, 3}, {4, 1}}, fixed: classes},
		{name: "mse", rule: meanLoss{mse{}}, in: []extent{{4, 3}, {4, 3}}},
		{name: "mse weighted", rule: meanLoss{mse{regression{true}}}, in: []extent{{4, 3}, {4, 3}, {1, 3}}, fixed: weights},
		{name: "huber", rule: meanLoss{huber{regression{}, 0.8}}, in: []extent{{4, 3}, {4, 3}}},
		{name: "huber weighted", rule: meanLoss{huber{regression{true}, 0.8}}, in: []extent{{4, 3}, {4, 3}, {1, 3}}, fixed: weights},
	}
	for f := kernels.ReLU; f <= kernels.Sigmoid; f++ {
		a := activation{f}
		cases = append(cases, opCase{name: a.label(), rule: a, in: []extent{{4, 5}}, floor: 0.01})
	}
	return cases
}

// operands draws what is not fixed, reproducibly.
func (c opCase) operands(seed uint64) []matrix {
	r := rand.New(rand.NewPCG(seed, 1))
	in := make([]matrix, len(c.in))
	for i, e := range c.in {
		if m, ok := c.fixed[i]; ok {
			in[i] = m
			continue
		}
		in[i] = newMatrix(e)
		for k := range in[i].data {
			v := r.NormFloat64()
			in[i].data[k] = v + math.Copysign(c.floor, v)
		}
	}
	return in
}

func (c opCase) evaluate(t *testing.T, in []matrix) matrix {
	t.Helper()
	e, err := c.rule.infer(c.in)
	if err != nil {
		t.Fatal(err)
	}
	out := newMatrix(e)
	if err := c.rule.compute(in, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// symbolic is the gradient of Σ d·op(in) that the TapeMachine computes from the
// nodes of SymDiff, for the operands that the op is differentiated by.
func (c opCase) symbolic(t *testing.T, in []matrix, d matrix) []matrix {
	t.Helper()
	g := gorgonia.NewGraph()
	nodes := make(gorgonia.Nodes, len(in))
	for i, m := range in {
		nodes[i] = gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(m.rows, m.cols),
			gorgonia.WithName(fmt.Sprintf("operand%d", i)), gorgonia.WithValue(m.store(tensor.Float64, false)))
	}
	out, err := apply(c.rule, nodes...)
	if err != nil {
		t.Fatal(err)
	}
	grad := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(d.rows, d.cols),
		gorgonia.WithName("d"), gorgonia.WithValue(d.store(tensor.Float64, false)))
	if out.IsScalar() {
		grad = gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("d"), gorgonia.WithValue(d.data[0]))
	}
	derivatives, err := c.rule.derive(nodes, out, grad)
	if err != nil {
		t.Fatal(err)
	}
	timed, ok := c.rule.(clocked)
	runTape(t, g, ok && timed.time().Scoring)
	result := make([]matrix, len(in))
	for i, n := range derivatives {
		if !c.rule.wrt()[i] {
			continue
		}
		if result[i], err = load(n.Value()); err != nil {
			t.Fatal(err)
		}
	}
	return result
}

// runTape runs the graph once. Making a TapeMachine sets the mode of the ops,
// so a scoring clock asks for an evaluating one.
func runTape(t *testing.T, g *gorgonia.ExprGraph, scoring bool) {
	t.Helper()
	var opts []gorgonia.VMOpt
	if scoring {
		opts = append(opts, gorgonia.EvalMode())
	}
	vm := gorgonia.NewTapeMachine(g, opts...)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
}

// TestGradientsMatchFiniteDifferences steps each element of each operand of
// each op by h in float64. The central difference errs by h²·f‴/6 + ε·f/h,
// about 1e-10 for h = 1e-5 and values near 1; 1e-7 leaves room for the worst
// third derivative here, that of a norm over few elements.
func TestGradientsMatchFiniteDifferences(t *testing.T) {
	const h, tolerance = 1e-5, 1e-7
	for _, c := range opCases() {
		t.Run(c.name, func(t *testing.T) {
			in := c.operands(11)
			d := newMatrix(c.evaluate(t, in).extent)
			r := rand.New(rand.NewPCG(5, 5))
			for i := range d.data {
				d.data[i] = r.NormFloat64()
			}
			objective := func() float64 {
				sum := 0.0
				for i, v := range c.evaluate(t, in).data {
					sum += v * d.data[i]
				}
				return sum
			}
			for i, got := range c.symbolic(t, in, d) {
				for k := range got.data {
					at := in[i].data[k]
					in[i].data[k] = at + h
					up := objective()
					in[i].data[k] = at - h
					down := objective()
					in[i].data[k] = at
					want := (up - down) / (2 * h)
					if !(math.Abs(got.data[k]-want) <= tolerance*(1+math.Abs(want))) {
						t.Errorf("gradient in %s, element %d: %v, finite difference %v", c.rule.operands()[i], k, got.data[k], want)
					}
				}
			}
		})
	}
}
