package cpu

import "flowbench/kernels"

// draws is where a step draws random numbers from: the counter of
// kernels.Philox, whose first word is the number of the block, and the keys of
// its ten rounds. The words must be laid out as package kernels does it, which
// the tests of dropout and noise hold to the bit.
type draws [4 + 2*10]uint32

// The purposes that package kernels has numbered.
const (
	keepDraw   = 0
	normalDraw = 1
)

func (s *step) draws(purpose, stream uint32) draws {
	d := draws{0, uint32(s.number), uint32(s.number>>32)&0xFFFF | purpose<<16, stream}
	const weyl0, weyl1 = 0x9E3779B9, 0xBB67AE85
	for round := range uint32(10) {
		d[4+2*round] = uint32(s.seed) + round*weyl0
		d[5+2*round] = uint32(s.seed>>32) + round*weyl1
	}
	return d
}

// at is draws from element first on, which must be that of a block.
func (d draws) at(first int) draws {
	if first%4 != 0 {
		panic("cpu: a slice begins within a block of random numbers")
	}
	d[0] = uint32(first / 4)
	return d
}

// seed and step are the arguments of package kernels' own functions.
func (d draws) seed() uint64 { return uint64(d[4]) | uint64(d[5])<<32 }
func (d draws) step() uint64 { return uint64(d[1]) | uint64(d[2]&0xFFFF)<<32 }

// dropout zeroes the elements of v that kernels.Keep drops at rate, scales the
// others, and says whether all are finite. first, a multiple of 4, is the number
// of v's first element.
func (l level) dropout(v []float32, first int, d draws, rate, scale float32) bool {
	d = d.at(first)
	switch l {
	case avx512:
		return dropoutAVX512(&v[0], len(v), &d[0], rate*(1<<24), scale) == 0
	case avx2:
		return dropoutAVX2(&v[0], len(v), &d[0], rate*(1<<24), scale) == 0
	}
	plainDropout(v, d, rate, scale)
	return finite(v)
}

func plainDropout(v []float32, d draws, rate, scale float32) {
	for i := 0; i < len(v); i += 4 {
		keep := kernels.KeepBlock(d.seed(), d.step(), d[3], uint64(d[0])+uint64(i/4), rate)
		for lane := range min(4, len(v)-i) {
			v[i+lane] *= scale
			if !keep[lane] {
				v[i+lane] = 0
			}
		}
	}
}

// noise adds sigma·kernels.Normal to the elements of y and says whether all are
// finite; first is as in dropout. Plain Go computes a normal number in float64
// and rounds once, the assembly in float32: it is off by at most 4e-7·(1+|normal|).
func (l level) noise(y []float32, first int, d draws, sigma float32) bool {
	d = d.at(first)
	switch l {
	case avx512:
		return noiseAVX512(&y[0], len(y), &d[0], sigma) == 0
	case avx2:
		return noiseAVX2(&y[0], len(y), &d[0], sigma) == 0
	}
	plainNoise(y, d, sigma)
	return finite(y)
}

func plainNoise(y []float32, d draws, sigma float32) {
	for i := 0; i < len(y); i += 4 {
		normal := kernels.NormalBlock(d.seed(), d.step(), d[3], uint64(d[0])+uint64(i/4))
		for lane := range min(4, len(y)-i) {
			y[i+lane] += float32(sigma * normal[lane])
		}
	}
}
