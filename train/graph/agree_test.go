package graph

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cpu"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// oneStep is how far a compiled step may be from the TapeMachine, as a share of
// the largest value of the tensor. The TapeMachine rounds each op's result to
// float32 once (2⁻²⁴ = 6e-8); a backend sums in float32, over at most 33 rows
// or columns here, which errs by √33·6e-8 = 3e-7 in the middle, and some ten
// ops follow each other. The worst seen here is between 2e-6 and 5e-6.
const oneStep = 5e-6

// scoreStep is the same for the forward pass alone; the worst seen is between
// 1e-6 and 2e-6, after a layer norm of one row.
const scoreStep = 2e-6

// result is what a run leaves in the nodes.
type result struct {
	loss   float64
	output []float32
	named  map[string][]float32 // gradients and moved statistics
}

func resultOf(t testing.TB, m *Model) result {
	t.Helper()
	r := result{loss: float64(m.Loss.Value().Data().(float32)), output: valuesOf(t, m.Output), named: map[string][]float32{}}
	for _, p := range m.Parameters {
		g, err := p.Node.Grad()
		if err != nil {
			t.Fatal(err)
		}
		r.named["gradient of "+p.Name()] = narrow(t, g)
	}
	for _, s := range m.Statistics {
		r.named["moved "+s.Name()] = valuesOf(t, s.Next)
	}
	return r
}

func valuesOf(t testing.TB, n *gorgonia.Node) []float32 {
	t.Helper()
	return narrow(t, n.Value())
}

func narrow(t testing.TB, v gorgonia.Value) []float32 {
	t.Helper()
	m, err := load(v)
	if err != nil {
		t.Fatal(err)
	}
	f := make([]float32, len(m.data))
	for i, x := range m.data {
		f[i] = float32(x)
	}
	return f
}

func (r result) agree(t testing.TB, want result, tolerance float64) {
	t.Helper()
	if !(math.Abs(r.loss-want.loss) <= tolerance*math.Abs(want.loss)) {
		t.Errorf("loss %v, want %v", r.loss, want.loss)
	}
	agree(t, "output", r.output, want.output, tolerance)
	for name := range want.named {
		agree(t, name, r.named[name], want.named[name], tolerance)
	}
}

func mustMachine(t testing.TB, m *Model) *Machine {
	t.Helper()
	vm, err := NewMachine(m, cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { vm.Close() })
	return vm
}

// TestMachineAgreesWithTapeMachine runs every network once on both: loss,
// output, each gradient and each moved statistic, then the scoring form.
func TestMachineAgreesWithTapeMachine(t *testing.T) {
	for _, n := range networks() {
		for _, rows := range []int{1, 2, 7, 33} {
			if n.a.Norm == "batch" && rows == 2 {
				continue // x̂ is ±1 and its gradient all cancellation: what is left is rounding, in either
			}
			t.Run(fmt.Sprintf("%s, %d rows", n.name, rows), func(t *testing.T) {
				m := mustBuild(t, n.a, n.o, rows)
				x, y := n.flows(rows, 3)
				n.bindAll(t, m, n.values(t, m, 3), x, y)
				m.Clock.Seed, m.Clock.Step = 11, 5
				runTape(t, m.Graph, false)
				want := resultOf(t, m)
				vm := mustMachine(t, m)
				m.Graph.UnbindAllNonInputs() // nothing of the TapeMachine is left to be found
				if err := vm.RunAll(); err != nil {
					t.Fatal(err)
				}
				resultOf(t, m).agree(t, want, oneStep)

				runTape(t, m.Graph, true)
				scored := valuesOf(t, m.Output)
				m.Clock.Scoring = true // where no op has a clock, nothing set it
				wantError(t, vm.RunAll(), "call Score")
				m.Graph.UnbindAllNonInputs()
				if err := vm.Score(); err != nil {
					t.Fatal(err)
				}
				agree(t, "scored output", valuesOf(t, m.Output), scored, scoreStep)
			})
		}
	}
}

// TestRealSizesAgree runs the two networks that people train, as wide as they
// train them; the worst seen is below 1e-6.
func TestRealSizesAgree(t *testing.T) {
	const rows = 100
	for _, n := range []network{
		{"dnn", Architecture{Inputs: 78, Hidden: []int{128, 64, 32}, Outputs: 1, Activation: kernels.ReLU, Dropout: 0.1}, Objective{Kind: kernels.BCE, ClassWeight: []float32{0.5, 100}}},
		{"autoencoder", Architecture{Inputs: 77, Hidden: []int{64, 32, 16, 32, 64}, Outputs: 77, Activation: kernels.GELU, Norm: "layer", Sigma: 0.1, Mask: 0.1}, Objective{Kind: kernels.MSE, FeatureWeight: true}},
	} {
		m := mustBuild(t, n.a, n.o, rows)
		x, y := n.flows(rows, 3)
		n.bindAll(t, m, n.values(t, m, 3), x, y)
		runTape(t, m.Graph, false)
		want := resultOf(t, m)
		m.Graph.UnbindAllNonInputs()
		if err := mustMachine(t, m).RunAll(); err != nil {
			t.Fatal(err)
		}
		resultOf(t, m).agree(t, want, oneStep)
	}
}

// TestTheComparisonCanFail plants faults of the kinds that lowering could make
// and wants each of them seen.
func TestTheComparisonCanFail(t *testing.T) {
	n := networks()[1] // dropout
	faults := map[string]func(p *kernels.Program){
		"another mask": func(p *kernels.Program) {
			d := p.Train[0].(kernels.Dense)
			d.Epilogue.Stream = 99
			g := p.Train[len(p.Train)-1].(kernels.DenseGrad)
			g.Epilogue.Stream = 99
			p.Train[0], p.Train[len(p.Train)-1] = d, g
		},
		"no class weights": func(p *kernels.Program) {
			for i, in := range p.Train {
				if l, ok := in.(kernels.Loss); ok {
					l.ClassWeight = nil
					p.Train[i] = l
				}
			}
		},
		"gradients swapped": func(p *kernels.Program) {
			for i, in := range p.Train {
				if g, ok := in.(kernels.DenseGrad); ok && g.DB != kernels.None {
					g.DB = kernels.None
					p.Train[i] = g
				}
			}
		},
	}
	for name, plant := range faults {
		m := mustBuild(t, n.a, n.o, 7)
		x, y := n.flows(7, 3)
		n.bindAll(t, m, n.values(t, m, 3), x, y)
		runTape(t, m.Graph, false)
		want := resultOf(t, m)
		l, err := m.lower()
		if err != nil {
			t.Fatal(err)
		}
		plan(&l.program, true)
		plant(&l.program)
		compiled, err := cpu.New().Compile(&l.program)
		if err != nil {
			t.Fatal(err)
		}
		vm := mustMachine(t, m)
		vm.compiled.Close()
		vm.compiled = compiled
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		seen := &recorder{TB: t}
		resultOf(t, m).agree(seen, want, oneStep)
		if !seen.failed {
			t.Errorf("%s: not seen", name)
		}
	}
}

// recorder notes a failure in place of failing.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }

// TestMachineStandsInForTapeMachine: a gorgonia solver steps on the parameters
// after either machine, also where a TapeMachine has bound dual values before.
func TestMachineStandsInForTapeMachine(t *testing.T) {
	n := network{"", Architecture{Inputs: 5, Hidden: []int{6}, Outputs: 1, Activation: kernels.Tanh}, Objective{Kind: kernels.BCE}}
	x, y := n.flows(8, 1)
	train := func(steps int, machine func(m *Model, step int) gorgonia.VM) (*Model, []float64) {
		m := mustBuild(t, n.a, n.o, 8)
		n.bindAll(t, m, n.values(t, m, 1), x, y)
		var nodes gorgonia.Nodes
		for _, p := range m.Parameters {
			nodes = append(nodes, p.Node)
		}
		solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.5))
		var losses []float64
		for step := range steps {
			vm := machine(m, step)
			if err := vm.RunAll(); err != nil {
				t.Fatal(err)
			}
			losses = append(losses, float64(m.Loss.Value().Data().(float32)))
			if err := solver.Step(gorgonia.NodesToValueGrads(nodes)); err != nil {
				t.Fatal(err)
			}
			vm.Reset()
		}
		return m, losses
	}
	tape := func(m *Model) gorgonia.VM {
		var nodes gorgonia.Nodes
		for _, p := range m.Parameters {
			nodes = append(nodes, p.Node)
		}
		return gorgonia.NewTapeMachine(m.Graph, gorgonia.BindDualValues(nodes...))
	}
	want, wantLosses := train(10, func(m *Model, _ int) gorgonia.VM { return tape(m) })
	for name, machine := range map[string]func(m *Model, step int) gorgonia.VM{
		"compiled alone": func(m *Model, _ int) gorgonia.VM { return mustMachine(t, m) },
		"in turn": func(m *Model, step int) gorgonia.VM {
			if step%2 == 0 {
				return tape(m)
			}
			return mustMachine(t, m)
		},
	} {
		got, losses := train(10, machine)
		for i, p := range got.Parameters {
			agree(t, name+": "+p.Name(), valuesOf(t, p.Node), valuesOf(t, want.Parameters[i].Node), oneStep)
		}
		for i := range losses {
			if !(math.Abs(losses[i]-wantLosses[i]) <= oneStep*wantLosses[i]) {
				t.Errorf("%s: loss %d is %v, want %v", name, i, losses[i], wantLosses[i])
			}
		}
		if !(losses[9] < losses[0]) {
			t.Errorf("%s: the loss went from %v to %v", name, losses[0], losses[9])
		}
	}
}

func TestMachineRefuses(t *testing.T) {
	n := networks()[0]
	m := mustBuild(t, n.a, n.o, 4)
	vm := mustMachine(t, m)
	wantError(t, vm.RunAll(), "input dense0.weight: no value")
	x, y := n.flows(4, 1)
	n.bindAll(t, m, n.values(t, m, 1), x, y)
	x[3] = float32(math.NaN())
	if err := m.Bind(map[string][]float32{"x": x}); err != nil {
		t.Fatal(err)
	}
	wantError(t, vm.RunAll(), "x holds a NaN or an infinity at step 1")
	wantError(t, m.Bind(map[string][]float32{"z": x}), `bind "z": the graph has no such input`)
	wantError(t, m.Bind(map[string][]float32{"y": x}), "36 values for 4×1")
	if err := vm.Close(); err != nil {
		t.Fatal(err)
	}
	if vm.RunAll() == nil {
		t.Error("a closed machine runs")
	}
	wide, err := build(n.a, n.o, 4, tensor.Float64)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewMachine(wide, cpu.New()); err == nil || !strings.Contains(err.Error(), "kernels are float32") {
		t.Errorf("float64: %v", err)
	}
}
