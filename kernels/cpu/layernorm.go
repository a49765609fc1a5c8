package cpu

import (
	"math"

	"flowbench/kernels"
)

// normCost is what an element of a norm costs in multiply-adds: float64
// conversions, two passes, the epilogue.
const normCost = 8

// layerNorm is kernels.Norm with Kind LayerNorm: every row by its own mean and
// variance, which are summed in float64, left to right, in two passes.
type layerNorm struct {
	x, y, z, hat, invStd samples
	gain, bias           []float32
	epsilon              float64
	epilogue             epilogue
}

func (c *compiler) layerNorm(in kernels.Norm) op {
	return &layerNorm{
		x: c.samples(in.X), y: c.samples(in.Y), z: c.samples(in.Z),
		hat: c.samples(in.Hat), invStd: c.samples(in.InvStd),
		gain: c.vector(in.Gain), bias: c.vector(in.Bias),
		epsilon: float64(in.Epsilon), epilogue: epilogue{in.Epilogue},
	}
}

func (l *layerNorm) run(s *step) {
	n := len(s.rows)
	s.pool.run(s, l, blocks(n, productRows), n*l.y.cols*normCost)
}

func (l *layerNorm) cell(s *step, index int) {
	for i := index * productRows; i < min((index+1)*productRows, len(s.rows)); i++ {
		y := l.y.row(s, i)
		invStd := standardize(y, l.x.row(s, i), l.epsilon)
		if l.invStd.cols > 0 {
			r := l.invStd.row(s, i)
			r[0] = invStd
			s.health.check(r)
		}
		finishNorm(s, y, i, l.gain, l.bias, l.hat, l.z, &l.epilogue)
	}
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

// finishNorm turns y, row i of x̂, into epilogue(gain·x̂+bias), keeping x̂ in hat
// and the value before the epilogue in z where the Program has them.
func finishNorm(s *step, y []float32, i int, gain, bias []float32, hat, z samples, e *epilogue) {
	if hat.cols > 0 {
		kept := hat.row(s, i)
		copy(kept, y)
		s.health.check(kept)
	}
	for j, v := range y {
		y[j] = float32(gain[j]*v) + bias[j]
	}
	if z.cols > 0 {
		kept := z.row(s, i)
		copy(kept, y)
		s.health.check(kept)
	}
	e.forward(s, y, i*len(y))
	s.health.check(y)
}

// layerNormGrad is kernels.NormGrad with Kind LayerNorm. With h = gain·dz,
// dx = invStd·(h - mean(h) - x̂·mean(h·x̂)), the means over the row.
type layerNormGrad struct {
	normGrad
	rows layerNormGradRows
}

func (c *compiler) layerNormGrad(in kernels.NormGrad) op {
	l := &layerNormGrad{normGrad: c.normGrad(in)}
	l.rows.layerNormGrad = l
	return l
}

func (l *layerNormGrad) run(s *step) {
	n := len(s.rows)
	s.pool.run(s, &l.rows, blocks(n, productRows), n*l.hat.cols*normCost)
	s.pool.run(s, &l.normGrad, blocks(l.hat.cols, normCols), n*l.hat.cols*normCost)
}

type layerNormGradRows struct{ *layerNormGrad }

func (l *layerNormGradRows) cell(s *step, index int) {
	for i := index * productRows; i < min((index+1)*productRows, len(s.rows)); i++ {
		dz := l.outer(s, i)
		if l.dx.cols == 0 {
			continue
		}
		dx, hat := l.dx.row(s, i), l.hat.row(s, i)
		var sum, dot float64
		for j, g := range dz {
			h := float64(l.gain[j]) * float64(g)
			sum += h
			dot += float64(h * float64(hat[j]))
		}
		cols, invStd := float64(len(dz)), float64(l.invStd.row(s, i)[0])
		for j, g := range dz {
			h := float64(l.gain[j]) * float64(g)
			dx[j] = float32(invStd * (h - sum/cols - float64(hat[j])*dot/cols))
		}
		s.health.check(dx)
	}
}
