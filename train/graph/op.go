package graph

import (
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"slices"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// rule is what makes one op different from another. Operands are matrices of
// one dtype (float32 or float64), except where scalars says otherwise.
type rule interface {
	// label names the op with every attribute that its result depends on,
	// stream numbers included: gorgonia merges nodes of equal label and equal
	// operands, and Lower tells ops apart by it.
	label() string
	// operands names the operands, in order.
	operands() []string
	// infer is the shape of the result, or which operand does not fit and why.
	infer(in []extent) (extent, error)
	// compute fills out, zeroed and of the inferred shape. Operands are not
	// written. An error is a value that no op can take, such as a label that
	// is not a class.
	compute(in []matrix, out matrix) error
}

// differentiable rules have derivatives of their own.
type differentiable interface {
	rule
	// wrt says for each operand whether the result is differentiated by it.
	wrt() []bool
	// derive returns the derivative by each operand, nil where wrt is false.
	// grad is the derivative by the result.
	derive(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error)
}

// clocked rules behave differently from step to step and when scoring.
type clocked interface{ time() *Clock }

// scalars is a rule with scalar operands or a scalar result among matrices.
type scalars interface {
	scalar() (operands []bool, result bool)
}

// op makes a rule a gorgonia.Op. It is the one op type of this package.
type op struct{ rule }

var (
	_ gorgonia.SDOp        = op{}
	_ gorgonia.TrainModeOp = op{}
)

// errNoDerivative is returned for the ops that are derivatives themselves, and
// for the running statistics: nothing here needs second derivatives.
var errNoDerivative = errors.New("has no derivative")

// apply puts the rule into the operands' graph.
func apply(r rule, operands ...*gorgonia.Node) (*gorgonia.Node, error) {
	for i, n := range operands {
		if n == nil {
			return nil, fmt.Errorf("graph: %s: operand %s is missing", r.label(), r.operands()[i])
		}
	}
	shapes := make([]tensor.Shape, len(operands))
	for i, n := range operands {
		shapes[i] = n.Shape()
	}
	if _, err := (op{r}).extent(shapes); err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	n, err := gorgonia.ApplyOp(op{r}, operands...)
	if err != nil {
		return nil, fmt.Errorf("graph: %s: %w", r.label(), err)
	}
	if !slices.Equal(children(n), operands) {
		// gorgonia compares nodes by a 32-bit hash of op and operands alone.
		return nil, fmt.Errorf("graph: %s: its hash collides with that of %v; rename an input", r.label(), n)
	}
	return n, nil
}

// children are the operands of a node, in order.
func children(n *gorgonia.Node) []*gorgonia.Node {
	var c []*gorgonia.Node
	for it := n.Graph().From(n.ID()); it.Next(); {
		c = append(c, it.Node().(*gorgonia.Node))
	}
	return c
}

func (o op) String() string        { return o.label() }
func (o op) Arity() int            { return len(o.operands()) }
func (o op) ReturnsPtr() bool      { return false }
func (o op) CallsExtern() bool     { return false }
func (o op) OverwritesInput() int  { return -1 }
func (o op) WriteHash(h hash.Hash) { fmt.Fprint(h, o.label()) }

func (o op) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// kinds says which operands are scalars and whether the result is one.
func (o op) kinds() (operands []bool, result bool) {
	if s, ok := o.rule.(scalars); ok {
		return s.scalar()
	}
	return make([]bool, o.Arity()), false
}

// Type is Matrix a → ... → Matrix a, with a plain a for each scalar. gorgonia
// takes the returned type apart, so every call makes a new one.
func (o op) Type() hm.Type {
	operands, result := o.kinds()
	var t []hm.Type
	for _, scalar := range append(slices.Clone(operands), result) {
		if scalar {
			t = append(t, hm.TypeVariable('a'))
		} else {
			t = append(t, gorgonia.TensorType{Dims: 2, Of: hm.TypeVariable('a')})
		}
	}
	return hm.NewFnType(t...)
}

// InferShape names the operand that does not fit.
func (o op) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	shapes, err := gorgonia.DimSizersToShapes(in)
	if err != nil {
		return nil, err
	}
	e, err := o.extent(shapes)
	if err != nil {
		return nil, err
	}
	if _, scalar := o.kinds(); scalar {
		return tensor.ScalarShape(), nil
	}
	return tensor.Shape{e.rows, e.cols}, nil
}

func (o op) extent(shapes []tensor.Shape) (extent, error) {
	if len(shapes) != o.Arity() {
		return extent{}, fmt.Errorf("%s: %d operands, want %d", o, len(shapes), o.Arity())
	}
	in := make([]extent, len(shapes))
	for i, s := range shapes {
		var err error
		if in[i], err = extentOf(s); err != nil {
			return extent{}, fmt.Errorf("%s: operand %s: %w", o, o.operands()[i], err)
		}
	}
	out, err := o.infer(in)
	if err != nil {
		return extent{}, fmt.Errorf("%s: %w", o, err)
	}
	return out, nil
}

// Do computes the op in float64 and rounds the result to the operands' dtype.
func (o op) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	shapes := make([]tensor.Shape, len(in))
	args := make([]matrix, len(in))
	for i, v := range in {
		var err error
		if args[i], err = load(v); err != nil {
			return nil, fmt.Errorf("%s: operand %d: %w", o, i, err)
		}
		if v.Dtype() != in[0].Dtype() {
			return nil, fmt.Errorf("%s: operands of %v and %v: want one dtype", o, in[0].Dtype(), v.Dtype())
		}
		shapes[i] = v.Shape()
	}
	e, err := o.extent(shapes)
	if err != nil {
		return nil, err
	}
	out := newMatrix(e)
	if err := o.compute(args, out); err != nil {
		return nil, fmt.Errorf("%s: %w", o, err)
	}
	_, scalar := o.kinds()
	return out.store(in[0].Dtype(), scalar), nil
}

// DiffWRT implements gorgonia.SDOp.
func (o op) DiffWRT(n int) []bool {
	if d, ok := o.rule.(differentiable); ok {
		return d.wrt()
	}
	return make([]bool, n)
}

// SymDiff implements gorgonia.SDOp.
func (o op) SymDiff(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	d, ok := o.rule.(differentiable)
	if !ok {
		return nil, fmt.Errorf("graph: %s %w", o, errNoDerivative)
	}
	return d.derive(in, out, grad)
}

// SetTraining implements gorgonia.TrainModeOp.
func (o op) SetTraining(training bool) error {
	if c, ok := o.rule.(clocked); ok {
		c.time().Scoring = !training
	}
	return nil
}
