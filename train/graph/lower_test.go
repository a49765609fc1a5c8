package graph

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// golden compares text with a file in testdata, or rewrites the file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./train/graph -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs; read the diff, then run with -update\n--- got\n%s--- want\n%s", path, got, want)
	}
}

// listing writes a program down with names in place of buffer numbers.
func listing(p *kernels.Program) string {
	var b strings.Builder
	for _, part := range []struct {
		name string
		list []kernels.Instruction
	}{{"train", p.Train}, {"score", p.Score}} {
		fmt.Fprintf(&b, "%s\n", part.name)
		for _, in := range part.list {
			fmt.Fprintf(&b, "  %s\n", line(p, in))
		}
	}
	sum := 0
	for _, buffer := range p.Buffers {
		if buffer.Kind == kernels.Activation {
			sum += aligned(buffer.Len())
		}
	}
	fmt.Fprintf(&b, "output %s, arena %d, activations %d if each had its own place\n", p.Buffers[p.Output].Name, p.ArenaLen, sum)
	return b.String()
}

// line writes an instruction as its type and its fields, buffers by name; what
// is None or zero is left out.
func line(p *kernels.Program, in kernels.Instruction) string {
	v := reflect.ValueOf(in)
	words := []string{v.Type().Name()}
	for i := range v.NumField() {
		field := v.Type().Field(i).Name
		switch f := v.Field(i).Interface().(type) {
		case kernels.Buf:
			if f != kernels.None {
				words = append(words, field+"="+p.Buffers[f].Name)
			}
		case []kernels.Buf:
			var names []string
			for _, b := range f {
				if b != kernels.None {
					names = append(names, p.Buffers[b].Name)
				}
			}
			words = append(words, fmt.Sprintf("%s=%v", field, names))
		default:
			if !v.Field(i).IsZero() {
				words = append(words, fmt.Sprintf("%s=%+v", field, f))
			}
		}
	}
	return strings.Join(words, " ")
}

var adam = Optimizer{Kind: kernels.Adam, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}

func mustBuild(t testing.TB, a Architecture, o Objective, batch int) *Model {
	t.Helper()
	m, err := Build(a, o, batch)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustLower(t testing.TB, m *Model, o Optimizer) *kernels.Program {
	t.Helper()
	p, err := m.Lower(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestLoweredPrograms pins the instructions of three networks: what is fused,
// in what order, and how large the arena is.
func TestLoweredPrograms(t *testing.T) {
	clipped := adam
	clipped.ClipNorm = 1
	cases := []struct {
		name string
		a    Architecture
		o    Objective
		opt  Optimizer
	}{
		{
			"dnn", Architecture{Inputs: 78, Hidden: []int{128, 64, 32}, Outputs: 1, Activation: kernels.ReLU, Dropout: 0.1},
			Objective{Kind: kernels.BCE, ClassWeight: []float32{1, 100}}, clipped,
		},
		{
			"multiclass", Architecture{Inputs: 78, Hidden: []int{64, 32}, Outputs: 15, Activation: kernels.GELU, Norm: "layer"},
			Objective{Kind: kernels.SoftmaxCE, Gamma: 2}, Optimizer{Kind: kernels.SGD},
		},
		{
			"autoencoder", Architecture{Inputs: 77, Hidden: []int{64, 16, 64}, Outputs: 77, Activation: kernels.Tanh, Norm: "batch", Sigma: 0.1, Mask: 0.2},
			Objective{Kind: kernels.Huber, Delta: 1, FeatureWeight: true}, Optimizer{Kind: kernels.SGD, Momentum: 0.9, WeightDecay: 1e-4},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			golden(t, c.name+".program.txt", listing(mustLower(t, mustBuild(t, c.a, c.o, 1024), c.opt)))
		})
	}
}

// TestFirstLayerHasNoInputGradient: gorgonia differentiates by x, and Lower
// leaves that out.
func TestFirstLayerHasNoInputGradient(t *testing.T) {
	for _, sigma := range []float64{0, 0.5} {
		a := Architecture{Inputs: 5, Hidden: []int{4}, Outputs: 5, Activation: kernels.ReLU, Sigma: sigma}
		p := mustLower(t, mustBuild(t, a, Objective{Kind: kernels.MSE}, 8), adam)
		var grads []kernels.DenseGrad
		for _, in := range p.Train {
			if g, ok := in.(kernels.DenseGrad); ok {
				grads = append(grads, g)
			}
		}
		if len(grads) != 2 || grads[0].DX == kernels.None || grads[1].DX != kernels.None {
			t.Errorf("noise %v: gradients %+v: want DX of the second layer alone", sigma, grads)
		}
	}
}

// randomNetwork draws an architecture and an objective for it.
func randomNetwork(r *rand.Rand) (Architecture, Objective) {
	a := Architecture{Inputs: 1 + r.IntN(40), Activation: kernels.ActivationFunc(r.IntN(6)), Norm: []string{"", "layer", "batch"}[r.IntN(3)]}
	for range r.IntN(6) {
		a.Hidden = append(a.Hidden, 1+r.IntN(70))
	}
	a.Dropout, a.Sigma, a.Mask = 0.5*float64(r.IntN(2)), float64(r.IntN(2)), 0.5*float64(r.IntN(2))
	o := Objective{Kind: kernels.BCE + kernels.LossKind(r.IntN(4))}
	switch a.Outputs = a.Inputs; o.Kind {
	case kernels.BCE:
		a.Outputs = 1
	case kernels.SoftmaxCE:
		a.Outputs = 2 + r.IntN(20)
	case kernels.Huber:
		o.Delta = 1
		fallthrough
	case kernels.MSE:
		o.FeatureWeight = r.IntN(2) == 1
	}
	return a, o
}

// TestPlansKeepValuesApart runs random programs over an arena that remembers
// which buffer wrote each place last: a buffer must find its own marks wherever
// it is read, in a training step, in scoring after it, and in the next step.
func TestPlansKeepValuesApart(t *testing.T) {
	shared := 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		a, o := randomNetwork(r)
		p := mustLower(t, mustBuild(t, a, o, 1+r.IntN(50)), []Optimizer{{Kind: kernels.SGD}, adam}[r.IntN(2)])
		if err := markArena(p); err != nil {
			t.Fatalf("seed %d: %+v: %v\n%s", seed, a, err, listing(p))
		}
		sum := 0
		for _, b := range p.Buffers {
			if b.Offset >= 0 {
				sum += aligned(b.Len())
			}
		}
		if p.ArenaLen > sum {
			t.Errorf("seed %d: arena %d is larger than all buffers side by side, %d", seed, p.ArenaLen, sum)
		}
		if p.ArenaLen < sum {
			shared++
		}
	}
	if shared < 20 {
		t.Errorf("only %d of 40 plans share a place", shared)
	}
}

func markArena(p *kernels.Program) error {
	marks := make([]kernels.Buf, p.ArenaLen)
	mark := func(b kernels.Buf) {
		for i := range p.Buffers[b].Len() {
			marks[p.Buffers[b].Offset+i] = b
		}
	}
	check := func(b kernels.Buf, where string) error {
		for i := range p.Buffers[b].Len() {
			if other := marks[p.Buffers[b].Offset+i]; other != b {
				return fmt.Errorf("%s reads %s where %s was written", where, p.Buffers[b].Name, p.Buffers[other].Name)
			}
		}
		return nil
	}
	for i, b := range p.Buffers {
		if b.Kind != kernels.Activation && b.Offset >= 0 {
			mark(kernels.Buf(i))
		}
	}
	for _, in := range append(append(append([]kernels.Instruction{}, p.Train...), p.Score...), p.Train...) {
		for _, o := range kernels.Operands(in) {
			if p.Buffers[o.Buf].Offset < 0 {
				continue
			}
			if o.Access&kernels.Read != 0 {
				if err := check(o.Buf, line(p, in)); err != nil {
					return err
				}
			}
			if o.Access&kernels.Write != 0 {
				mark(o.Buf)
			}
		}
	}
	for _, in := range p.Score {
		for _, o := range kernels.Operands(in) {
			if o.Access&kernels.Write != 0 {
				mark(o.Buf)
			}
		}
	}
	return check(p.Output, "the host")
}

// hand are the inputs of a network put together by hand, 3 → 2 → 1 for 4 rows.
type hand struct {
	x, y, w0, b0, g0, w1, b1 *gorgonia.Node
	clock                    *Clock
}

func newHand() hand {
	g := gorgonia.NewGraph()
	in := func(name string, rows, cols int) *gorgonia.Node {
		return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(rows, cols), gorgonia.WithName(name))
	}
	return hand{
		x: in("flows", 4, 3), y: in("attack", 4, 1),
		w0: in("first", 3, 2), b0: in("first bias", 1, 2), g0: in("first gain", 1, 2),
		w1: in("second.weight", 2, 1), b1: in("second bias", 1, 1), clock: NewClock(1),
	}
}

func must(t *testing.T) func(n *gorgonia.Node, err error) *gorgonia.Node {
	return func(n *gorgonia.Node, err error) *gorgonia.Node {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

// TestHandMadeGraphLowers: nothing is remembered from Build.
func TestHandMadeGraphLowers(t *testing.T) {
	h, ok := newHand(), must(t)
	normed := ok(LayerNorm(ok(Dense(h.x, h.w0, nil)), h.g0, h.b0, 1e-5))
	hidden := ok(Dropout(ok(Activate(kernels.LeakyReLU, normed)), 0.5, 9, h.clock))
	logits := ok(Dense(hidden, h.w1, h.b1))
	m, err := NewModel(h.x, h.y, logits, ok(BinaryCrossEntropy(logits, h.y, nil, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if m.Clock != h.clock {
		t.Error("the model has another clock than its dropout")
	}
	golden(t, "handmade.program.txt", listing(mustLower(t, m, Optimizer{Kind: kernels.SGD})))
}

// TestOutputInTheMiddle: the output may be a hidden layer; Score stops there.
func TestOutputInTheMiddle(t *testing.T) {
	h, ok := newHand(), must(t)
	hidden := ok(Activate(kernels.Tanh, ok(LayerNorm(ok(Dense(h.x, h.w0, nil)), h.g0, h.b0, 1e-5))))
	logits := ok(Dense(hidden, h.w1, h.b1))
	m, err := NewModel(h.x, h.y, hidden, ok(BinaryCrossEntropy(logits, h.y, nil, 0)))
	if err != nil {
		t.Fatal(err)
	}
	p := mustLower(t, m, adam)
	if len(p.Score) != 2 || p.Buffers[p.Output].Name != "first gain.output" {
		t.Errorf("score has %d instructions and leaves %s", len(p.Score), p.Buffers[p.Output].Name)
	}
}
