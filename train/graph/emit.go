package graph

import (
	"slices"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
)

// saved are the buffers that a layer's forward pass leaves for its gradient
// beside the output.
type saved struct{ z, hat, invStd kernels.Buf }

// scores says whether the output is computed by way of this layer.
func (l *lowering) scores(n *layer) bool {
	for at := l.forward.of[l.forward.output]; at != nil; at = at.from {
		if at == n {
			return true
		}
	}
	return false
}

// scored is where Score finds what Train finds at n: corruption is left out
// there, and its readers read what it would have read.
func (l *lowering) scored(n *gorgonia.Node) kernels.Buf {
	for layer := l.forward.of[n]; layer != nil; layer = l.forward.of[n] {
		if _, ok := layer.rule().(corrupt); !ok {
			break
		}
		n = layer.in()
	}
	return l.buf[n]
}

// layer makes a layer's instruction for Train and for Score, nil where Score
// needs none, and the buffers that they write.
func (l *lowering) layer(n *layer) (train, score kernels.Instruction) {
	y := l.perRow(n.name+".output", n.root.Shape()[1])
	l.buf[n.top()] = y
	l.saved[n] = l.save(n)
	x, keep := n.in(), l.saved[n]
	switch r := n.rule().(type) {
	case corrupt:
		return kernels.Corrupt{X: l.buf[x], Y: y, Sigma: r.sigma, MaskRate: r.mask, Stream: r.stream}, nil
	case dense:
		c := children(n.root)
		in := kernels.Dense{X: l.buf[x], W: l.buf[c[1]], B: kernels.None, Y: y, Z: keep.z, Epilogue: n.epilogue()}
		if r.bias {
			in.B = l.buf[c[2]]
		}
		scoring := in
		scoring.X, scoring.Z = l.scored(x), kernels.None
		return in, scoring
	}
	in := l.norm(n)
	in.Y, in.Z, in.Hat, in.InvStd = y, keep.z, keep.hat, keep.invStd
	scoring := in
	scoring.X, scoring.Z, scoring.Hat, scoring.InvStd = l.scored(x), kernels.None, kernels.None, kernels.None
	return in, scoring
}

// save makes the buffers that the layer's gradient will read.
func (l *lowering) save(n *layer) saved {
	cols := n.root.Shape()[1]
	keep := saved{kernels.None, kernels.None, kernels.None}
	if n.function() == kernels.GELU {
		keep.z = l.perRow(n.name+".z", cols)
	}
	switch n.rule().(type) {
	case layerNorm:
		keep.hat = l.perRow(n.name+".hat", cols)
		keep.invStd = l.perRow(n.name+".inv_std", 1)
	case batchNorm:
		keep.hat = l.perRow(n.name+".hat", cols)
		keep.invStd = l.add(n.name+".inv_std", kernels.Activation, 1, cols, false)
	}
	return keep
}

// norm makes the operands and options of a norm, all but what it writes.
func (l *lowering) norm(n *layer) kernels.Norm {
	c := children(n.root)
	in := kernels.Norm{
		X: l.buf[c[0]], Gain: l.buf[c[1]], Bias: l.buf[c[2]],
		RunMean: kernels.None, RunVar: kernels.None, Epilogue: n.epilogue(),
	}
	switch r := n.rule().(type) {
	case layerNorm:
		in.Kind, in.Epsilon = kernels.LayerNorm, r.epsilon
	case batchNorm:
		in.Kind, in.Epsilon = kernels.BatchNorm, r.epsilon
		in.RunMean, in.RunVar = l.buf[c[3]], l.buf[c[4]]
		in.Momentum = moverOf(c[3], c[0], true).Op().(op).rule.(movingMean).momentum
	}
	return in
}

// loss makes the fused loss and gradient.
func (l *lowering) loss() kernels.Instruction {
	c := children(l.forward.loss)
	pred := l.forward.of[c[0]]
	in := l.forward.loss.Op().(op).rule.(meanLoss).attributes()
	in.Pred, in.Target, in.FeatureWeight = l.buf[c[0]], l.buf[c[1]], kernels.None
	in.DPred = l.perRow(pred.name+".output.grad", c[0].Shape()[1])
	l.buf[l.backward.pred] = in.DPred
	if len(c) > 2 {
		in.FeatureWeight = l.buf[c[2]]
	}
	return in
}

// gradient makes the fused gradient of a layer.
func (l *lowering) gradient(n *layer) kernels.Instruction {
	g, keep, c := l.backward.layers[n], l.saved[n], children(n.root)
	dx := kernels.None
	if g.in != nil {
		dx = l.perRow(n.from.name+".output.grad", n.in().Shape()[1])
		l.buf[g.in] = dx
	}
	y, dy := l.buf[n.top()], l.buf[g.top]
	if _, ok := n.rule().(dense); ok {
		in := kernels.DenseGrad{
			X: l.buf[c[0]], W: l.buf[c[1]], Y: y, Z: keep.z,
			DY: dy, DX: dx, DW: l.buf[g.parameters[0]], DB: kernels.None, Epilogue: n.epilogue(),
		}
		if len(g.parameters) > 1 {
			in.DB = l.buf[g.parameters[1]]
		}
		return in
	}
	in := kernels.NormGrad{
		Kind: kernels.LayerNorm, Gain: l.buf[c[1]], Y: y, Z: keep.z, Hat: keep.hat, InvStd: keep.invStd,
		DY: dy, DX: dx, DGain: l.buf[g.parameters[0]], DBias: l.buf[g.parameters[1]], Epilogue: n.epilogue(),
	}
	if _, ok := n.rule().(batchNorm); ok {
		in.Kind = kernels.BatchNorm
	}
	return in
}

// update appends clipping and the update of all parameters.
func (l *lowering) update(o Optimizer) {
	in := kernels.Update{
		Kind: o.Kind, Beta1: float32(o.Beta1), Beta2: float32(o.Beta2), Epsilon: float32(o.Epsilon),
		Momentum: float32(o.Momentum), WeightDecay: float32(o.WeightDecay),
	}
	for _, p := range l.forward.parameters {
		in.Params = append(in.Params, l.buf[p])
		in.Grads = append(in.Grads, l.buf[l.gradientOf(p)])
		in.M1 = append(in.M1, l.moment(p, ".m1", o.Kind != kernels.SGD || o.Momentum > 0))
		in.M2 = append(in.M2, l.moment(p, ".m2", o.Kind != kernels.SGD))
		in.Decay = append(in.Decay, l.forward.isWeight(p))
	}
	if o.ClipNorm > 0 {
		l.program.Train = append(l.program.Train, kernels.ClipGradient{Grads: slices.Clone(in.Grads), MaxNorm: float32(o.ClipNorm)})
	}
	l.program.Train = append(l.program.Train, in)
}

// moment makes a buffer of optimiser state where the rule keeps one.
func (l *lowering) moment(p *gorgonia.Node, suffix string, kept bool) kernels.Buf {
	if !kept {
		return kernels.None
	}
	shape := p.Shape()
	return l.add(p.Name()+suffix, kernels.Moment, shape[0], shape[1], false)
}

// isWeight says whether p is the weight of a dense layer: what decays.
func (f *forward) isWeight(p *gorgonia.Node) bool {
	for _, l := range f.layers {
		if _, ok := l.rule().(dense); ok && l.parameters()[0] == p {
			return true
		}
	}
	return false
}
