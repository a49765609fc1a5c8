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
	columns         batchNormColumns
	rows            batchNormRows
}

func (c *compiler) batchNorm(in kernels.Norm) op {
	cols := c.cols(in.Gain)
	b := &batchNorm{
		x: c.samples(in.X), y: c.samples(in.Y), z: c.samples(in.Z), hat: c.samples(in.Hat),
		gain: c.vector(in.Gain), bias: c.vector(in.Bias), kept: c.vector(in.InvStd),
		runMean: c.vector(in.RunMean), runVar: c.vector(in.RunVar),
		epsilon: float64(in.Epsilon), momentum: in.Momentum, epilogue: epilogue{in.Epilogue},
		mean: make([]float64, cols), invStd: make([]float64, cols),
	}
	b.columns.batchNorm, b.rows.batchNorm = b, b
	return b
}

func (b *batchNorm) run(s *step) {
	n, cols := len(s.rows), b.y.cols
	s.pool.run(s, &b.columns, blocks(cols, normCols), n*cols*normCost)
	s.pool.run(s, &b.rows, blocks(n, productRows), n*cols*normCost)
}

// batchNormColumns finds the mean and variance of a run of columns: the batch's
// own in training, the running ones when scoring.
type batchNormColumns struct{ *batchNorm }

func (b *batchNormColumns) cell(s *step, index int) {
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
		s.health.check(b.kept[j0:j1])
	}
}

// moments computes the mean and the biased variance of columns j0 to j1.
func (b *batchNormColumns) moments(s *step, mean, variance []float64, j0, j1 int) {
	clear(mean)
	clear(variance)
	for i := range s.rows {
		for j, v := range b.x.row(s, i)[j0:j1] {
			mean[j] += float64(v)
		}
	}
	n := float64(len(s.rows))
	for j := range mean {
		mean[j] /= n
	}
	for i := range s.rows {
		for j, v := range b.x.row(s, i)[j0:j1] {
			d := float64(v) - mean[j]
			variance[j] += float64(d * d)
		}
	}
	for j := range variance {
		variance[j] /= n
	}
}

// move moves the running statistics towards the batch's.
func (b *batchNormColumns) move(s *step, mean, variance []float64, j0 int) {
	n, momentum := float64(len(s.rows)), float64(b.momentum)
	runMean, runVar := b.runMean[j0:j0+len(mean)], b.runVar[j0:j0+len(mean)]
	for j := range mean {
		runMean[j] = mix(runMean[j], mean[j], momentum)
		if n > 1 {
			runVar[j] = mix(runVar[j], variance[j]*n/(n-1), momentum)
		}
	}
	s.health.check(runMean)
	s.health.check(runVar)
}

// mix moves a running statistic by momentum towards the batch's.
func mix(running float32, batch, momentum float64) float32 {
	return float32(float64((1-momentum)*float64(running)) + float64(momentum*batch))
}

// batchNormRows applies them to a run of rows.
type batchNormRows struct{ *batchNorm }

func (b *batchNormRows) cell(s *step, index int) {
	for i := index * productRows; i < min((index+1)*productRows, len(s.rows)); i++ {
		y := b.y.row(s, i)
		for j, v := range b.x.row(s, i) {
			y[j] = float32((float64(v) - b.mean[j]) * b.invStd[j])
		}
		finishNorm(s, y, i, b.gain, b.bias, b.hat, b.z, &b.epilogue)
	}
}

// batchNormGrad is kernels.NormGrad with Kind BatchNorm. Over n rows,
// dx = gain·invStd·(dz - mean(dz) - x̂·mean(dz·x̂)), the means over the column.
type batchNormGrad struct {
	normGrad
	factor []float32 // InvStd
	outers batchNormGradOuter
	inputs batchNormGradInputs
}

func (c *compiler) batchNormGrad(in kernels.NormGrad) op {
	b := &batchNormGrad{normGrad: c.normGrad(in), factor: c.vector(in.InvStd)}
	b.outers.batchNormGrad, b.inputs.batchNormGrad = b, b
	return b
}

func (b *batchNormGrad) run(s *step) {
	n, cols := len(s.rows), b.hat.cols
	s.pool.run(s, &b.outers, blocks(n, productRows), n*cols*normCost)
	s.pool.run(s, &b.normGrad, blocks(cols, normCols), n*cols*normCost)
	if b.dx.cols > 0 {
		s.pool.run(s, &b.inputs, blocks(n, productRows), n*cols*normCost)
	}
}

// batchNormGradOuter takes a run of rows through the epilogue's gradient.
type batchNormGradOuter struct{ *batchNormGrad }

func (b *batchNormGradOuter) cell(s *step, index int) {
	for i := index * productRows; i < min((index+1)*productRows, len(s.rows)); i++ {
		b.outer(s, i)
	}
}

// batchNormGradInputs is a run of rows of DX.
type batchNormGradInputs struct{ *batchNormGrad }

func (b *batchNormGradInputs) cell(s *step, index int) {
	n := float64(len(s.rows))
	for i := index * productRows; i < min((index+1)*productRows, len(s.rows)); i++ {
		dx, hat := b.dx.row(s, i), b.hat.row(s, i)
		for j, d := range b.dy.row(s, i) {
			inner := float64(d) - b.sumBias[j]/n - float64(hat[j])*b.sumGain[j]/n
			dx[j] = float32(float64(b.gain[j]) * float64(b.factor[j]) * inner)
		}
		s.health.check(dx)
	}
}
