package scale

import (
	"math"
	"sync"
)

// signedLog1p is f for SignedLog1p. fastLog1p.at is the same, sooner.
func signedLog1p(x float32) float32 {
	if x == 0 {
		return 0
	}
	return float32(math.Copysign(math.Log1p(math.Abs(float64(x))), float64(x)))
}

const (
	// wholes is how many whole numbers from 0 on have their logarithm in a table:
	// what counts of packets and flags, lengths and windows are, most cells of a
	// flow.
	wholes = 1 << 16
	// logCells is how many parts [1, 2) is cut into for a logarithm.
	logCells = 1 << 7
)

// fastLog1p is the tables behind signedLog1p's shorter way, 264 KB, of which the
// first few are used most.
type fastLog1p struct {
	whole   []float32
	inverse [logCells]float64 // near 1 over the middle of the cell
	log     [logCells]float64 // -log(inverse)
}

var logs = sync.OnceValue(func() *fastLog1p {
	f := &fastLog1p{whole: make([]float32, wholes)}
	for i := range f.whole {
		f.whole[i] = signedLog1p(float32(i))
	}
	for i := range f.inverse {
		f.inverse[i] = 1 / (1 + (float64(i)+0.5)/logCells)
		f.log[i] = -math.Log(f.inverse[i])
	}
	return f
})

// at is signedLog1p(x), to the bit, in a fraction of its 25 ns.
//
// From 1/2 on the logarithm of t = 1+|x| = 2^k·m, m in [1, 2), is k·ln 2 + log m,
// and log m that of the cell of m less what a polynomial makes of the rest r, with
// |r| <= 2^-8 (Tang 1990, "Table-driven implementation of the logarithm function",
// for the scheme). What is left out is r^7/7 < 2^-58, and rounding comes to less
// than 2^-48 of a result of 0.4 or more: float32 keeps all but the last 29 bits of
// a float64, so that both round to the same one unless those are within 2^-42 of
// half way, where the longer way decides.
func (f *fastLog1p) at(x float32) float32 {
	if i := int32(x); uint32(i) < wholes && float32(i) == x {
		return f.whole[i]
	}
	size := math.Abs(float64(x))
	if !(size >= 0.5 && size <= math.MaxFloat32) {
		return signedLog1p(x)
	}
	bits := math.Float64bits(1 + size)
	cell := bits >> (52 - 7) & (logCells - 1)
	m := math.Float64frombits(bits&(1<<52-1) | 1023<<52)
	r := m*f.inverse[cell] - 1
	q := r * r // in pairs, which the processor multiplies side by side
	rest := r - q*((1.0/2-r*(1.0/3))+q*((1.0/4-r*(1.0/5))+q*(1.0/6)))
	y := float64(int(bits>>52)-1023)*math.Ln2 + f.log[cell] + rest
	const half, near = 1 << 28, 1 << 10
	if low := math.Float64bits(y) & (2*half - 1); low-(half-near) <= 2*near {
		return signedLog1p(x)
	}
	if x < 0 {
		y = -y
	}
	return float32(y)
}
