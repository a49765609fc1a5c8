package graph

import (
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// stock is the DNN 78-128-64-32-1 as a user of gorgonia writes it: its own ops,
// gradients, TapeMachine and solver, none of ours.
type stock struct {
	x, y, weight *gorgonia.Node
	parameters   gorgonia.Nodes
	loss         *gorgonia.Node
}

func newStock(tb testing.TB, batch int) stock {
	tb.Helper()
	g := gorgonia.NewGraph()
	sizes := []int{78, 128, 64, 32, 1}
	s := stock{
		x:      gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(batch, sizes[0]), gorgonia.WithName("x")),
		y:      gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(batch, 1), gorgonia.WithName("y")),
		weight: gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(batch, 1), gorgonia.WithName("weight")),
	}
	h := s.x
	for i, width := range sizes[1:] {
		w := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(sizes[i], width), gorgonia.WithInit(gorgonia.GlorotU(1)))
		b := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(1, width), gorgonia.WithInit(gorgonia.Zeroes()))
		s.parameters = append(s.parameters, w, b)
		h = gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(h, w)), b, nil, []byte{0}))
		if width > 1 {
			h = gorgonia.Must(gorgonia.Rectify(h))
		}
	}
	// Cross-entropy of a logit z: weight·(softplus(z) - z·y).
	rest := gorgonia.Must(gorgonia.Sub(gorgonia.Must(gorgonia.Softplus(h)), gorgonia.Must(gorgonia.HadamardProd(h, s.y))))
	s.loss = gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.HadamardProd(s.weight, rest))))
	if _, err := gorgonia.Grad(s.loss, s.parameters...); err != nil {
		tb.Fatal(err)
	}
	return s
}

// BenchmarkTapeMachine is the ruler of stock gorgonia: one Adam step at batch
// 1024, rows gathered by index.
func BenchmarkTapeMachine(b *testing.B) {
	const batch, table, positives = 1024, 100_000, 36
	s := newStock(b, batch)
	vm := gorgonia.NewTapeMachine(s.x.Graph(), gorgonia.BindDualValues(s.parameters...))
	defer vm.Close()
	solver := gorgonia.NewAdamSolver(gorgonia.WithLearnRate(1e-3))
	rng := rand.New(rand.NewPCG(1, 2))
	all := make([]float32, table*78)
	for i := range all {
		all[i] = float32(rng.NormFloat64())
	}
	order := rng.Perm(table)
	x, y, weight := make([]float32, batch*78), make([]float32, batch), make([]float32, batch)
	bind := func(n *gorgonia.Node, values []float32) {
		if err := gorgonia.Let(n, tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(values))); err != nil {
			b.Fatal(err)
		}
	}
	step := 0
	for b.Loop() {
		from := step * batch % (table - batch)
		for i, row := range order[from : from+batch] {
			copy(x[i*78:(i+1)*78], all[row*78:])
			y[i], weight[i] = 0, 1
			if row < positives {
				y[i], weight[i] = 1, (table-positives)/positives
			}
		}
		bind(s.x, x)
		bind(s.y, y)
		bind(s.weight, weight)
		if err := vm.RunAll(); err != nil {
			b.Fatal(err)
		}
		if err := solver.Step(gorgonia.NodesToValueGrads(s.parameters)); err != nil {
			b.Fatal(err)
		}
		vm.Reset()
		step++
	}
	b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "samples/s")
}
