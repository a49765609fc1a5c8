package graph

import (
	"fmt"
	"slices"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Lower reads the graph back and compiles it for the kernels: each layer with
// its activation and dropout becomes one instruction, which gathers its rows
// where it reads x; the gradient ops of a layer become one; the loss and its
// gradient become one; all parameters are updated by one. Gradients that nobody
// needs are left out, Score leaves out corruption and loss, and every buffer
// has its place. A node that no instruction can run is an error that names its op.
//
// Buffers are named after the graph's inputs: x, y, dense0.weight; with
// dense0.weight.grad, .m1 and .m2, dense0.output, dense0.output.grad, dense0.z,
// norm0.hat and norm0.inv_std beside them.
func (m *Model) Lower(o Optimizer) (*kernels.Program, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	l, err := m.lower()
	if err != nil {
		return nil, err
	}
	l.update(o)
	plan(&l.program, false)
	if err := l.program.Check(); err != nil {
		return nil, fmt.Errorf("graph: lower: %w", err)
	}
	return &l.program, nil
}

// lowering is a Program in the making.
type lowering struct {
	model    *Model
	forward  *forward
	backward *backward
	program  kernels.Program
	buf      map[*gorgonia.Node]kernels.Buf // where a node's value lies
	saved    map[*layer]saved
	names    map[string]bool
}

// lower makes the instructions of the graph: all but clipping and update, and
// without places.
func (m *Model) lower() (*lowering, error) {
	if m.X.Dtype() != tensor.Float32 {
		return nil, fmt.Errorf("graph: a graph of %v: kernels are float32", m.X.Dtype())
	}
	f, err := readForward(m.X, m.Y, m.Output, m.Loss)
	if err != nil {
		return nil, err
	}
	if err := f.checkAll(); err != nil {
		return nil, err
	}
	b, err := readBackward(f)
	if err != nil {
		return nil, err
	}
	l := &lowering{
		model: m, forward: f, backward: b,
		program: kernels.Program{Batch: m.X.Shape()[0]},
		buf:     map[*gorgonia.Node]kernels.Buf{},
		saved:   map[*layer]saved{},
		names:   map[string]bool{},
	}
	if err := l.inputs(); err != nil {
		return nil, err
	}
	l.instructions()
	return l, nil
}

// checkAll makes sure that nothing in the graph is left behind unsaid: inputs
// that nobody reads, ops that feed neither output nor loss, ops from elsewhere.
// Of this package's own ops only gradients may be dead.
func (f *forward) checkAll() error {
	known := slices.Concat([]*gorgonia.Node{f.x, f.y}, f.parameters, f.constants)
	for _, s := range f.statistics {
		known = append(known, s.Node, s.Next)
	}
	for _, n := range f.loss.Graph().AllNodes() {
		switch o, ours := n.Op().(op); {
		case slices.Contains(known, n):
		case n.Op() == nil:
			return fmt.Errorf("graph: input %s is neither x, y, a parameter, a statistic nor a weight of the loss", n.Name())
		case isConstant(n):
		case !ours:
			return foreign(n)
		case isForward(o.rule) && !f.reached[n]:
			return fmt.Errorf("graph: cannot lower op %q of node %s: it feeds neither the output nor the loss", o, n.Name())
		}
	}
	return nil
}

// isForward tells the ops that people put into a graph from those that
// differentiation puts there.
func isForward(r rule) bool {
	switch r.(type) {
	case movingMean, movingVariance:
		return true
	}
	_, ok := r.(differentiable)
	return ok
}

// add appends a buffer.
func (l *lowering) add(name string, kind kernels.Kind, rows, cols int, perSample bool) kernels.Buf {
	l.program.Buffers = append(l.program.Buffers, kernels.Buffer{
		Name: name, Kind: kind, Rows: rows, Cols: cols, PerSample: perSample, Offset: -1,
	})
	l.names[name] = true
	return kernels.Buf(len(l.program.Buffers) - 1)
}

// perRow appends an activation with a row for each of the batch.
func (l *lowering) perRow(name string, cols int) kernels.Buf {
	return l.add(name, kernels.Activation, l.program.Batch, cols, true)
}

// inputs makes the buffers of the graph's inputs and of the parameters' gradients.
func (l *lowering) inputs() error {
	type input struct {
		node *gorgonia.Node
		kind kernels.Kind
	}
	inputs := []input{{l.forward.x, kernels.Table}}
	if l.forward.y != nil {
		inputs = append(inputs, input{l.forward.y, kernels.Target})
	}
	for _, p := range l.forward.parameters {
		inputs = append(inputs, input{p, kernels.Parameter})
	}
	for _, s := range l.forward.statistics {
		inputs = append(inputs, input{s.Node, kernels.Statistic})
	}
	for _, c := range l.forward.constants {
		inputs = append(inputs, input{c, kernels.Constant})
	}
	for _, in := range inputs {
		if l.names[in.node.Name()] {
			return fmt.Errorf("graph: two inputs are named %s", in.node.Name())
		}
		shape := in.node.Shape()
		l.buf[in.node] = l.add(in.node.Name(), in.kind, shape[0], shape[1], in.kind == kernels.Table || in.kind == kernels.Target)
	}
	for _, p := range l.forward.parameters {
		shape := p.Shape()
		l.buf[l.gradientOf(p)] = l.add(p.Name()+".grad", kernels.Gradient, shape[0], shape[1], false)
	}
	return nil
}

// gradientOf finds a parameter's gradient among those of its layer.
func (l *lowering) gradientOf(p *gorgonia.Node) *gorgonia.Node {
	for layer, g := range l.backward.layers {
		if i := slices.Index(layer.parameters(), p); i >= 0 {
			return g.parameters[i]
		}
	}
	panic("graph: a parameter of no layer")
}

// instructions makes Train up to the gradients, and Score.
func (l *lowering) instructions() {
	for _, layer := range l.forward.layers {
		train, score := l.layer(layer)
		l.program.Train = append(l.program.Train, train)
		if score != nil && l.scores(layer) {
			l.program.Score = append(l.program.Score, score)
		}
	}
	l.program.Output = l.buf[l.forward.output]
	l.program.Train = append(l.program.Train, l.loss())
	for layer := l.forward.last; layer != nil && layer.trains; layer = layer.from {
		l.program.Train = append(l.program.Train, l.gradient(layer))
	}
}
