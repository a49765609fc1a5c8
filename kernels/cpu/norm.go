package cpu

import "flowbench/kernels"

// normCost is what an element of a norm costs in multiply-adds: float64
// conversions, two passes, the epilogue.
const normCost = 8

// normCols is how many columns a cell of a column-wise job has: one cache line.
const normCols = 16

// norm compiles a norm: a layer norm is one stage, a batch norm needs the
// statistics of the whole batch before it goes on.
func (l *list) norm(in kernels.Norm) {
	cost := l.cols(in.Y) * normCost
	if in.Kind == kernels.LayerNorm {
		l.stage(l.layerNorm(in), in, cost)
		return
	}
	b := l.batchNorm(in)
	l.add(batchNormColumns{b}, in)
	l.stage(b, in, cost)
}

func (l *list) normGrad(in kernels.NormGrad) {
	cost := l.cols(in.Y) * normCost
	if in.Kind == kernels.LayerNorm {
		l.stage(l.layerNormGrad(in), in, cost)
		return
	}
	b := l.batchNormGrad(in)
	l.stage(batchNormOuter{b}, in, cost)
	l.add(batchNormSums{b}, in)
	if in.DX != kernels.None {
		l.stage(b, in, cost)
	}
}
