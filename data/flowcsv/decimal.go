package flowcsv

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unsafe"
)

// The bytes of a word are characters in file order, the first in the lowest.
const (
	everyByte = 0x0101010101010101
	highBits  = 0x80 * everyByte
	zeros     = '0' * everyByte
)

// decimals reads fields into dst, one a value, from line[at:] on, for as long
// as they are plain decimals that a comma ends: the loop
//
//	for n < len(dst) && shortDecimal(line, at) ends at a comma
//
// It returns how many it read and where the next field starts. The line is the
// first size bytes of text; the bytes after it are not taken for part of it, but
// reading them spares the end of each line a slower way. They must start with a
// line end, or not be there.
//
// Fields of one to eight characters, digits with at most one point, are read
// from one word of eight bytes in the same steps whatever their length: lengths
// cannot be predicted, and a wrong guess of the processor costs as much as two
// fields. Whether there is a point depends on the column, and is guessed well.
// (Lemire 2021, "Number Parsing at a Gigabyte per Second", for eightDigits.)
//
// A field without a digit is shifted by nothing, so that its comma is among the
// bytes and is found to be no digit.
//
// With a point such a value is m/10^d, m < 10^7 and d <= 7: a quotient of two
// exact float32, so that one division rounds once. It equals the float64
// quotient rounded to float32: those could differ only if m/10^d, without being
// the middle of two float32, were within 2^-53 of one; as middles have 25 bits
// and 10^d has 24, it is 2^-49 away.
func decimals(text []byte, size, at int, dst []float32) (n, next int) {
	start, last := unsafe.Pointer(unsafe.SliceData(text)), len(text)-lookahead
	for ; n < len(dst); n++ {
		if at <= last {
			w := binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(start, at))[:])
			stops := ^w & (0x10 * everyByte)                // no digit lacks this bit; comma and point do
			first := uint(bits.TrailingZeros64(stops)) >> 3 // characters before it, 8 if there is none
			switch *(*byte)(unsafe.Add(start, at+int(first))) {
			case ',':
				padded := (w ^ zeros) << (-(8 * first) & 63)
				if areDigits(padded) {
					dst[n] = float32(int64(eightDigits(padded)))
					at += int(first) + 1
					continue
				}
			case '.':
				second := uint(bits.TrailingZeros64(stops&(stops-1))) >> 3
				before := uint64(1)<<(8*first&63) - 1
				joined := w&before | w>>8&^before // without the point
				padded := (joined ^ zeros) << (8 * (1 - second) & 63)
				if *(*byte)(unsafe.Add(start, at+int(second))) == ',' && areDigits(padded) {
					dst[n] = float32(int64(eightDigits(padded))) / float32PowersOfTen[(second-first-1)&7]
					at += int(second) + 1
					continue
				}
			}
		}
		v, end, ok := shortDecimal(text[:size], at)
		if !ok || end == size {
			break
		}
		dst[n] = v
		at = end + 1
	}
	return n, at
}

// lookahead is how many bytes from the start of a field on decimals looks at.
const lookahead = 9

// areDigits reports whether all bytes have a value of 0 to 9.
func areDigits(w uint64) bool { return (w+(0x80-10)*everyByte|w)&highBits == 0 }

var float32PowersOfTen = [8]float32{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}

// eightDigits is the number that eight bytes of value 0 to 9 spell, the first
// digit in the lowest.
func eightDigits(w uint64) uint64 {
	w = (w*10 + w>>8) & 0x00ff00ff00ff00ff
	w = (w*100 + w>>16) & 0x0000ffff0000ffff
	return (w*10000 + w>>32) & 0xffffffff
}

// shortDecimal reads the number that starts line[at:] and ends at a comma or
// the end of the line, and returns where it ends. ok is false for everything
// that it leaves to number: more than 19 digits, exponents, words, blanks,
// quotes, and one long mantissa in 2^25.
//
// Its value is float32 of what strconv.ParseFloat gives. A mantissa below 2^53
// and a power of ten up to 10^19 are exact in float64, so that one division
// rounds once (Clinger 1990, "How to Read Floating Point Numbers Accurately").
// For longer ones see isSafe.
func shortDecimal(line []byte, at int) (v float32, end int, ok bool) {
	first := at
	negative := first < len(line) && line[first] == '-'
	if negative {
		first++
	}
	mantissa, i := digitRun(line, first, 0)
	digits, decimals := i-first, 0
	if i < len(line) && line[i] == '.' {
		first = i + 1
		mantissa, i = digitRun(line, first, mantissa)
		decimals = i - first
		digits += decimals
	}
	if digits == 0 || digits > 19 || i < len(line) && line[i] != ',' {
		return 0, at, false
	}
	exact := float64(mantissa)
	if decimals > 0 {
		exact /= powersOfTen[decimals]
	}
	if mantissa >= 1<<53 && !isSafe(exact) {
		return 0, at, false
	}
	if negative {
		exact = -exact
	}
	return float32(exact), i, true
}

// isSafe reports whether all float64 within 8 steps of v round to one float32.
//
// A mantissa that was rounded to float64, and divided by a power of ten, is
// within 2.5 steps of the float64 nearest to the number, or 5 where a power of
// two lies between. float32 keeps all but the last 29 bits of a float64 (the
// values that matter here are far from its limits), so that both become the same
// float32 unless these bits are about half way.
func isSafe(v float64) bool {
	const half = 1 << 28
	rest := math.Float64bits(v) & (2*half - 1)
	return rest < half-8 || rest > half+8
}

var powersOfTen = [20]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// digitRun appends the digits that start line[at:] to the mantissa, and returns
// where they end. It wraps around where there are more than 19.
func digitRun(line []byte, at int, mantissa uint64) (uint64, int) {
	for len(line)-at >= 8 {
		w := binary.LittleEndian.Uint64(line[at:]) ^ zeros
		others := (w + (0x80-10)*everyByte | w) & highBits // the lowest is exact
		if others == 0 {
			mantissa = mantissa*1e8 + uint64(eightDigits(w))
			at += 8
			continue
		}
		n := uint(bits.TrailingZeros64(others)) & 56
		if n > 0 {
			mantissa = mantissa*integerPowersOfTen[n>>3] + uint64(eightDigits(w<<(64-n)))
		}
		return mantissa, at + int(n>>3)
	}
	for at < len(line) && line[at]-'0' <= 9 {
		mantissa = mantissa*10 + uint64(line[at]-'0')
		at++
	}
	return mantissa, at
}

var integerPowersOfTen = [8]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}
