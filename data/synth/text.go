package synth

import (
	"math"
	"strconv"
)

// numberStyle is how a file writes its numbers.
type numberStyle uint8

const (
	// spreadsheet is how most of the published files came out of one: ten digits
	// with the zero before the point among them, no zeros at the end, and from
	// ten million on three significant digits in narrow columns.
	spreadsheet numberStyle = iota
	// flowMeter is the meter's own text, as Java prints doubles: 0.0, 4.5E7.
	flowMeter
)

// narrow is where spreadsheet starts to round.
const narrow = 1e7

// appendReal appends a measured value.
func (s numberStyle) appendReal(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case s == flowMeter:
		return appendJava(dst, v)
	case math.Abs(v) >= narrow:
		return strconv.AppendInt(dst, threeDigits(v), 10)
	case v == math.Trunc(v):
		return strconv.AppendInt(dst, int64(v), 10)
	}
	decimals := 9
	for limit := 10.0; math.Abs(v) >= limit; limit *= 10 {
		decimals--
	}
	return trimZeros(strconv.AppendFloat(dst, v, 'f', decimals, 64))
}

// appendGap appends a whole number of a narrow column.
func (s numberStyle) appendGap(dst []byte, v int64) []byte {
	if s == spreadsheet && v >= narrow {
		v = threeDigits(float64(v))
	}
	return strconv.AppendInt(dst, v, 10)
}

// threeDigits rounds a value of eight digits or more to three significant ones.
func threeDigits(v float64) int64 {
	step := 1.0
	for math.Abs(v)/step >= 1000 {
		step *= 10
	}
	return int64(math.Round(v/step)) * int64(step)
}

func trimZeros(dst []byte) []byte {
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	if dst[len(dst)-1] == '.' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// appendJava appends v as Java's Double.toString does: a point always, and an
// exponent below a thousandth and from ten million on.
func appendJava(dst []byte, v float64) []byte {
	if a := math.Abs(v); a != 0 && (a < 1e-3 || a >= 1e7) {
		return appendExponent(dst, v)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, v, 'f', -1, 64)
	for _, c := range dst[from:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// appendExponent appends 4.5E7 where Go writes 4.5E+07.
func appendExponent(dst []byte, v float64) []byte {
	from := len(dst)
	dst = strconv.AppendFloat(dst, v, 'E', -1, 64)
	at := from
	for dst[at] != 'E' {
		at++
	}
	exponent, _ := strconv.Atoi(string(dst[at+1:])) // what AppendFloat wrote is a number
	point := false
	for _, c := range dst[from:at] {
		point = point || c == '.'
	}
	dst = dst[:at]
	if !point {
		dst = append(dst, ".0"...)
	}
	return strconv.AppendInt(append(dst, 'E'), int64(exponent), 10)
}
