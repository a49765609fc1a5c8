package kernels

import "math"

// Philox is Philox4x32-10: ten rounds that turn a 128-bit counter under a
// 64-bit key into 128 random bits (Salmon, Moraes, Dror, Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011). It has no state, so any element of any
// stream can be drawn by any thread, in any order, on any device.
func Philox(counter [4]uint32, key [2]uint32) [4]uint32 {
	const (
		multiplier0, multiplier1 = 0xD2511F53, 0xCD9E8D57
		weyl0, weyl1             = 0x9E3779B9, 0xBB67AE85
	)
	c0, c1, c2, c3 := counter[0], counter[1], counter[2], counter[3]
	k0, k1 := key[0], key[1]
	for range 10 {
		p0 := uint64(multiplier0) * uint64(c0)
		p1 := uint64(multiplier1) * uint64(c2)
		c0, c1, c2, c3 = uint32(p1>>32)^c1^k0, uint32(p1), uint32(p0>>32)^c3^k1, uint32(p0)
		k0 += weyl0
		k1 += weyl1
	}
	return [4]uint32{c0, c1, c2, c3}
}

// purpose keeps draws of different kinds apart that share seed, step and stream:
// the mask and the noise of one Corrupt must not be functions of the same bits.
type purpose uint32

const (
	keepDraw purpose = iota
	normalDraw
	uniformDraw
	permutationDraw
)

// stepBlock is block number block (four words) of a stream that is fresh in
// every step. The key is the seed; the counter is, from its lowest word, the
// block (elements up to 2³⁴), the step (up to 2⁴⁸) with the purpose above it,
// and the stream. Larger elements and steps wrap: a trial of 2⁴⁸ steps of a
// microsecond lasts nine years.
func stepBlock(p purpose, seed, step uint64, stream uint32, block uint64) [4]uint32 {
	return Philox(
		[4]uint32{uint32(block), uint32(step), uint32(step>>32)&0xFFFF | uint32(p)<<16, stream},
		[2]uint32{uint32(seed), uint32(seed >> 32)},
	)
}

// unit maps a word to [0, 1) by its upper 24 bits, which float32 holds exactly.
func unit(word uint32) float32 { return float32(word>>8) * (1.0 / (1 << 24)) }

// Keep says whether element survives dropout at rate: false with probability
// rate, up to the 24 bits of the draw. It is a function of its arguments alone.
// A rate of 0 (or below, or NaN) keeps everything, 1 or more nothing.
func Keep(seed, step uint64, stream uint32, element uint64, rate float32) bool {
	return KeepBlock(seed, step, stream, element/4, rate)[element%4]
}

// KeepBlock is Keep of elements 4·block to 4·block+3, at the price of one.
func KeepBlock(seed, step uint64, stream uint32, block uint64, rate float32) [4]bool {
	w := stepBlock(keepDraw, seed, step, stream, block)
	return [4]bool{!(unit(w[0]) < rate), !(unit(w[1]) < rate), !(unit(w[2]) < rate), !(unit(w[3]) < rate)}
}

// Normal is a standard normal number, a function of its arguments alone. See NormalBlock.
func Normal(seed, step uint64, stream uint32, element uint64) float32 {
	return NormalBlock(seed, step, stream, element/4)[element%4]
}

// NormalBlock is Normal of elements 4·block to 4·block+3, at the price of one.
//
// Words (a, b) of a block make two of them by Box and Muller 1958:
// r·cos θ and r·sin θ with r = √(-2 ln u), u = (⌊a/2⁸⌋+1)/2²⁴ in (0, 1] and
// θ = 2π·⌊b/2⁸⌋/2²⁴. Both inputs are exact in float32, so that a device without
// fast float64 comes within a few float32 roundings; here the functions run in
// float64 and round once. |value| is at most 5.77.
func NormalBlock(seed, step uint64, stream uint32, block uint64) [4]float32 {
	w := stepBlock(normalDraw, seed, step, stream, block)
	n0, n1 := boxMuller(w[0], w[1])
	n2, n3 := boxMuller(w[2], w[3])
	return [4]float32{n0, n1, n2, n3}
}

func boxMuller(a, b uint32) (float32, float32) {
	const scale = 1.0 / (1 << 24)
	r := math.Sqrt(-2 * math.Log(float64(a>>8+1)*scale))
	sin, cos := math.Sincos(2 * math.Pi * (float64(b>>8) * scale))
	return float32(r * cos), float32(r * sin)
}

// Uniform is a number in [0, 1) with 24 random bits, a function of its
// arguments alone; every element of the 64-bit range is its own draw.
func Uniform(seed uint64, stream uint32, element uint64) float32 {
	block := element / 4
	w := Philox(
		[4]uint32{uint32(block), uint32(block >> 32), uint32(uniformDraw) << 16, stream},
		[2]uint32{uint32(seed), uint32(seed >> 32)},
	)
	return unit(w[element%4])
}
