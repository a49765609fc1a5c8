package cpu

import (
	"math"

	"flowbench/kernels"
)

// layerNorm is kernels.Norm with Kind LayerNorm: every row by its own mean and
// variance, which are summed in float64, left to right, in two passes.
type layerNorm struct {
	x, y, z, hat, invStd samples
	gain, bias           []float32
	epsilon              float64
	epilogue             epilogue
}

func (c *compiler) layerNorm(in kernels.Norm) *layerNorm {
	return &layerNorm{
		x: c.samples(in.X), y: c.samples(in.Y), z: c.samples(in.Z),
		hat: c.samples(in.Hat), invStd: c.samples(in.InvStd),
		gain: c.vector(in.Gain), bias: c.vector(in.Bias),
		epsilon: float64(in.Epsilon), epilogue: epilogue{in.Epilogue},
	}
}

func (l *layerNorm) slice(s *step, sl *slice) {
	for i := range sl.n {
		invStd := standardize(l.y.row(sl, i), l.x.row(sl, i), l.epsilon)
		if l.invStd.cols > 0 {
			l.invStd.row(sl, i)[0] = invStd
		}
	}
	if l.invStd.cols > 0 {
		s.check(l.invStd.rows(sl))
	}
	finishNorm(s, sl, l.y, l.gain, l.bias, l.hat, l.z, &l.epilogue)
}

// standardize writes (x-mean)/√(variance+epsilon) to hat and returns the factor.
func standardize(hat, x []float32, epsilon float64) float32 {
	mean := 0.0
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	variance := 0.0
	for _, v := range x {
		d := float64(v) - mean
		variance += float64(d * d)
	}
	invStd := 1 / math.Sqrt(variance/float64(len(x))+epsilon)
	for j, v := range x {
		hat[j] = float32((float64(v) - mean) * invStd)
	}
	return float32(invStd)
}

// finishNorm turns a slice of y from x̂ into epilogue(gain·x̂+bias), keeping x̂ in
// hat and the value before the epilogue in z where the Program has them.
func finishNorm(s *step, sl *slice, ys samples, gain, bias []float32, hat, z samples, e *epilogue) {
	y := ys.rows(sl)
	if hat.cols > 0 {
		copy(hat.rows(sl), y)
		s.check(y)
	}
	for i := range sl.n {
		row := ys.row(sl, i)
		for j, v := range row {
			row[j] = float32(gain[j]*v) + bias[j]
		}
	}
	if z.cols > 0 {
		copy(z.rows(sl), y)
	}
	s.check(y)
	e.forward(s, y, y, sl.first*ys.cols)
}

// layerNormGrad is kernels.NormGrad with Kind LayerNorm. With h = gain·dz,
// dx = invStd·(h - mean(h) - x̂·mean(h·x̂)), the means over the row.
type layerNormGrad struct {
	y, z, hat, invStd, dy, dx samples
	gain                      []float32
	dgain, dbias              sum
	epilogue                  epilogue
}

func (c *compiler) layerNormGrad(in kernels.NormGrad) *layerNormGrad {
	cols := c.cols(in.Gain)
	return &layerNormGrad{
		y: c.samples(in.Y), z: c.samples(in.Z), hat: c.samples(in.Hat), invStd: c.samples(in.InvStd),
		dy: c.samples(in.DY), dx: c.samples(in.DX),
		gain: c.vector(in.Gain), dgain: c.vectorSum(c.vector(in.DGain), cols), dbias: c.vectorSum(c.vector(in.DBias), cols),
		epilogue: epilogue{in.Epilogue},
	}
}

func (l *layerNormGrad) slice(s *step, sl *slice) {
	dz := l.dy.rows(sl)
	l.epilogue.backward(s, dz, l.y, l.z, sl)
	l.sums(sl)
	s.level.columnSums(l.dbias.of(sl.partial), l.dbias, dz, sl.n, sl.fresh)
	if l.dx.cols == 0 {
		return
	}
	for i := range sl.n {
		l.input(sl, i)
	}
	s.check(l.dx.rows(sl))
}

// sums adds dz·x̂ to the gradient of the gain.
func (l *layerNormGrad) sums(sl *slice) {
	dgain := l.dgain.of(sl.partial)[:l.hat.cols]
	if sl.fresh {
		clear(dgain)
	}
	for i := range sl.n {
		hat := l.hat.row(sl, i)
		for j, d := range l.dy.row(sl, i) {
			dgain[j] += float32(d * hat[j])
		}
	}
}

// input is row i of DX.
func (l *layerNormGrad) input(sl *slice, i int) {
	dz, dx, hat := l.dy.row(sl, i), l.dx.row(sl, i), l.hat.row(sl, i)
	var sum, dot float64
	for j, g := range dz {
		h := float64(l.gain[j]) * float64(g)
		sum += h
		dot += float64(h * float64(hat[j]))
	}
	cols, invStd := float64(len(dz)), float64(l.invStd.row(sl, i)[0])
	for j, g := range dz {
		h := float64(l.gain[j]) * float64(g)
		dx[j] = float32(invStd * (h - sum/cols - float64(hat[j])*dot/cols))
	}
}
