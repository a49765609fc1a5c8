package cpu

import "flowbench/kernels"

// normGrad is what both norms share on the way back: the epilogue's gradient,
// and the sums over samples that are the gradients of gain and bias. As a job
// it is those sums, one cell for normCols columns.
type normGrad struct {
	y, z, hat, invStd, dy, dx samples
	gain, dgain, dbias        []float32
	epilogue                  epilogue
	sumGain, sumBias          []float64 // Σ dz·x̂ and Σ dz, before they are rounded
}

// normCols is how many columns a cell of a column-wise job has: one cache line.
const normCols = 16

func (c *compiler) normGrad(in kernels.NormGrad) normGrad {
	cols := c.cols(in.Gain)
	return normGrad{
		y: c.samples(in.Y), z: c.samples(in.Z), hat: c.samples(in.Hat), invStd: c.samples(in.InvStd),
		dy: c.samples(in.DY), dx: c.samples(in.DX),
		gain: c.vector(in.Gain), dgain: c.vector(in.DGain), dbias: c.vector(in.DBias),
		epilogue: epilogue{in.Epilogue},
		sumGain:  make([]float64, cols), sumBias: make([]float64, cols),
	}
}

// outer turns row i of DY into the gradient in gain·x̂+bias and returns it.
func (g *normGrad) outer(s *step, i int) []float32 {
	dz := g.dy.row(s, i)
	var z []float32
	if g.z.cols > 0 {
		z = g.z.row(s, i)
	}
	g.epilogue.backward(s, dz, g.y.row(s, i), z, i*len(dz))
	s.health.check(dz)
	return dz
}

func (g *normGrad) cell(s *step, index int) {
	j0 := index * normCols
	j1 := min(j0+normCols, g.hat.cols)
	gain, bias := g.sumGain[j0:j1], g.sumBias[j0:j1]
	clear(gain)
	clear(bias)
	for i := range s.rows {
		dz, hat := g.dy.row(s, i)[j0:j1], g.hat.row(s, i)[j0:j1]
		for j, d := range dz {
			gain[j] += float64(float64(d) * float64(hat[j]))
			bias[j] += float64(d)
		}
	}
	for j := range gain {
		g.dgain[j0+j] = float32(gain[j])
		g.dbias[j0+j] = float32(bias[j])
	}
	s.health.check(g.dgain[j0:j1])
	s.health.check(g.dbias[j0:j1])
}
