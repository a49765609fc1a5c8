package cpu

import (
	"math"

	"flowbench/kernels"
)

// activate is y = f(z) for any f but Identity, and whether all of y is finite; y
// and z may be the same. A NaN stays a NaN through every f.
//
// The assembly computes in float32: its error, in units in the last place of the
// result and beside float64, is at most 5.5 for GELU (for z above -13; beyond, where
// y is a denormal, 2⁻¹⁴⁵), 2.2 for Sigmoid and 1.6 for Tanh; the others have none.
// Plain Go computes those three in float64.
func (l level) activate(f kernels.ActivationFunc, y, z []float32) bool {
	switch z = z[:len(y)]; l {
	case avx512:
		return activateAVX512(f, &y[0], &z[0], len(y)) == 0
	case avx2:
		return activateAVX2(f, &y[0], &z[0], len(y)) == 0
	}
	plainActivate(f, y, z)
	return finite(y)
}

func activateAVX512(f kernels.ActivationFunc, y, z *float32, n int) uint32 {
	switch f {
	case kernels.ReLU:
		return reluAVX512(y, z, n)
	case kernels.LeakyReLU:
		return leakyReLUAVX512(y, z, n)
	case kernels.GELU:
		return geluAVX512(y, z, n)
	case kernels.Tanh:
		return tanhAVX512(y, z, n)
	}
	return sigmoidAVX512(y, z, n)
}

func activateAVX2(f kernels.ActivationFunc, y, z *float32, n int) uint32 {
	switch f {
	case kernels.ReLU:
		return reluAVX2(y, z, n)
	case kernels.LeakyReLU:
		return leakyReLUAVX2(y, z, n)
	case kernels.GELU:
		return geluAVX2(y, z, n)
	case kernels.Tanh:
		return tanhAVX2(y, z, n)
	}
	return sigmoidAVX2(y, z, n)
}

func plainActivate(f kernels.ActivationFunc, y, z []float32) {
	switch f {
	case kernels.ReLU:
		for i, v := range z {
			y[i] = max(v, 0)
		}
	case kernels.LeakyReLU:
		for i, v := range z {
			y[i] = max(v, leak*v)
		}
	case kernels.GELU:
		for i, v := range z {
			y[i] = float32(float64(v) * normalCDF(float64(v)))
		}
	case kernels.Tanh:
		for i, v := range z {
			y[i] = float32(math.Tanh(float64(v)))
		}
	case kernels.Sigmoid:
		for i, v := range z {
			y[i] = float32(sigmoid(float64(v)))
		}
	}
}

const leak = 0.01

// normalCDF is Φ, by erfc so that it keeps its digits far below zero.
func normalCDF(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// activationGrad multiplies dy by f'(z), for any f but Identity and ReLU, and
// says whether all of it is finite. GELU takes z, the others y = f(z)/keep.
//
// The slope of GELU in the assembly is off by at most 3.2·2⁻²⁴, and by 7
// units in the last place below -1; the others equal the plain loops.
func (l level) activationGrad(f kernels.ActivationFunc, dy, yz []float32, keep float32) bool {
	switch yz = yz[:len(dy)]; l {
	case avx512:
		return activationGradAVX512(f, &dy[0], &yz[0], keep, len(dy)) == 0
	case avx2:
		return activationGradAVX2(f, &dy[0], &yz[0], keep, len(dy)) == 0
	}
	plainActivationGrad(f, dy, yz, keep)
	return finite(dy)
}

func activationGradAVX512(f kernels.ActivationFunc, dy, yz *float32, keep float32, n int) uint32 {
	switch f {
	case kernels.LeakyReLU:
		return leakyReLUGradAVX512(dy, yz, n)
	case kernels.GELU:
		return geluGradAVX512(dy, yz, n)
	case kernels.Tanh:
		return tanhGradAVX512(dy, yz, keep, n)
	}
	return sigmoidGradAVX512(dy, yz, keep, n)
}

func activationGradAVX2(f kernels.ActivationFunc, dy, yz *float32, keep float32, n int) uint32 {
	switch f {
	case kernels.LeakyReLU:
		return leakyReLUGradAVX2(dy, yz, n)
	case kernels.GELU:
		return geluGradAVX2(dy, yz, n)
	case kernels.Tanh:
		return tanhGradAVX2(dy, yz, keep, n)
	}
	return sigmoidGradAVX2(dy, yz, keep, n)
}

func plainActivationGrad(f kernels.ActivationFunc, dy, yz []float32, keep float32) {
	switch f {
	case kernels.LeakyReLU:
		for i, v := range yz {
			if v <= 0 {
				dy[i] *= leak
			}
		}
	case kernels.GELU:
		for i, v := range yz {
			dy[i] = float32(float64(dy[i]) * geluSlope(float64(v)))
		}
	case kernels.Tanh:
		for i, v := range yz {
			f := v * keep
			dy[i] *= 1 - float32(f*f)
		}
	case kernels.Sigmoid:
		for i, v := range yz {
			f := v * keep
			dy[i] *= float32(f * (1 - f))
		}
	}
}

// geluSlope is d/dz z·Φ(z) = Φ(z) + z·φ(z).
func geluSlope(z float64) float64 {
	const scale = 0.3989422804014327 // 1/√(2π), so that φ(z) = scale·exp(-z²/2)
	return normalCDF(z) + z*scale*math.Exp(-z*z/2)
}

// reluGrad scales dy, clears it where y <= 0, and says whether all of it is finite.
func (l level) reluGrad(dy, y []float32, scale float32) bool {
	switch y = y[:len(dy)]; l {
	case avx512:
		return reluGradAVX512(&dy[0], &y[0], scale, len(dy)) == 0
	case avx2:
		return reluGradAVX2(&dy[0], &y[0], scale, len(dy)) == 0
	}
	plainReLUGrad(dy, y, scale)
	return finite(dy)
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
