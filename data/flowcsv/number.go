package flowcsv

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"

	"flowbench/data/ledger"
)

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
