package cpu

import (
	"math"
	"unsafe"

	"flowbench/kernels"
)

// layerNorm is kernels.Norm with Kind LayerNorm: every row by its own mean and
// variance, in two passes.
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
	y, z := l.y.rows(sl), l.y.rows(sl)
	var invStd []float32
	if l.invStd.cols > 0 {
		invStd = l.invStd.rows(sl)
	}
	if l.z.cols > 0 {
		z = l.z.rows(sl)
	}
	hat := z
	if l.hat.cols > 0 {
		hat = l.hat.rows(sl)
	}
	if !s.level.layerNorm(z, hat, l.x.rows(sl), l.gain, l.bias, invStd, l.epsilon) {
		s.health.fail()
	}
	l.epilogue.forward(s, y, z, sl.first*l.y.cols)
}

// layerNorm standardises each row of x into hat, writes gain·hat+bias to y, and
// says whether all of y is finite; y and hat may be the same. invStd, of a
// number a row, may be empty. The means run in float64.
func (l level) layerNorm(y, hat, x, gain, bias, invStd []float32, epsilon float64) bool {
	cols := len(gain)
	n := len(x) / cols
	switch l {
	case avx512:
		return layerNormAVX512(&y[0], &hat[0], &x[0], &gain[0], &bias[0], unsafe.SliceData(invStd), n, cols, epsilon) == 0
	case avx2:
		return layerNormAVX2(&y[0], &hat[0], &x[0], &gain[0], &bias[0], unsafe.SliceData(invStd), n, cols, epsilon) == 0
	}
	for i := range n {
		row := hat[i*cols:][:cols]
		factor := standardize(row, x[i*cols:][:cols], epsilon)
		if invStd != nil {
			invStd[i] = factor
		}
		for j, v := range row {
			y[i*cols+j] = float32(v*gain[j]) + bias[j]
		}
	}
	return finite(y)
}

// standardize writes (x-mean)/√(variance+epsilon) to hat and returns the factor.
func standardize(hat, x []float32, epsilon float64) float32 {
	var sums, squares partialSums
	for j, v := range x {
		sums[j%16] += float64(v)
	}
	mean := sums.fold() / float64(len(x))
	for j, v := range x {
		d := float64(v) - mean
		squares[j%16] += float64(d * d)
	}
	invStd := 1 / math.Sqrt(squares.fold()/float64(len(x))+epsilon)
	for j, v := range x {
		hat[j] = float32((float64(v) - mean) * invStd)
	}
	return float32(invStd)
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
	dz, hat := l.dy.rows(sl), l.hat.rows(sl)
	l.epilogue.backward(s, dz, l.y, l.z, sl)
	s.level.productSums(l.dgain.of(sl.partial), l.dgain, dz, hat, sl.n, sl.fresh)
	s.level.columnSums(l.dbias.of(sl.partial), l.dbias, dz, sl.n, sl.fresh)
	if l.dx.cols > 0 && !s.level.layerNormGrad(l.dx.rows(sl), dz, hat, l.gain, l.invStd.rows(sl)) {
		s.health.fail()
	}
}

// productSums is sums += the sums of the columns of a·b, element by element, over
// n samples, or = where fresh is set.
func (l level) productSums(sums []float32, t sum, a, b []float32, n int, fresh bool) {
	switch l {
	case avx512:
		productSumsAVX512(&sums[0], &a[0], &b[0], t.cols, n, blocks(t.cols, panelWidth), fresh)
		return
	case avx2:
		productSumsAVX2(&sums[0], &a[0], &b[0], t.cols, n, blocks(t.cols, panelWidth), fresh)
		return
	}
	sums = sums[:t.cols]
	if fresh {
		clear(sums)
	}
	for i := range n {
		for j := range sums {
			sums[j] += float32(a[i*t.cols+j] * b[i*t.cols+j])
		}
	}
}

// layerNormGrad is the gradient in the input, and whether it is all finite.
func (l level) layerNormGrad(dx, dz, hat, gain, invStd []float32) bool {
	cols := len(gain)
	switch l {
	case avx512:
		return layerNormGradAVX512(&dx[0], &dz[0], &hat[0], &gain[0], &invStd[0], len(invStd), cols) == 0
	case avx2:
		return layerNormGradAVX2(&dx[0], &dz[0], &hat[0], &gain[0], &invStd[0], len(invStd), cols) == 0
	}
	for i, factor := range invStd {
		plainLayerNormGrad(dx[i*cols:][:cols], dz[i*cols:][:cols], hat[i*cols:][:cols], gain, float64(factor))
	}
	return finite(dx)
}

// plainLayerNormGrad is one row of it.
func plainLayerNormGrad(dx, dz, hat, gain []float32, invStd float64) {
	var sums, dots partialSums
	for j, g := range dz {
		h := float64(g) * float64(gain[j])
		sums[j%16] += h
		dots[j%16] += float64(h * float64(hat[j]))
	}
	mean, slope := sums.fold()/float64(len(dz)), dots.fold()/float64(len(dz))
	for j, g := range dz {
		inner := float64(float64(g)*float64(gain[j])) - mean
		inner -= float64(float64(hat[j]) * slope)
		dx[j] = float32(inner * invStd)
	}
}
