package graph

import (
	"fmt"
	"sync"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Model is a differentiated graph and the names of its parts. Its fields are
// read from the graph by NewModel and are not to be changed.
type Model struct {
	Graph *gorgonia.ExprGraph
	Clock *Clock // of every random op; its fields belong to whoever trains

	X      *gorgonia.Node // batch×inputs
	Y      *gorgonia.Node // batch×1 targets; nil where the target is X itself
	Output *gorgonia.Node // batch×outputs: logits, or a reconstruction
	Loss   *gorgonia.Node // scalar

	Parameters []Parameter      // in the order of the layers: the order of Program buffers and updates
	Statistics []Statistic      // running means and variances
	Constants  []*gorgonia.Node // weights of a loss's columns
}

// Parameter is a trained input of the graph and its gradient.
type Parameter struct{ Node, Grad *gorgonia.Node }

// Name is the name of the Parameter's buffer.
func (p Parameter) Name() string { return p.Node.Name() }

// Statistic is an input of the graph that training moves: Next is what it
// becomes after a step.
type Statistic struct{ Node, Next *gorgonia.Node }

// Name is the name of the Statistic's buffer.
func (s Statistic) Name() string { return s.Node.Name() }

// gradMutex guards gorgonia.Grad, which caches a hash in a node that all
// graphs of a process share.
var gradMutex sync.Mutex

// NewModel reads the network between x and loss back from a graph made of this
// package's ops and differentiates it by every parameter: the weights and
// biases of Dense, the gains and biases of the norms. y is the target column,
// nil where the loss compares with x or with a layer. A graph that Lower could
// not lower is an error here already.
func NewModel(x, y, output, loss *gorgonia.Node) (*Model, error) {
	if x == nil || output == nil || loss == nil {
		panic("graph: NewModel without x, output or loss")
	}
	f, err := readForward(x, y, output, loss)
	if err != nil {
		return nil, err
	}
	if len(f.parameters) == 0 {
		return nil, fmt.Errorf("graph: nothing between x and the loss has parameters to train")
	}
	m := &Model{
		Graph: loss.Graph(), Clock: f.clock, X: x, Y: y, Output: output, Loss: loss,
		Statistics: f.statistics, Constants: f.constants,
	}
	if m.Clock == nil {
		m.Clock = NewClock(0)
	}
	gradMutex.Lock()
	defer gradMutex.Unlock()
	grads, err := gorgonia.Grad(loss, f.parameters...)
	if err != nil {
		return nil, fmt.Errorf("graph: differentiate: %w", err)
	}
	for i, p := range f.parameters {
		m.Parameters = append(m.Parameters, Parameter{p, grads[i]})
	}
	if _, err := readBackward(f); err != nil {
		return nil, err
	}
	return m, nil
}

// Bind copies values into the input nodes of these names: parameters,
// statistics, constants, x or y. A name that is none of them or a length that
// does not fit is an error, and then some may be bound already.
func (m *Model) Bind(values map[string][]float32) error {
	for name, v := range values {
		nodes := m.Graph.ByName(name)
		if len(nodes) != 1 {
			return fmt.Errorf("graph: bind %q: the graph has no such input", name)
		}
		if err := bind(nodes[0], v); err != nil {
			return err
		}
	}
	return nil
}

// bind gives an input node a value of its own shape and dtype.
func bind(n *gorgonia.Node, v []float32) error {
	e, err := extentOf(n.Shape())
	if err != nil {
		return fmt.Errorf("graph: bind %s: %w", n.Name(), err)
	}
	if len(v) != e.rows*e.cols {
		return fmt.Errorf("graph: bind %s: %d values for %v", n.Name(), len(v), e)
	}
	value := newMatrix(e)
	for i, x := range v {
		value.data[i] = float64(x)
	}
	if err := gorgonia.Let(n, value.store(n.Dtype(), false)); err != nil {
		return fmt.Errorf("graph: bind %s: %w", n.Name(), err)
	}
	return nil
}

// Advance ends a step: the statistics take their moved values and the clock
// goes on. Call it after a machine has run in training form.
func (m *Model) Advance() error {
	for _, s := range m.Statistics {
		v, ok := s.Next.Value().(*tensor.Dense)
		if !ok {
			return fmt.Errorf("graph: advance: %s has not been computed: run a machine first", s.Next.Name())
		}
		if err := gorgonia.Let(s.Node, v.Clone()); err != nil {
			return fmt.Errorf("graph: advance: %w", err)
		}
	}
	m.Clock.Step++
	return nil
}
