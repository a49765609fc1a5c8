package cpu

import (
	"math"

	"flowbench/kernels"
)

// batchNorm is kernels.Norm with Kind BatchNorm: every column by its mean and
// variance over the batch, which are summed in float64 in row order, in two passes.
type batchNorm struct {
	x, y, z, hat    samples
	gain, bias      []float32
	kept            []float32 // InvStd, nil where the Program does not keep it
	runMean, runVar []float32
	epsilon         float64
	momentum        float32
	epilogue        epilogue
	mean, invStd    []float64 // of this step
}

func (c *compiler) batchNorm(in kernels.Norm) *batchNorm {
	cols := c.cols(in.Gain)
	return &batchNorm{
		x: c.samples(in.X), y: c.samples(in.Y), z: c.samples(in.Z), hat: c.samples(in.Hat),
		gain: c.vector(in.Gain), bias: c.vector(in.Bias), kept: c.vector(in.InvStd),
		runMean: c.vector(in.RunMean), runVar: c.vector(in.RunVar),
		epsilon: float64(in.Epsilon), momentum: in.Momentum, epilogue: epilogue{in.Epilogue},
		mean: doubles(cols), invStd: doubles(cols),
	}
}

// doubles is a number a column, with room for whole cells.
func doubles(cols int) []float64 { return make([]float64, roundUp(cols, normCols))[:cols] }

// batchNormColumns finds the mean and variance of a run of columns: the batch's
// own in training, the running ones when scoring.
type batchNormColumns struct{ *batchNorm }

func (b batchNormColumns) run(s *step) {
	s.pool.run(s, b, blocks(b.y.cols, normCols), len(s.rows)*b.y.cols*normCost)
}

func (b batchNormColumns) cell(s *step, _ *worker, index int) {
	j0 := index * normCols
	j1 := min(j0+normCols, b.y.cols)
	mean, invStd := b.mean[j0:j1], b.invStd[j0:j1]
	if s.training {
		b.moments(s, mean, invStd, j0)
		b.move(s, mean, invStd, j0)
	} else {
		for j := range mean {
			mean[j], invStd[j] = float64(b.runMean[j0+j]), float64(b.runVar[j0+j])
		}
	}
	for j, variance := range invStd {
		invStd[j] = 1 / math.Sqrt(variance+b.epsilon)
	}
	if b.kept != nil {
		for j, v := range invStd {
			b.kept[j0+j] = float32(v)
		}
		s.check(b.kept[j0:j1])
	}
}

// moments computes the mean and the biased variance of the columns from j0 on.
func (b batchNormColumns) moments(s *step, mean, variance []float64, j0 int) {
	all := s.whole()
	x, n := b.x.rows(&all)[j0:], float64(len(s.rows))
	s.level.columnTotals(mean, x, b.x.cols, len(s.rows))
	for j := range mean {
		mean[j] /= n
	}
	s.level.columnSquares(variance, mean, x, b.x.cols, len(s.rows))
	for j := range variance {
		variance[j] /= n
	}
}

// move moves the running statistics towards the batch's.
func (b batchNormColumns) move(s *step, mean, variance []float64, j0 int) {
	n, momentum := float64(len(s.rows)), float64(b.momentum)
	runMean, runVar := b.runMean[j0:j0+len(mean)], b.runVar[j0:j0+len(mean)]
	for j := range mean {
		runMean[j] = mix(runMean[j], mean[j], momentum)
		if n > 1 {
			runVar[j] = mix(runVar[j], variance[j]*n/(n-1), momentum)
		}
	}
	s.check(runMean)
	s.check(runVar)
}

// mix moves a running statistic by momentum towards the batch's.
func mix(running float32, batch, momentum float64) float32 {
	return float32(float64((1-momentum)*float64(running)) + float64(momentum*batch))
}

// slice applies them.
func (b *batchNorm) slice(s *step, sl *slice) {
	y, z := b.y.rows(sl), b.y.rows(sl)
	if b.z.cols > 0 {
		z = b.z.rows(sl)
	}
	hat := z
	if b.hat.cols > 0 {
		hat = b.hat.rows(sl)
	}
	if !s.level.batchNorm(z, hat, b.x.rows(sl), b.gain, b.bias, b.mean, b.invStd) {
		s.health.fail()
	}
	b.epilogue.forward(s, y, z, sl.first*b.y.cols)
}

// batchNorm writes (x-mean)·invStd to hat and gain·hat+bias to y, row by row, and
// says whether all of y is finite; y and hat may be the same.
func (l level) batchNorm(y, hat, x, gain, bias []float32, mean, invStd []float64) bool {
	cols := len(gain)
	n := len(x) / cols
	switch l {
	case avx512:
		return batchNormAVX512(&y[0], &hat[0], &x[0], &gain[0], &bias[0], &mean[0], &invStd[0], n, cols) == 0
	case avx2:
		return batchNormAVX2(&y[0], &hat[0], &x[0], &gain[0], &bias[0], &mean[0], &invStd[0], n, cols) == 0
	}
	for i := range n {
		for j, v := range x[i*cols:][:cols] {
			v = float32((float64(v) - mean[j]) * invStd[j])
			hat[i*cols+j] = v
			y[i*cols+j] = float32(v*gain[j]) + bias[j]
		}
	}
	return finite(y)
}

// batchNormGrad is kernels.NormGrad with Kind BatchNorm. Over n rows,
// dx = gain·invStd·(dz - mean(dz) - x̂·mean(dz·x̂)), the means over the column.
type batchNormGrad struct {
	y, z, hat, dy, dx          samples
	gain, invStd, dgain, dbias []float32
	epilogue                   epilogue
	mean, slope, factor        []float64 // mean(dz), mean(dz·x̂) and gain·invStd
}

func (c *compiler) batchNormGrad(in kernels.NormGrad) *batchNormGrad {
	cols := c.cols(in.Gain)
	return &batchNormGrad{
		y: c.samples(in.Y), z: c.samples(in.Z), hat: c.samples(in.Hat), dy: c.samples(in.DY), dx: c.samples(in.DX),
		gain: c.vector(in.Gain), invStd: c.vector(in.InvStd), dgain: c.vector(in.DGain), dbias: c.vector(in.DBias),
		epilogue: epilogue{in.Epilogue},
		mean:     doubles(cols), slope: doubles(cols), factor: doubles(cols),
	}
}

// batchNormOuter takes a slice through the epilogue's gradient.
type batchNormOuter struct{ *batchNormGrad }

func (b batchNormOuter) slice(s *step, sl *slice) {
	dz := b.dy.rows(sl)
	b.epilogue.backward(s, dz, b.y, b.z, sl)
}

// batchNormSums is the gradients of gain and bias, a run of columns a cell.
type batchNormSums struct{ *batchNormGrad }

func (b batchNormSums) run(s *step) {
	s.pool.run(s, b, blocks(b.hat.cols, normCols), len(s.rows)*b.hat.cols*normCost)
}

func (b batchNormSums) cell(s *step, _ *worker, index int) {
	j0 := index * normCols
	j1 := min(j0+normCols, b.hat.cols)
	mean, slope := b.mean[j0:j1], b.slope[j0:j1]
	all, n := s.whole(), len(s.rows)
	dz, hat := b.dy.rows(&all)[j0:], b.hat.rows(&all)[j0:]
	s.level.columnTotals(mean, dz, b.hat.cols, n)
	s.level.columnDots(slope, dz, hat, b.hat.cols, n)
	for j := range mean {
		b.dbias[j0+j], b.dgain[j0+j] = float32(mean[j]), float32(slope[j])
		mean[j] /= float64(n)
		slope[j] /= float64(n)
		b.factor[j0+j] = float64(b.gain[j0+j]) * float64(b.invStd[j0+j])
	}
	s.check(b.dgain[j0:j1])
	s.check(b.dbias[j0:j1])
}

// slice is DX.
func (b *batchNormGrad) slice(s *step, sl *slice) {
	if !s.level.batchNormGrad(b.dx.rows(sl), b.dy.rows(sl), b.hat.rows(sl), b.mean, b.slope, b.factor) {
		s.health.fail()
	}
}

// batchNormGrad is factor·(dz - mean - x̂·slope), row by row, and whether all of it
// is finite.
func (l level) batchNormGrad(dx, dz, hat []float32, mean, slope, factor []float64) bool {
	cols := len(mean)
	n := len(dx) / cols
	switch l {
	case avx512:
		return batchNormGradAVX512(&dx[0], &dz[0], &hat[0], &mean[0], &slope[0], &factor[0], n, cols) == 0
	case avx2:
		return batchNormGradAVX2(&dx[0], &dz[0], &hat[0], &mean[0], &slope[0], &factor[0], n, cols) == 0
	}
	for i := range n {
		for j, d := range dz[i*cols:][:cols] {
			inner := float64(d) - mean[j]
			inner -= float64(float64(hat[i*cols+j]) * slope[j])
			dx[i*cols+j] = float32(inner * factor[j])
		}
	}
	return finite(dx)
}
