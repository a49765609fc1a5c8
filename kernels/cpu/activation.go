package cpu

import (
	"math"

	"flowbench/kernels"
)

// epilogue is y = dropout(f(z)) and its gradient, a run of elements at a time.
// The transcendental functions run in float64 and round once. A NaN stays a NaN
// through every one of them.
type epilogue struct{ kernels.Epilogue }

// forward turns y from z into dropout(f(z)) in place, and says whether there was
// anything to do; first is the number of y's first element in the whole buffer
// (row·cols+col).
func (e *epilogue) forward(s *step, y []float32, first int) bool {
	switch e.Activation {
	case kernels.ReLU:
		for i, z := range y {
			y[i] = max(z, 0)
		}
	case kernels.LeakyReLU:
		for i, z := range y {
			y[i] = max(z, leak*z)
		}
	case kernels.GELU:
		for i, z := range y {
			y[i] = float32(float64(z) * normalCDF(float64(z)))
		}
	case kernels.Tanh:
		for i, z := range y {
			y[i] = float32(math.Tanh(float64(z)))
		}
	case kernels.Sigmoid:
		for i, z := range y {
			y[i] = float32(sigmoid(float64(z)))
		}
	}
	drop := s.training && e.DropRate > 0
	if drop {
		e.drop(s, y, first)
	}
	return drop || e.Activation != kernels.Identity
}

const leak = 0.01

// normalCDF is Φ, by erfc so that it keeps its digits far below zero.
func normalCDF(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// drop zeroes the elements that kernels.Keep drops and scales the others by
// 1/(1-rate), rounded once.
func (e *epilogue) drop(s *step, v []float32, first int) {
	scale := 1 / (1 - e.DropRate)
	for i := 0; i < len(v); {
		element := uint64(first + i)
		keep := kernels.KeepBlock(s.seed, s.number, e.Stream, element/4, e.DropRate)
		for lane := element % 4; lane < 4 && i < len(v); lane++ {
			kept := math.Float32bits(v[i] * scale)
			if !keep[lane] {
				kept = 0
			}
			v[i] = math.Float32frombits(kept)
			i++
		}
	}
}

// backward turns the gradient in a slice of y into the gradient in z, in place,
// and says whether there was anything to do. z has no columns where the Program
// does not keep it.
func (e *epilogue) backward(s *step, dy []float32, ys, zs samples, sl *slice) bool {
	if e.Activation == kernels.Identity && e.DropRate == 0 {
		return false
	}
	y, first := ys.rows(sl), sl.first*ys.cols
	if e.Activation == kernels.ReLU {
		// A dropped element has y = 0, which its gradient sees all the same.
		s.level.reluGrad(dy, y, 1/(1-e.DropRate))
		return true
	}
	if e.DropRate > 0 {
		e.drop(s, dy, first)
	}
	switch e.Activation {
	case kernels.LeakyReLU:
		for i, v := range y {
			slope := math.Float32bits(leak)
			if v > 0 {
				slope = math.Float32bits(1)
			}
			dy[i] *= math.Float32frombits(slope)
		}
	case kernels.GELU:
		geluGrad(dy, zs.rows(sl))
	case kernels.Tanh:
		keep := 1 - e.DropRate // y is tanh(z)/keep
		for i, v := range y {
			f := v * keep
			dy[i] *= 1 - float32(f*f)
		}
	case kernels.Sigmoid:
		keep := 1 - e.DropRate
		for i, v := range y {
			f := v * keep
			dy[i] *= float32(f * (1 - f))
		}
	}
	return true
}

func plainReLUGrad(dy, y []float32, scale float32) {
	for i, g := range dy {
		bits := math.Float32bits(g * scale)
		if y[i] <= 0 {
			bits = 0
		}
		dy[i] = math.Float32frombits(bits)
	}
}

// geluGrad multiplies by d/dz z·Φ(z) = Φ(z) + z·φ(z).
func geluGrad(dy, z []float32) {
	const scale = 0.3989422804014327 // 1/√(2π), so that φ(z) = scale·exp(-z²/2)
	for i, v := range z[:len(dy)] {
		x := float64(v)
		dy[i] = float32(float64(dy[i]) * (normalCDF(x) + x*scale*math.Exp(-x*x/2)))
	}
}
