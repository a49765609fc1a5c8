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
	b := &backward{layers: map[*layer]gradients{}}
	c := children(f.loss)
	var err error
	if b.pred, err = lossGradient(f.loss); err != nil {
		return nil, err
	}
	tops := map[*gorgonia.Node]*gorgonia.Node{c[0]: b.pred}
	for _, l := range slices.Backward(f.layers) {
		if !l.trains {
			continue
		}
		top := tops[l.top()]
		if top == nil {
			return nil, fmt.Errorf("graph: the loss has no gradient in %s", l.top().Name())
		}
		g, err := l.gradients(top)
		if err != nil {
			return nil, err
		}
		if g.in != nil {
			if tops[l.in()] != nil {
				return nil, fmt.Errorf("graph: %s is read by two layers; no instruction adds their gradients", l.in().Name())
			}
			tops[l.in()] = g.in
		}
		b.layers[l] = g
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
	return isConstant(n) && n.Value().Data() == any(float32(1))
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
	c := children(l.root)
	switch r := l.rule().(type) {
	case dense:
		err = g.find([]wanted{{denseGradX{}, []*gorgonia.Node{dz, c[1]}}, {denseGradW{}, []*gorgonia.Node{c[0], dz}}})
		if err == nil && r.bias {
			err = g.find([]wanted{{}, {columnSums{}, []*gorgonia.Node{dz}}})
		}
	case layerNorm:
		err = g.find([]wanted{
			{layerNormGradX{r}, []*gorgonia.Node{c[0], c[1], dz}},
			{layerNormGradGain{r}, []*gorgonia.Node{c[0], dz}},
			{columnSums{}, []*gorgonia.Node{dz}},
		})
	case batchNorm:
		err = g.find([]wanted{
			{batchNormGradX{r}, []*gorgonia.Node{c[0], c[1], c[3], c[4], dz}},
			{batchNormGradGain{r}, []*gorgonia.Node{c[0], c[3], c[4], dz}},
			{columnSums{}, []*gorgonia.Node{dz}},
		})
	default:
		err = fmt.Errorf("graph: cannot lower the gradient of op %q", l.root.Op())
	}
	if l.from == nil || !l.from.trains {
		g.in = nil
	}
	return g, err
}

// wanted is a gradient node by its rule and operands.
type wanted struct {
	rule     rule
	operands []*gorgonia.Node
}

// find looks up the gradient by the layer's input, then those by its parameters.
func (g *gradients) find(nodes []wanted) error {
	for i, w := range nodes {
		if w.rule == nil {
			continue
		}
		n, err := find(w.rule, w.operands...)
		if err != nil {
			return err
		}
		if i == 0 {
			g.in = n
		} else {
			g.parameters = append(g.parameters, n)
		}
	}
	return nil
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
