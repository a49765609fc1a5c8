package flowcsv

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"

	"flowbench/data/ledger"
)

// lone reads a field that is one digit and a comma, as most fields of flow
// records are; it is small enough to be compiled into its caller.
func lone(line []byte, at int) (digit byte, ok bool) {
	if at+1 >= len(line) || line[at+1] != ',' {
		return 0, false
	}
	digit = line[at] - '0'
	return digit, digit <= 9
}

// shortDecimal reads the number that starts line[at:] and ends at a comma or
// the end of the line, and returns where it ends. ok is false for everything
// that it leaves to number: more than 19 digits, a mantissa of 2^53 or more,
// exponents, words, blanks, quotes.
//
// Its value is that of strconv.ParseFloat: mantissa and power of ten are both
// exact in float64, so that one division rounds once (Clinger 1990, "How to
// Read Floating Point Numbers Accurately").
func shortDecimal(line []byte, at int) (v float32, end int, ok bool) {
	i := at
	negative := i < len(line) && line[i] == '-'
	if negative {
		i++
	}
	var mantissa uint64
	first := i
	for i < len(line) && line[i]-'0' <= 9 {
		mantissa = mantissa*10 + uint64(line[i]-'0')
		i++
	}
	digits, decimals := i-first, 0
	if i < len(line) && line[i] == '.' {
		i++
		first = i
		for i < len(line) && line[i]-'0' <= 9 {
			mantissa = mantissa*10 + uint64(line[i]-'0')
			i++
		}
		decimals = i - first
		digits += decimals
	}
	if digits == 0 || digits > 19 || mantissa >= 1<<53 || i < len(line) && line[i] != ',' {
		return 0, at, false
	}
	exact := float64(mantissa)
	if decimals > 0 {
		exact /= powersOfTen[decimals]
	}
	if negative {
		exact = -exact
	}
	return float32(exact), i, true
}

var powersOfTen = [20]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// numberKind is what the text of a cell turned out to be.
type numberKind uint8

const (
	isNumber numberKind = iota
	isInfinite
	isNaN
	isBlank
	isText
	isOutOfRange
)

// missing is the ledger's name of a kind that is a missing cell.
func (k numberKind) missing() (ledger.Missing, bool) {
	switch k {
	case isInfinite:
		return ledger.Infinite, true
	case isNaN:
		return ledger.NaN, true
	case isBlank:
		return ledger.Blank, true
	}
	return 0, false
}

// number reads a whole cell. Outer blanks do not count. Words for infinity and
// NaN are taken in any case and with any sign; hexadecimal, underscores and
// other things that strconv.ParseFloat would take are text. The value is NaN
// unless the kind is isNumber.
func number(cell []byte) (float32, numberKind) {
	cell = bytes.TrimSpace(cell)
	missing := float32(math.NaN())
	if len(cell) == 0 {
		return missing, isBlank
	}
	for _, c := range cell {
		if c-'0' > 9 && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return missing, word(cell)
		}
	}
	// The string lives only during the call, and the cell does not change meanwhile.
	v, err := strconv.ParseFloat(unsafe.String(&cell[0], len(cell)), 64)
	if err != nil && !math.IsInf(v, 0) {
		return missing, isText
	}
	rounded := float32(v)
	if math.IsInf(float64(rounded), 0) {
		return missing, isOutOfRange
	}
	return rounded, isNumber
}

// word is the kind of a cell that holds letters.
func word(cell []byte) numberKind {
	if cell[0] == '-' || cell[0] == '+' {
		cell = cell[1:]
	}
	switch {
	case bytes.EqualFold(cell, []byte("infinity")), bytes.EqualFold(cell, []byte("inf")):
		return isInfinite
	case bytes.EqualFold(cell, []byte("nan")):
		return isNaN
	}
	return isText
}
