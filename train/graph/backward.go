package graph

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
)

// gradients are the nodes of one layer's backward pass.
type gradients struct {
	top        *gorgonia.Node   // by what the layer leaves
	in         *gorgonia.Node   // by what the layer reads; nil where nobody needs it
	parameters []*gorgonia.Node // by each of layer.parameters
}

// backward is the derivative read back from the graph.
type backward struct {
	pred   *gorgonia.Node // by the loss's pred
	layers map[*layer]gradients
}

// readBackward finds the gradient nodes of every layer that trains, from the
// loss down. What gorgonia made and nobody needs, such as the gradient by x,
// is not in it.
func readBackward(f *forward) (*backward, error) {
	pred, err := lossGradient(f.loss)
	if err != nil {
		return nil, err
	}
	b, top := &backward{pred, map[*layer]gradients{}}, pred
	for l := f.last; l != nil && l.trains; l = l.from {
		g, err := l.gradients(top)
		if err != nil {
			return nil, err
		}
		b.layers[l], top = g, g.in
	}
	return b, nil
}

// lossGradient finds the gradient of the loss in pred. The fused instruction
// starts from dLoss = 1; a loss that is scaled afterwards is not one it can do.
func lossGradient(loss *gorgonia.Node) (*gorgonia.Node, error) {
	want := op{meanLossGrad{loss.Op().(op).rule.(meanLoss).rowLoss}}.String()
	operands := children(loss)
	for _, n := range consumers(operands[0]) {
		c := children(n)
		if n.Op().String() != want || len(c) != len(operands)+1 || !slices.Equal(c[:len(operands)], operands) {
			continue
		}
		if isOne(c[len(operands)]) {
			return n, nil
		}
		return nil, fmt.Errorf("graph: cannot lower op %q: it is not given the constant 1 as dLoss", n.Op())
	}
	return nil, fmt.Errorf("graph: %q is not in the graph: it has not been differentiated", want)
}

// isOne tells gorgonia's constant 1.
func isOne(n *gorgonia.Node) bool {
	if !isConstant(n) {
		return false
	}
	v := n.Value().Data()
	return v == any(float32(1)) || v == any(float64(1))
}

// isConstant tells gorgonia's constants, whose type it keeps to itself.
func isConstant(n *gorgonia.Node) bool {
	_, ok := n.Op().(interface{ Value() gorgonia.Value })
	return ok
}

// gradients walks from the gradient by the top of the layer to those by its operands.
func (l *layer) gradients(top *gorgonia.Node) (gradients, error) {
	g, dz := gradients{top: top}, top
	var err error
	if l.dropout != nil {
		if dz, err = find(dropoutGrad{l.dropout.Op().(op).rule.(dropout)}, dz); err != nil {
			return g, err
		}
	}
	if l.activation != nil {
		a := l.activation.Op().(op).rule.(activation)
		if dz, err = find(activationGrad{a}, l.root, l.activation, dz); err != nil {
			return g, err
		}
	}
	in, parameters, err := l.wanted(dz)
	if err != nil {
		return g, err
	}
	for _, w := range parameters {
		n, err := find(w.rule, w.operands...)
		if err != nil {
			return g, err
		}
		g.parameters = append(g.parameters, n)
	}
	if l.from == nil || !l.from.trains {
		return g, nil
	}
	g.in, err = find(in.rule, in.operands...)
	return g, err
}

// wanted is a gradient node by its rule and operands.
type wanted struct {
	rule     rule
	operands []*gorgonia.Node
}

// wanted are the gradients by what the layer reads and by its parameters, from
// that by its root.
func (l *layer) wanted(dz *gorgonia.Node) (in wanted, parameters []wanted, err error) {
	c := children(l.root)
	x := c[0]
	over := func(r rule, operands ...*gorgonia.Node) wanted { return wanted{r, operands} }
	switch r := l.rule().(type) {
	case dense:
		in, parameters = over(denseGradX{}, dz, c[1]), []wanted{over(denseGradW{}, x, dz)}
		if r.bias {
			parameters = append(parameters, over(columnSums{}, dz))
		}
		return in, parameters, nil
	case layerNorm:
		return over(layerNormGradX{r}, x, c[1], dz),
			[]wanted{over(layerNormGradGain{r}, x, dz), over(columnSums{}, dz)}, nil
	case batchNorm:
		return over(batchNormGradX{r}, x, c[1], c[3], c[4], dz),
			[]wanted{over(batchNormGradGain{r}, x, c[3], c[4], dz), over(columnSums{}, dz)}, nil
	}
	return wanted{}, nil, fmt.Errorf("graph: cannot lower the gradient of op %q", l.root.Op())
}

// find is the node of the rule over these operands.
func find(r rule, operands ...*gorgonia.Node) (*gorgonia.Node, error) {
	for _, n := range consumers(operands[0]) {
		if n.Op().String() == r.label() && slices.Equal(children(n), operands) {
			return n, nil
		}
	}
	return nil, fmt.Errorf("graph: cannot lower: no %q over %s in the graph", r.label(), operands[0].Name())
}
