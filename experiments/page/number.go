package page

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

// digits is how many significant digits a number keeps on its way into a page:
// a pixel of the widest chart is a thousandth of it, and tables show four.
const digits = 6

// Number is a float64 as a page holds it: six significant digits, and null where
// it is NaN or infinite, which JSON has no word for.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) { return appendNumber(nil, float64(n)), nil }

// Numbers is a list of Number.
type Numbers []float64

// MarshalJSON implements json.Marshaler. A nil list is an empty one.
func (n Numbers) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 2+8*len(n))
	out = append(out, '[')
	for i, v := range n {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendNumber(out, v)
	}
	return append(out, ']'), nil
}

func appendNumber(to []byte, v float64) []byte {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return append(to, "null"...)
	case v == math.Trunc(v) && math.Abs(v) < 1e15: // counts stay whole
		return strconv.AppendInt(to, int64(v), 10)
	}
	return strconv.AppendFloat(to, v, 'g', digits, 64)
}

// sortBy sorts indices by falling value; equal ones stay in order.
func sortBy(order []int, value []float64) {
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(value[b], value[a]) })
}
