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
		mean: make([]float64, cols), invStd: make([]float64, cols),
	}
}

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
		b.moments(s, mean, invStd, j0, j1)
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

// moments computes the mean and the biased variance of columns j0 to j1.
func (b batchNormColumns) moments(s *step, mean, variance []float64, j0, j1 int) {
	clear(mean)
	clear(variance)
	all := s.whole()
	for i := range s.rows {
		for j, v := range b.x.row(&all, i)[j0:j1] {
			mean[j] += float64(v)
		}
	}
	n := float64(len(s.rows))
	for j := range mean {
		mean[j] /= n
	}
	for i := range s.rows {
		for j, v := range b.x.row(&all, i)[j0:j1] {
			d := float64(v) - mean[j]
			variance[j] += float64(d * d)
		}
	}
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
	for i := range sl.n {
		y := b.y.row(sl, i)
		for j, v := range b.x.row(sl, i) {
			y[j] = float32((float64(v) - b.mean[j]) * b.invStd[j])
		}
	}
	finishNorm(s, sl, b.y, b.gain, b.bias, b.hat, b.z, &b.epilogue)
}

// batchNormGrad is kernels.NormGrad with Kind BatchNorm. Over n rows,
// dx = gain·invStd·(dz - mean(dz) - x̂·mean(dz·x̂)), the means over the column.
type batchNormGrad struct {
	y, z, hat, dy, dx          samples
	gain, invStd, dgain, dbias []float32
	epilogue                   epilogue
	sumGain, sumBias           []float64 // Σ dz·x̂ and Σ dz, before they are rounded
}

func (c *compiler) batchNormGrad(in kernels.NormGrad) *batchNormGrad {
	cols := c.cols(in.Gain)
	return &batchNormGrad{
		y: c.samples(in.Y), z: c.samples(in.Z), hat: c.samples(in.Hat), dy: c.samples(in.DY), dx: c.samples(in.DX),
		gain: c.vector(in.Gain), invStd: c.vector(in.InvStd), dgain: c.vector(in.DGain), dbias: c.vector(in.DBias),
		epilogue: epilogue{in.Epilogue},
		sumGain:  make([]float64, cols), sumBias: make([]float64, cols),
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
	gain, bias := b.sumGain[j0:j1], b.sumBias[j0:j1]
	clear(gain)
	clear(bias)
	all := s.whole()
	for i := range s.rows {
		dz, hat := b.dy.row(&all, i)[j0:j1], b.hat.row(&all, i)[j0:j1]
		for j, d := range dz {
			gain[j] += float64(float64(d) * float64(hat[j]))
			bias[j] += float64(d)
		}
	}
	for j := range gain {
		b.dgain[j0+j] = float32(gain[j])
		b.dbias[j0+j] = float32(bias[j])
	}
	s.check(b.dgain[j0:j1])
	s.check(b.dbias[j0:j1])
}

// slice is DX.
func (b *batchNormGrad) slice(s *step, sl *slice) {
	n := float64(len(s.rows))
	for i := range sl.n {
		dx, hat := b.dx.row(sl, i), b.hat.row(sl, i)
		for j, d := range b.dy.row(sl, i) {
			inner := float64(d) - b.sumBias[j]/n - float64(hat[j])*b.sumGain[j]/n
			dx[j] = float32(float64(b.gain[j]) * float64(b.invStd[j]) * inner)
		}
	}
	s.check(b.dx.rows(sl))
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
