package kernelstest

import (
	"fmt"

	"flowbench/kernels"
)

// Builder writes the Program of a sequential network by hand, as train/graph
// would lower it, but without sharing memory: every buffer has its own place
// with a guard behind it, so that all of them can be read after a step and a
// write out of bounds is seen. Layers are added first to last, then Loss, then
// Finish.
type Builder struct {
	program  kernels.Program
	params   []kernels.Buf
	grads    []kernels.Buf
	guards   []kernels.Buf
	layers   int
	streams  uint32
	x, y     kernels.Buf
	backward []func(dy kernels.Buf) (dx kernels.Buf) // last layer last
}

// NewBuilder starts a network on a table of inputs columns, with a batch of at
// most batch rows.
func NewBuilder(batch, inputs int) *Builder {
	b := &Builder{program: kernels.Program{Batch: batch}}
	b.guard()
	b.x = b.buffer("x", kernels.Table, batch, inputs, true)
	b.y = b.x
	return b
}

// Table is the buffer of the inputs, Output that of the last layer so far.
func (b *Builder) Table() kernels.Buf  { return b.x }
func (b *Builder) Output() kernels.Buf { return b.y }

func (b *Builder) buffer(name string, kind kernels.Kind, rows, cols int, perSample bool) kernels.Buf {
	buf := kernels.Buffer{Name: name, Kind: kind, Rows: rows, Cols: cols, PerSample: perSample, Offset: -1}
	placed := kind != kernels.Table && kind != kernels.Target
	if placed {
		buf.Offset = b.program.ArenaLen
		b.program.ArenaLen += (buf.Len() + kernels.Alignment - 1) / kernels.Alignment * kernels.Alignment
	}
	b.program.Buffers = append(b.program.Buffers, buf)
	id := kernels.Buf(len(b.program.Buffers) - 1)
	if placed {
		b.guard()
	}
	return id
}

// guard places a buffer that no instruction names.
func (b *Builder) guard() {
	b.guards = append(b.guards, kernels.Buf(len(b.program.Buffers)))
	b.program.Buffers = append(b.program.Buffers, kernels.Buffer{
		Name: fmt.Sprintf("guard%d", len(b.guards)), Kind: kernels.Constant,
		Rows: 1, Cols: kernels.Alignment, Offset: b.program.ArenaLen,
	})
	b.program.ArenaLen += kernels.Alignment
}

func (b *Builder) activation(name string, cols int) kernels.Buf {
	return b.buffer(name, kernels.Activation, b.program.Batch, cols, true)
}

// parameter adds a parameter and its gradient.
func (b *Builder) parameter(name string, rows, cols int) (param, grad kernels.Buf) {
	param = b.buffer(name, kernels.Parameter, rows, cols, false)
	grad = b.buffer(name+".grad", kernels.Gradient, rows, cols, false)
	b.params, b.grads = append(b.params, param), append(b.grads, grad)
	return param, grad
}

func (b *Builder) cols(buf kernels.Buf) int { return b.program.Buffers[buf].Cols }

func (b *Builder) forward(in kernels.Instruction) {
	b.program.Train = append(b.program.Train, in)
	b.program.Score = append(b.program.Score, in)
}

// inputGrad is the buffer for the gradient in x: None for the table.
func (b *Builder) inputGrad(x kernels.Buf) kernels.Buf {
	if x == b.x {
		return kernels.None
	}
	return b.activation(b.program.Buffers[x].Name+".grad", b.cols(x))
}

// stream numbers the sites that draw random numbers.
func (b *Builder) stream() uint32 {
	b.streams++
	return b.streams
}

// Epilogue is an epilogue with a stream of its own.
func (b *Builder) Epilogue(f kernels.ActivationFunc, dropRate float32) kernels.Epilogue {
	return kernels.Epilogue{Activation: f, DropRate: dropRate, Stream: b.stream()}
}

// preactivation is the Z of a layer whose gradient needs it, else None.
func (b *Builder) preactivation(name string, cols int, e kernels.Epilogue) kernels.Buf {
	if e.Activation != kernels.GELU {
		return kernels.None
	}
	return b.activation(name+".z", cols)
}

// Corrupt adds noise to the input; with both rates 0 it is a copy, so that what
// follows has an input with a gradient.
func (b *Builder) Corrupt(sigma, maskRate float32) *Builder {
	name := fmt.Sprintf("corrupt%d", b.layers)
	x, y := b.y, b.activation(name+".output", b.cols(b.y))
	b.forward(kernels.Corrupt{X: x, Y: y, Sigma: sigma, MaskRate: maskRate, Stream: b.stream()})
	b.backward = append(b.backward, func(kernels.Buf) kernels.Buf { return kernels.None })
	b.layers, b.y = b.layers+1, y
	return b
}

// Dense adds a layer of out columns.
func (b *Builder) Dense(out int, bias bool, e kernels.Epilogue) *Builder {
	name := fmt.Sprintf("dense%d", b.layers)
	x := b.y
	w, dw := b.parameter(name+".weight", b.cols(x), out)
	c, dc := kernels.None, kernels.None
	if bias {
		c, dc = b.parameter(name+".bias", 1, out)
	}
	z := b.preactivation(name, out, e)
	y := b.activation(name+".output", out)
	b.forward(kernels.Dense{X: x, W: w, B: c, Y: y, Z: z, Epilogue: e})
	b.backward = append(b.backward, func(dy kernels.Buf) kernels.Buf {
		dx := b.inputGrad(x)
		b.program.Train = append(b.program.Train,
			kernels.DenseGrad{X: x, W: w, Y: y, Z: z, DY: dy, DX: dx, DW: dw, DB: dc, Epilogue: e})
		return dx
	})
	b.layers, b.y = b.layers+1, y
	return b
}

// Norm adds a layer or batch norm.
func (b *Builder) Norm(kind kernels.NormKind, e kernels.Epilogue) *Builder {
	name := fmt.Sprintf("norm%d", b.layers)
	x, cols := b.y, b.cols(b.y)
	in := kernels.Norm{Kind: kind, X: x, RunMean: kernels.None, RunVar: kernels.None, Epsilon: 1e-5, Epilogue: e}
	var dgain, dbias kernels.Buf
	in.Gain, dgain = b.parameter(name+".gain", 1, cols)
	in.Bias, dbias = b.parameter(name+".bias", 1, cols)
	in.Hat = b.activation(name+".hat", cols)
	if kind == kernels.BatchNorm {
		in.InvStd = b.buffer(name+".inv_std", kernels.Activation, 1, cols, false)
		in.RunMean = b.buffer(name+".running_mean", kernels.Statistic, 1, cols, false)
		in.RunVar = b.buffer(name+".running_variance", kernels.Statistic, 1, cols, false)
		in.Momentum = 0.1
	} else {
		in.InvStd = b.activation(name+".inv_std", 1)
	}
	in.Z = b.preactivation(name, cols, e)
	in.Y = b.activation(name+".output", cols)
	b.forward(in)
	b.backward = append(b.backward, func(dy kernels.Buf) kernels.Buf {
		dx := b.inputGrad(x)
		b.program.Train = append(b.program.Train, kernels.NormGrad{Kind: kind, Gain: in.Gain, Y: in.Y, Z: in.Z,
			Hat: in.Hat, InvStd: in.InvStd, DY: dy, DX: dx, DGain: dgain, DBias: dbias, Epilogue: e})
		return dx
	})
	b.layers, b.y = b.layers+1, in.Y
	return b
}

// Loss ends the forward part and adds the gradients. Of l it takes the kind and
// the options; weighted adds a FeatureWeight. The target of MSE and Huber is
// the table, so the last layer must be as wide as that.
func (b *Builder) Loss(l kernels.Loss, weighted bool) *Builder {
	l.Pred, l.FeatureWeight = b.y, kernels.None
	if l.Kind == kernels.BCE || l.Kind == kernels.SoftmaxCE {
		l.Target = b.buffer("y", kernels.Target, b.program.Batch, 1, true)
	} else {
		l.Target = b.x
		if weighted {
			l.FeatureWeight = b.buffer("feature_weight", kernels.Constant, 1, b.cols(b.y), false)
		}
	}
	l.DPred = b.activation(b.program.Buffers[b.y].Name+".grad", b.cols(b.y))
	b.program.Train = append(b.program.Train, l)
	b.program.Output = b.y
	dy := l.DPred
	for i := len(b.backward) - 1; i >= 0; i-- {
		dy = b.backward[i](dy)
	}
	return b
}

// Clip adds gradient clipping.
func (b *Builder) Clip(maxNorm float32) *Builder {
	b.program.Train = append(b.program.Train, kernels.ClipGradient{Grads: b.grads, MaxNorm: maxNorm})
	return b
}

// Finish adds the Update with u's options (weights decay, the others do not)
// and returns the Program.
func (b *Builder) Finish(u kernels.Update) *kernels.Program {
	u.Params, u.Grads = b.params, b.grads
	for _, p := range b.params {
		buf := b.program.Buffers[p]
		u.Decay = append(u.Decay, buf.Rows > 1)
		if u.Kind != kernels.SGD || u.Momentum != 0 {
			u.M1 = append(u.M1, b.buffer(buf.Name+".m1", kernels.Moment, buf.Rows, buf.Cols, false))
		}
		if u.Kind != kernels.SGD {
			u.M2 = append(u.M2, b.buffer(buf.Name+".m2", kernels.Moment, buf.Rows, buf.Cols, false))
		}
	}
	b.program.Train = append(b.program.Train, u)
	return &b.program
}

// Adam is the update rule with the usual constants.
func Adam() kernels.Update {
	return kernels.Update{Kind: kernels.Adam, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
}

// DNN is the classifier that benchmarks train: 78-128-64-32-1, ReLU, BCE, Adam.
func DNN(batch int) *kernels.Program {
	b := NewBuilder(batch, 78)
	relu := kernels.Epilogue{Activation: kernels.ReLU}
	for _, width := range []int{128, 64, 32} {
		b.Dense(width, true, relu)
	}
	b.Dense(1, true, kernels.Epilogue{})
	return b.Loss(kernels.Loss{Kind: kernels.BCE, ClassWeight: []float32{1, 500}}, false).Finish(Adam())
}

// Autoencoder is the one that benchmarks train: 78-64-32-16-32-64-78, ReLU, MSE, Adam.
func Autoencoder(batch int) *kernels.Program {
	b := NewBuilder(batch, 78)
	relu := kernels.Epilogue{Activation: kernels.ReLU}
	for _, width := range []int{64, 32, 16, 32, 64} {
		b.Dense(width, true, relu)
	}
	b.Dense(78, true, kernels.Epilogue{})
	return b.Loss(kernels.Loss{Kind: kernels.MSE}, false).Finish(Adam())
}

// Regularized is the DNN with all that keeps a network from learning by heart,
// and a smoother activation: noise 0.5 on its input and, after every layer, a
// layer norm, GELU and dropout 0.1.
func Regularized(batch int) *kernels.Program {
	b := NewBuilder(batch, 78).Corrupt(0.5, 0)
	for _, width := range []int{128, 64, 32} {
		b.Dense(width, true, kernels.Epilogue{}).Norm(kernels.LayerNorm, b.Epilogue(kernels.GELU, 0.1))
	}
	b.Dense(1, true, kernels.Epilogue{})
	return b.Loss(kernels.Loss{Kind: kernels.BCE, ClassWeight: []float32{1, 500}}, false).Finish(Adam())
}
