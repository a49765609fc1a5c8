package kernelstest

import (
	"fmt"
	"math"
)

// tolerance is how far a float32 result may be from its float64 reference:
// |got-want| <= scaled·(largest finite |want| of the buffer) + relative·|want| + absolute.
//
// The scaled part is for sums: float32 sums of k terms are off by up to k·2⁻²⁴
// of the terms' magnitude, whatever is left after cancellation.
type tolerance struct{ scaled, relative, absolute float64 }

// compare returns a description of the worst element that is out of tolerance,
// or "" where there is none. NaN matches only NaN, an infinity only itself.
func compare(got []float32, want []float64, tol tolerance) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d elements, want %d", len(got), len(want))
	}
	largest := 0.0
	for _, w := range want {
		if a := math.Abs(w); a <= math.MaxFloat64 && a > largest {
			largest = a
		}
	}
	worst, share, bad := -1, 0.0, 0
	for i, w := range want {
		limit := tol.scaled*largest + tol.relative*math.Abs(w) + tol.absolute
		s := deviation(float64(got[i]), w, limit)
		if !(s <= 1) {
			bad++
		}
		if worst < 0 || s > share {
			worst, share = i, s
		}
	}
	if bad == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d elements out of tolerance; worst is element %d: %v, want %v (%.3g times the tolerance)",
		bad, len(want), worst, got[worst], want[worst], share)
}

// deviation is |got-want| in units of limit; 0 where both are the same
// non-finite value and +Inf where only one of them is, or limit is 0 and they differ.
func deviation(got, want, limit float64) float64 {
	if math.IsNaN(got) && math.IsNaN(want) || got == want {
		return 0
	}
	diff := math.Abs(got - want)
	if !(diff <= math.MaxFloat64) || limit == 0 {
		return math.Inf(1)
	}
	return diff / limit
}

// sameBits describes the first element whose bits differ, or returns "".
func sameBits(got, want []float32) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d elements, want %d", len(got), len(want))
	}
	for i := range want {
		if g, w := math.Float32bits(got[i]), math.Float32bits(want[i]); g != w {
			return fmt.Sprintf("element %d of %d is %v (%#08x), want %v (%#08x)", i, len(want), got[i], g, want[i], w)
		}
	}
	return ""
}
