package search

import (
	_ "embed"
	"math/bits"
	"strconv"
	"strings"
	"sync"
)

// joeKuo are the primitive polynomials and the first direction numbers of
// dimensions 2 to 128 in the authors' own form, new-joe-kuo-6: S. Joe and F. Y.
// Kuo, Constructing Sobol sequences with better two-dimensional projections,
// SIAM Journal on Scientific Computing 30 (2008), 2635-2654. A line holds the
// dimension, the degree of its polynomial, the polynomial's inner coefficients
// as bits, and as many numbers as the degree.
//
//go:embed joe_kuo.txt
var joeKuo string

// sobolDimensions is how many dimensions the table has. A spec has fewer fields
// that a sweep may vary.
const sobolDimensions = 128

// sobolBits is how many bits a coordinate has, and so 2³² how many points there are.
const sobolBits = 32

// directions are the direction numbers of each dimension, that of the index's
// lowest bit first. The table is shared: it must not be written to.
var directions = sync.OnceValue(func() [][sobolBits]uint32 {
	all := make([][sobolBits]uint32, 1, sobolDimensions)
	for k := range sobolBits { // the first dimension is van der Corput's sequence
		all[0][k] = 1 << (sobolBits - 1 - k)
	}
	for line := range strings.Lines(joeKuo) {
		if numbers := wholes(line); len(numbers) > 0 {
			all = append(all, recurrence(numbers[1], numbers[2], numbers[3:]))
		}
	}
	return all
})

// wholes reads the numbers of a line, none of a comment.
func wholes(line string) []uint32 {
	if strings.HasPrefix(line, "#") {
		return nil
	}
	var numbers []uint32
	for _, word := range strings.Fields(line) {
		n, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			panic("search: joe_kuo.txt: " + err.Error())
		}
		numbers = append(numbers, uint32(n))
	}
	return numbers
}

// recurrence continues the first direction numbers of a polynomial of the given
// degree: Joe and Kuo 2008, equation (2).
func recurrence(degree, inner uint32, first []uint32) [sobolBits]uint32 {
	var v [sobolBits]uint32
	s := int(degree)
	for k := range sobolBits {
		if k < s {
			v[k] = first[k] << (sobolBits - 1 - k)
			continue
		}
		v[k] = v[k-s] ^ v[k-s]>>s
		for j := 1; j < s; j++ {
			v[k] ^= (inner >> (s - 1 - j) & 1) * v[k-j]
		}
	}
	return v
}

// sobolPoint is coordinate dimension, from 0, of point index of the sequence in
// Gray code order (Antonov and Saleev 1979), as 32 bits behind the point.
func sobolPoint(index uint32, dimension int) uint32 {
	v := &directions()[dimension]
	var x uint32
	for gray := index ^ index>>1; gray != 0; gray &= gray - 1 {
		x ^= v[bits.TrailingZeros32(gray)]
	}
	return x
}

// scramble permutes 32 bits behind the point so that each bit is flipped by a
// function of the bits before it, which keeps the sequence as even as it was
// (Owen 1995). The function is the hash of Laine and Karras as improved in B.
// Burley, Practical Hash-based Owen Scrambling, Journal of Computer Graphics
// Techniques 9(4), 2020, listings 1 and 2.
func scramble(x, seed uint32) uint32 {
	x = bits.Reverse32(x) + seed
	x ^= x * 0x6c50b47c
	x ^= x * 0xb82f1e52
	x ^= x * 0xc7afe638
	x ^= x * 0x8d22f6e6
	return bits.Reverse32(x)
}
