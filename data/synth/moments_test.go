package synth

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// stdPlain is the two-pass sample deviation.
func stdPlain(values []int64) float64 {
	mean := 0.0
	for _, v := range values {
		mean += float64(v) / float64(len(values))
	}
	sum := 0.0
	for _, v := range values {
		sum += (float64(v) - mean) * (float64(v) - mean)
	}
	return math.Sqrt(sum / float64(len(values)-1))
}

// Any real packets lie between the limits that the places 0 and 1 stand for.
func TestStdOfSpansAllNumbersWithThatTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 2000), 2, 30).Draw(t, "values")
		low, high, total := values[0], values[0], int64(0)
		for _, v := range values {
			low, high, total = min(low, v), max(high, v), total+v
		}
		n, got := int64(len(values)), stdPlain(values)
		least, most := stdOf(n, total, low, high, 0), stdOf(n, total, low, high, 1)
		slack := 1e-9 * float64(high)
		if !(least-slack <= got && got <= most+slack) {
			t.Fatalf("deviation %v of %v is not between %v and %v", got, values, least, most)
		}
		if n <= 3 && !(math.Abs(least-most) <= slack) {
			t.Fatalf("%d numbers leave room from %v to %v", n, least, most)
		}
	})
}

func TestSizesOfStaysWithinItsLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 300000).Draw(t, "n")
		high := rapid.Int64Range(0, 30000).Draw(t, "high")
		low := rapid.Int64Range(0, 30000).Draw(t, "low")
		meanAt, stdAt := rapid.Float64Range(0, 1).Draw(t, "meanAt"), rapid.Float64Range(0, 1).Draw(t, "stdAt")
		s := sizesOf(n, low, high, meanAt, stdAt)
		switch {
		case n == 0 && s != sizes{}:
			t.Fatalf("no packets have %+v", s)
		case n == 0:
		case s.min > s.max || s.max != high || s.total < n*s.min || s.total > n*s.max:
			t.Fatalf("%+v", s)
		case n > 1 && s.total != s.min+s.max && s.min == s.max && s.total != n*s.min:
			t.Fatalf("%+v", s)
		case !(s.std >= 0 && s.std <= float64(s.max-s.min)/2*math.Sqrt(float64(n)/math.Max(1, float64(n-1)))*(1+1e-9)+1e-9):
			t.Fatalf("deviation of %+v", s)
		}
	})
}

func TestGapsOfAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 1000).Draw(t, "n")
		total := rapid.Int64Range(0, timeout).Draw(t, "total")
		low := rapid.Int64Range(0, timeout).Draw(t, "low")
		g := gapsOf(n, total, low, rapid.Float64Range(0, 1).Draw(t, "maxAt"), rapid.Float64Range(0, 1).Draw(t, "stdAt"))
		// One gap of min, one of max, and the others between must be able to make the total.
		if g.total != total || g.min < 0 || g.min > g.max ||
			n >= 2 && (g.min+g.max+(n-2)*g.min > total || g.min+g.max+(n-2)*g.max < total) {
			t.Fatalf("%d gaps: %+v", n, g)
		}
		if !(g.std >= 0) || math.IsInf(g.std, 0) {
			t.Fatalf("deviation of %+v", g)
		}
	})
}

func TestExpIsMathExp(t *testing.T) {
	for x := 0.0; x < 25; x += .00137 {
		if got, want := exp(x), math.Exp(x); !(math.Abs(got-want) <= 2e-15*want) {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	if exp(0) != 1 {
		t.Errorf("exp(0) = %v", exp(0))
	}
}
