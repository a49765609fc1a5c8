package kernelstest

import (
	"math"

	"flowbench/kernels"
)

// groups visits the sets of elements that a norm standardises together: the
// rows for LayerNorm, the columns for BatchNorm.
func (r *reference) groups(kind kernels.NormKind, cols int, visit func(group int, elements []int)) {
	if kind == kernels.LayerNorm {
		for i := range r.rows {
			elements := make([]int, cols)
			for j := range elements {
				elements[j] = i*cols + j
			}
			visit(i, elements)
		}
		return
	}
	for j := range cols {
		elements := make([]int, len(r.rows))
		for i := range elements {
			elements[i] = i*cols + j
		}
		visit(j, elements)
	}
}

func (r *reference) norm(in kernels.Norm) {
	x, y := r.matrix(in.X), r.matrix(in.Y)
	hat := make([]float64, len(r.rows)*x.cols)
	r.groups(in.Kind, x.cols, func(group int, elements []int) {
		mean, variance := moments(x.v, elements)
		if in.Kind == kernels.BatchNorm {
			mean, variance = r.running(in, group, mean, variance, float64(len(elements)))
		}
		invStd := 1 / math.Sqrt(variance+float64(in.Epsilon))
		if in.InvStd != kernels.None {
			r.values[in.InvStd][group] = invStd
		}
		for _, e := range elements {
			hat[e] = (x.v[e] - mean) * invStd
		}
	})
	if in.Hat != kernels.None {
		copy(r.values[in.Hat], hat)
	}
	for i := range r.rows {
		for j := range x.cols {
			z := r.values[in.Gain][j]*hat[i*x.cols+j] + r.values[in.Bias][j]
			r.epilogue(in.Epilogue, in.Z, y, i, j, z)
		}
	}
}

func moments(v []float64, elements []int) (mean, variance float64) {
	n := float64(len(elements))
	for _, e := range elements {
		mean += v[e] / n
	}
	for _, e := range elements {
		variance += (v[e] - mean) * (v[e] - mean) / n
	}
	return mean, variance
}

// running moves the running statistics in training and returns what to
// standardise by.
func (r *reference) running(in kernels.Norm, j int, mean, variance, n float64) (float64, float64) {
	runMean, runVar := &r.values[in.RunMean][j], &r.values[in.RunVar][j]
	if !r.train {
		return *runMean, *runVar
	}
	m := float64(in.Momentum)
	*runMean = (1-m)**runMean + m*mean
	if n > 1 {
		*runVar = (1-m)**runVar + m*variance*n/(n-1)
	}
	return mean, variance
}

func (r *reference) normGrad(in kernels.NormGrad) {
	dy, gain, hat := r.matrix(in.DY), r.values[in.Gain], r.matrix(in.Hat)
	cols := dy.cols
	z := matrix{make([]float64, len(r.rows)*cols), cols}
	bias := r.values[r.normOf(in).Bias]
	for i := range r.rows {
		for j := range cols {
			z.set(i, j, gain[j]*hat.at(i, j)+bias[j])
		}
	}
	r.outer(in.Epilogue, dy, z)
	dgain, dbias := r.values[in.DGain], r.values[in.DBias]
	clear(dgain)
	clear(dbias)
	for i := range r.rows {
		for j := range cols {
			dgain[j] += dy.at(i, j) * hat.at(i, j)
			dbias[j] += dy.at(i, j)
		}
	}
	if in.DX == kernels.None {
		return
	}
	dx := r.values[in.DX]
	r.groups(in.Kind, cols, func(group int, elements []int) {
		n, sum, dot := float64(len(elements)), 0.0, 0.0
		for _, e := range elements {
			h := dy.v[e] * gain[e%cols]
			sum += h
			dot += h * hat.v[e]
		}
		for _, e := range elements {
			dx[e] = r.values[in.InvStd][group] * (dy.v[e]*gain[e%cols] - sum/n - hat.v[e]*dot/n)
		}
	})
}

func (r *reference) normOf(in kernels.NormGrad) kernels.Norm {
	for _, i := range r.program.Train {
		if n, ok := i.(kernels.Norm); ok && n.Y == in.Y {
			return n
		}
	}
	panic("kernelstest: a NormGrad without its Norm")
}
