package graph

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cpu"

	"gorgonia.org/gorgonia"
)

// twentySteps is how far what training has added to a parameter or a statistic
// may be apart after as many steps, as a share of the largest addition in the
// tensor. Gradients differ by up to oneStep = 5e-6; gorgonia's AdamSolver takes
// 1-β₂ in float32, 1.3e-5 off, which makes each step 6e-6 too long; and steps
// along slightly different paths part further. The worst seen is between 1e-5
// and 2e-5.
const (
	steps       = 20
	twentySteps = 4e-5
	rate        = 1e-2
)

// trained is a compiled program on its backend, with its buffers by name.
type trained struct {
	program *kernels.Program
	machine kernels.Machine
}

func compile(t testing.TB, m *Model, o Optimizer, values map[string][]float32) trained {
	t.Helper()
	return compileOn(t, "auto", m, o, values)
}

// compileOn compiles for a level of the processor.
func compileOn(t testing.TB, simd string, m *Model, o Optimizer, values map[string][]float32) trained {
	t.Helper()
	backend, err := cpu.Open(simd)
	if err != nil {
		t.Fatal(err)
	}
	p := mustLower(t, m, o)
	machine, err := backend.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { machine.Close() })
	c := trained{p, machine}
	for i, b := range p.Buffers {
		if v, ok := values[b.Name]; ok {
			if err := machine.Write(kernels.Buf(i), v); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

func (c trained) read(t testing.TB, name string) []float32 {
	t.Helper()
	for i, b := range c.program.Buffers {
		if b.Name == name {
			v := make([]float32, b.Len())
			if err := c.machine.Read(kernels.Buf(i), v); err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no buffer %s", name)
	return nil
}

func (c trained) step(t testing.TB, rows []int32, clock *Clock) float64 {
	t.Helper()
	r, err := c.machine.Train(kernels.Batch{Rows: rows, Step: clock.Step, Seed: clock.Seed, LearningRate: rate})
	if err != nil {
		t.Fatal(err)
	}
	if r.NonFinite != kernels.None {
		t.Fatalf("step %d: %s is not finite", clock.Step, c.program.Buffers[r.NonFinite].Name)
	}
	return r.Loss
}

// oracle trains a model on the TapeMachine, one step at a time.
type oracle struct {
	model  *Model
	vm     gorgonia.VM
	update func(t testing.TB, m *Model, step int)
}

func (o *oracle) step(t testing.TB, x, y []float32) float64 {
	t.Helper()
	values := map[string][]float32{"x": x}
	if o.model.Y != nil {
		values["y"] = y
	}
	if err := o.model.Bind(values); err != nil {
		t.Fatal(err)
	}
	o.vm.Reset()
	if err := o.vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	o.update(t, o.model, int(o.model.Clock.Step))
	if err := o.model.Advance(); err != nil {
		t.Fatal(err)
	}
	return float64(o.model.Loss.Value().Data().(float32))
}

// gather copies table rows, as a batch that a TapeMachine can be given.
func gather(x, y []float32, rows []int32) (bx, by []float32) {
	cols := len(x) / len(y)
	for _, r := range rows {
		bx = append(bx, x[int(r)*cols:(int(r)+1)*cols]...)
		by = append(by, y[r])
	}
	return bx, by
}

// compareTraining trains a network for 20 steps on both sides, from equal
// values, on batches drawn from a table of 64 rows. The program is lowered for
// larger batches than it gets, as for the last batch of an epoch.
func compareTraining(t *testing.T, n network, o Optimizer, update func(t testing.TB, m *Model, step int)) {
	const table, rows = 64, 17
	x, y := n.flows(table, 5)
	m := mustBuild(t, n.a, n.o, rows)
	values := n.values(t, m, 5)
	if err := m.Bind(values); err != nil {
		t.Fatal(err)
	}
	want := oracle{m, gorgonia.NewTapeMachine(m.Graph), update}
	m.Clock.Seed = 23
	defer want.vm.Close()

	got := compile(t, mustBuild(t, n.a, n.o, 32), o, values)
	if err := got.machine.Bind(kernels.Data{X: x, Rows: table, Cols: n.a.Inputs, Y: y}); err != nil {
		t.Fatal(err)
	}
	order := make([]int32, table)
	for step := range steps {
		shuffle := kernels.NewShuffle(table, 1, 2, uint64(step))
		shuffle.Fill(order, 0)
		clock := *m.Clock
		gotLoss := got.step(t, order[:rows], &clock)
		bx, by := gather(x, y, order[:rows])
		wantLoss := want.step(t, bx, by)
		if !(math.Abs(gotLoss-wantLoss) <= twentySteps*math.Abs(wantLoss)) {
			t.Errorf("loss of step %d: %v, want %v", step+1, gotLoss, wantLoss)
		}
	}
	moved := func(name string, n *gorgonia.Node) {
		want := movement(valuesOf(t, n), values[name])
		agree(t, "movement of "+name, movement(got.read(t, name), values[name]), want, twentySteps)
		if slices.Max(want) == 0 && slices.Min(want) == 0 {
			t.Errorf("%s has not moved", name)
		}
	}
	for _, p := range m.Parameters {
		moved(p.Name(), p.Node)
	}
	for _, s := range m.Statistics {
		moved(s.Name(), s.Node)
	}
}

// movement is what training has added.
func movement(after, before []float32) []float32 {
	d := make([]float32, len(after))
	for i := range d {
		d[i] = after[i] - before[i]
	}
	return d
}

// solver steps by one of gorgonia's own.
func solver(s gorgonia.Solver) func(testing.TB, *Model, int) {
	return func(t testing.TB, m *Model, _ int) {
		t.Helper()
		var nodes gorgonia.Nodes
		for _, p := range m.Parameters {
			nodes = append(nodes, p.Node)
		}
		if err := s.Step(gorgonia.NodesToValueGrads(nodes)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTrainingAgreesWithTapeMachine trains every network with Adam, which is
// gorgonia's AdamSolver on the other side.
func TestTrainingAgreesWithTapeMachine(t *testing.T) {
	for _, n := range networks() {
		t.Run(n.name, func(t *testing.T) {
			compareTraining(t, n, adam, solver(gorgonia.NewAdamSolver(gorgonia.WithLearnRate(rate), gorgonia.WithBeta1(0.9), gorgonia.WithBeta2(0.999), gorgonia.WithEps(1e-8))))
		})
	}
}

// TestOptimizersAgree trains both models with every rule. gorgonia has the same
// rule for plain SGD and for momentum; its AdamW multiplies its moments by
// 1-βⁿ where the paper has β, it decays biases too and clips by element, so the
// rest is held against the rules written out in float64.
func TestOptimizersAgree(t *testing.T) {
	decayed := adam
	decayed.WeightDecay = 0.05
	decoupled := decayed
	decoupled.Kind = kernels.AdamW
	clipped := decoupled
	clipped.ClipNorm = 0.05
	momentum := Optimizer{Kind: kernels.SGD, Momentum: 0.9}
	rules := []struct {
		name   string
		o      Optimizer
		update func() func(testing.TB, *Model, int)
	}{
		{"sgd", Optimizer{Kind: kernels.SGD}, func() func(testing.TB, *Model, int) {
			return solver(gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(rate)))
		}},
		{"momentum", momentum, func() func(testing.TB, *Model, int) {
			return solver(gorgonia.NewMomentum(gorgonia.WithLearnRate(rate), momentumOf(0.9)))
		}},
	}
	for name, o := range map[string]Optimizer{
		"sgd, decay, clip": {Kind: kernels.SGD, WeightDecay: 0.05, ClipNorm: 0.05},
		"momentum, decay":  {Kind: kernels.SGD, Momentum: 0.9, WeightDecay: 0.05},
		"adam, reference":  adam, "adam, decay": decayed, "adamw": decoupled, "adamw, clip": clipped,
	} {
		rules = append(rules, struct {
			name   string
			o      Optimizer
			update func() func(testing.TB, *Model, int)
		}{name, o, func() func(testing.TB, *Model, int) { return newReference(o).update }})
	}
	all := networks()
	dnn, autoencoder := all[3], all[18]
	for _, r := range rules {
		for _, n := range []network{dnn, autoencoder} {
			t.Run(fmt.Sprintf("%s, %s", r.name, n.name), func(t *testing.T) {
				compareTraining(t, n, r.o, r.update())
			})
		}
	}
}

// momentumOf is gorgonia's default, which has no option of its own.
func momentumOf(m float64) gorgonia.SolverOpt {
	if m != 0.9 {
		panic("gorgonia's Momentum is 0.9")
	}
	return func(gorgonia.Solver) {}
}

// reference is the update rules of kernels.Update in float64, on a
// TapeMachine's gradients.
type reference struct {
	o      Optimizer
	m1, m2 map[string][]float64
}

func newReference(o Optimizer) *reference {
	return &reference{o, map[string][]float64{}, map[string][]float64{}}
}

func (r *reference) update(t testing.TB, m *Model, step int) {
	t.Helper()
	scale := r.clip(t, m)
	for _, p := range m.Parameters {
		name := p.Name()
		w := p.Node.Value().Data().([]float32)
		if r.m1[name] == nil {
			r.m1[name], r.m2[name] = make([]float64, len(w)), make([]float64, len(w))
		}
		decay := 0.0
		if strings.HasSuffix(name, ".weight") {
			decay = r.o.WeightDecay
		}
		for i, g := range valuesOf(t, p.Grad) {
			w[i] = float32(r.one(name, i, step, float64(w[i]), scale*float64(g), decay))
		}
	}
}

// clip is the factor that brings the joint norm of the gradients to ClipNorm.
func (r *reference) clip(t testing.TB, m *Model) float64 {
	sum := 0.0
	for _, p := range m.Parameters {
		for _, g := range valuesOf(t, p.Grad) {
			sum += float64(g) * float64(g)
		}
	}
	if norm := math.Sqrt(sum); r.o.ClipNorm > 0 && norm > r.o.ClipNorm {
		return r.o.ClipNorm / norm
	}
	return 1
}

// one is the new value of one element.
func (r *reference) one(name string, i, step int, w, g, decay float64) float64 {
	if r.o.Kind == kernels.AdamW {
		w -= rate * decay * w
	} else {
		g += decay * w
	}
	m1, m2 := &r.m1[name][i], &r.m2[name][i]
	if r.o.Kind == kernels.SGD {
		*m1 = r.o.Momentum*(*m1) + g
		return w - rate*(*m1)
	}
	*m1 = r.o.Beta1*(*m1) + (1-r.o.Beta1)*g
	*m2 = r.o.Beta2*(*m2) + (1-r.o.Beta2)*g*g
	first := *m1 / (1 - math.Pow(r.o.Beta1, float64(step)))
	second := *m2 / (1 - math.Pow(r.o.Beta2, float64(step)))
	return w - rate*first/(math.Sqrt(second)+r.o.Epsilon)
}

// TestGoldenLosses pins the first ten losses of two tiny runs in plain Go, which
// every build has. Seven digits: the math library rounds exp and log differently
// on other processors.
func TestGoldenLosses(t *testing.T) {
	all := networks()
	for i, file := range map[int]string{3: "dnn.losses.txt", 18: "autoencoder.losses.txt"} {
		n := all[i]
		x, y := n.flows(64, 1)
		m := mustBuild(t, n.a, n.o, 16)
		c := compileOn(t, "plain", m, adam, mustInit(t, m, 1))
		if err := c.machine.Bind(kernels.Data{X: x, Rows: 64, Cols: n.a.Inputs, Y: y}); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		order := make([]int32, 64)
		for step := range uint64(10) {
			shuffle := kernels.NewShuffle(len(order), 1, 0, step)
			shuffle.Fill(order, 0)
			fmt.Fprintf(&b, "%.7g\n", c.step(t, order[:16], &Clock{Seed: 1, Step: step + 1}))
		}
		golden(t, file, b.String())
	}
}
