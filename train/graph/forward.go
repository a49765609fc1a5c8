package graph

import (
	"fmt"
	"slices"
	"strings"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
)

// layer is what becomes one instruction of the forward pass: a dense, a norm or
// a corruption, with the activation and the dropout that follow it.
type layer struct {
	name       string
	root       *gorgonia.Node
	activation *gorgonia.Node // nil where there is none
	dropout    *gorgonia.Node // nil where there is none
	from       *layer         // whose top the root reads; nil where that is x
	trains     bool           // it or a layer before it has parameters
}

// top is the last node of the layer, the one that others read.
func (l *layer) top() *gorgonia.Node {
	switch {
	case l.dropout != nil:
		return l.dropout
	case l.activation != nil:
		return l.activation
	}
	return l.root
}

func (l *layer) rule() rule         { return l.root.Op().(op).rule }
func (l *layer) in() *gorgonia.Node { return children(l.root)[0] }

// parameters are the trained operands of the root, in order.
func (l *layer) parameters() []*gorgonia.Node {
	c := children(l.root)
	switch l.rule().(type) {
	case dense:
		return c[1:]
	case layerNorm, batchNorm:
		return c[1:3]
	}
	return nil
}

// function is the layer's activation.
func (l *layer) function() kernels.ActivationFunc {
	if l.activation == nil {
		return kernels.Identity
	}
	return l.activation.Op().(op).rule.(activation).f
}

func (l *layer) epilogue() kernels.Epilogue {
	e := kernels.Epilogue{Activation: l.function()}
	if l.dropout != nil {
		d := l.dropout.Op().(op).rule.(dropout)
		e.DropRate, e.Stream = d.rate, d.stream
	}
	return e
}

// forward is a network read back from its graph.
type forward struct {
	x, y, output, loss *gorgonia.Node
	reached            map[*gorgonia.Node]bool   // what output and loss are computed from
	layers             []*layer                  // in the order they run
	last               *layer                    // the one that the loss reads
	of                 map[*gorgonia.Node]*layer // each node of a layer to it
	parameters         []*gorgonia.Node          // in the order of the layers
	statistics         []Statistic
	constants          []*gorgonia.Node
	clock              *Clock // the one of all clocked ops; nil where there are none
	streams            map[uint32]string
}

// readForward finds the layers between x and output and loss. A node that is
// not one of this package's ops, or that stands where no instruction could run
// it, is an error that names it.
func readForward(x, y, output, loss *gorgonia.Node) (*forward, error) {
	f := &forward{
		x: x, y: y, output: output, loss: loss,
		reached: map[*gorgonia.Node]bool{},
		of:      map[*gorgonia.Node]*layer{},
		streams: map[uint32]string{},
	}
	if err := checkLoss(loss); err != nil {
		return nil, err
	}
	f.reach(output)
	f.reach(loss)
	sorted, err := gorgonia.Sort(loss.Graph())
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	for _, n := range slices.Backward(sorted) {
		if f.reached[n] && n.Op() != nil {
			if err := f.place(n); err != nil {
				return nil, err
			}
		}
	}
	if f.of[output] == nil {
		return nil, fmt.Errorf("graph: output %s is not computed by a layer", output.Name())
	}
	return f, f.readLoss()
}

func (f *forward) reach(n *gorgonia.Node) {
	if f.reached[n] {
		return
	}
	f.reached[n] = true
	for _, c := range children(n) {
		f.reach(c)
	}
}

// place makes n a layer, adds it to one, or says why it cannot be lowered.
func (f *forward) place(n *gorgonia.Node) error {
	o, ok := n.Op().(op)
	if !ok {
		return foreign(n)
	}
	if c, ok := o.rule.(clocked); ok {
		if f.clock != nil && f.clock != c.time() {
			return fmt.Errorf("graph: %s has another clock than the ops before it", o)
		}
		f.clock = c.time()
	}
	switch r := o.rule.(type) {
	case dense:
		return f.addLayer(n, ".weight")
	case layerNorm:
		return f.addLayer(n, ".gain")
	case batchNorm:
		if err := f.addLayer(n, ".gain"); err != nil {
			return err
		}
		return f.readStatistics(n)
	case corrupt:
		if err := f.claimStream(r.stream, o); err != nil {
			return err
		}
		return f.addLayer(n, "")
	case activation:
		return f.fuse(n, func(l *layer) bool { return l.activation == nil && l.dropout == nil }, func(l *layer) { l.activation = n })
	case dropout:
		if err := f.claimStream(r.stream, o); err != nil {
			return err
		}
		return f.fuse(n, func(l *layer) bool { return l.dropout == nil }, func(l *layer) { l.dropout = n })
	case meanLoss:
		if n != f.loss {
			return fmt.Errorf("graph: cannot lower op %q: a loss stands before the output or the loss", o)
		}
		return nil
	}
	return fmt.Errorf("graph: cannot lower op %q: it stands in the forward pass", o)
}

// foreign is the error of a node with an op from elsewhere.
func foreign(n *gorgonia.Node) error {
	if n.Op() == nil {
		return fmt.Errorf("graph: input %s stands where an op is wanted", n.Name())
	}
	return fmt.Errorf("graph: cannot lower op %q of node %s: it is none of this package's ops", n.Op(), n.Name())
}

// claimStream makes sure that no two sites draw the same numbers.
func (f *forward) claimStream(stream uint32, o op) error {
	if other, taken := f.streams[stream]; taken {
		return fmt.Errorf("graph: %q and %q draw from one stream: give each its own", other, o)
	}
	f.streams[stream] = o.String()
	return nil
}

// addLayer starts a layer at n, named after its first parameter.
func (f *forward) addLayer(n *gorgonia.Node, suffix string) error {
	l := &layer{root: n}
	in := l.in()
	l.from = f.of[in]
	if in != f.x && (l.from == nil || l.from.top() != in) {
		return fmt.Errorf("graph: cannot lower op %q: it reads %s, which is neither x nor what a layer leaves", n.Op(), in.Name())
	}
	for _, p := range l.parameters() {
		if p.Op() != nil || p == f.x || p == f.y {
			return fmt.Errorf("graph: cannot lower op %q: its parameter %s is computed", n.Op(), p.Name())
		}
		if slices.Contains(f.parameters, p) {
			return fmt.Errorf("graph: parameter %s is used twice; gradients of two uses cannot be added", p.Name())
		}
		f.parameters = append(f.parameters, p)
	}
	l.name = fmt.Sprintf("corrupt%d", len(f.layers)) // the one kind without parameters
	if p := l.parameters(); len(p) > 0 {
		l.name = strings.TrimSuffix(p[0].Name(), suffix)
	}
	l.trains = len(l.parameters()) > 0 || l.from != nil && l.from.trains
	f.layers = append(f.layers, l)
	f.of[n] = l
	return nil
}

// fuse adds n to the layer of its operand where the layer has room for it and
// nobody else needs the operand.
func (f *forward) fuse(n *gorgonia.Node, room func(*layer) bool, add func(*layer)) error {
	in := children(n)[0]
	l := f.of[in]
	if l == nil || l.top() != in || !room(l) {
		return fmt.Errorf("graph: cannot lower op %q: it does not follow a dense or a norm", n.Op())
	}
	if _, ok := l.rule().(corrupt); ok {
		return fmt.Errorf("graph: cannot lower op %q: it follows %q", n.Op(), l.root.Op())
	}
	if in == f.output || len(f.readers(in)) > 1 {
		return fmt.Errorf("graph: cannot lower op %q: its operand %s is read elsewhere too and cannot be fused away", n.Op(), in.Name())
	}
	add(l)
	f.of[n] = l
	return nil
}

// readers are the nodes of the forward pass that have n as an operand.
func (f *forward) readers(n *gorgonia.Node) []*gorgonia.Node {
	return slices.DeleteFunc(consumers(n), func(c *gorgonia.Node) bool { return !f.reached[c] })
}

// consumers are the nodes of the graph that have n as an operand.
func consumers(n *gorgonia.Node) []*gorgonia.Node {
	var c []*gorgonia.Node
	for it := n.Graph().To(n.ID()); it.Next(); {
		c = append(c, it.Node().(*gorgonia.Node))
	}
	return c
}

// readStatistics pairs the running statistics of a batch norm with the nodes
// that move them by the same batch.
func (f *forward) readStatistics(n *gorgonia.Node) error {
	c := children(n)
	for i, running := range c[3:] {
		next := moverOf(running, c[0], i == 0)
		if next == nil {
			return fmt.Errorf("graph: %s of %q is not moved by the batch: make it with BatchNorm", running.Name(), n.Op())
		}
		f.statistics = append(f.statistics, Statistic{running, next})
	}
	return nil
}

// moverOf finds the moving mean or variance of running by x.
func moverOf(running, x *gorgonia.Node, mean bool) *gorgonia.Node {
	for _, c := range consumers(running) {
		o, ok := c.Op().(op)
		if !ok || !slices.Equal(children(c), []*gorgonia.Node{running, x}) {
			continue
		}
		if _, isMean := o.rule.(movingMean); isMean && mean {
			return c
		}
		if _, isVariance := o.rule.(movingVariance); isVariance && !mean {
			return c
		}
	}
	return nil
}

// checkTrained makes sure that the loss depends on every parameter. As a layer
// reads one other, what trains is one chain.
func (f *forward) checkTrained() error {
	trained := map[*layer]bool{}
	for l := f.last; l != nil; l = l.from {
		trained[l] = true
	}
	for _, l := range f.layers {
		if p := l.parameters(); len(p) > 0 && !trained[l] {
			return fmt.Errorf("graph: the loss does not depend on parameter %s", p[0].Name())
		}
	}
	return nil
}

// checkLoss makes sure that the loss is one, not something made of one.
func checkLoss(loss *gorgonia.Node) error {
	o, ok := loss.Op().(op)
	if !ok {
		return foreign(loss)
	}
	if _, ok := o.rule.(meanLoss); !ok {
		return fmt.Errorf("graph: cannot lower op %q: it is no loss", o)
	}
	return nil
}

// readLoss checks what the loss is computed from.
func (f *forward) readLoss() error {
	o, c := f.loss.Op(), children(f.loss)
	pred, target := c[0], c[1]
	if l := f.of[pred]; l == nil || l.top() != pred {
		return fmt.Errorf("graph: cannot lower op %q: %s is not what a layer leaves", o, pred.Name())
	}
	f.last = f.of[pred]
	if err := f.checkTrained(); err != nil {
		return err
	}
	l := f.of[target]
	switch {
	case target == f.y, target == f.x, l != nil && l.top() == target:
	default:
		return fmt.Errorf("graph: cannot lower op %q: its target %s is neither x, y nor what a layer leaves", o, target.Name())
	}
	if f.y != nil && target != f.y {
		return fmt.Errorf("graph: y is %s, but the target of %q is %s", f.y.Name(), o, target.Name())
	}
	for _, weight := range c[2:] {
		if weight.Op() != nil {
			return fmt.Errorf("graph: cannot lower op %q: its weights %s are computed", o, weight.Name())
		}
		f.constants = append(f.constants, weight)
	}
	return nil
}
