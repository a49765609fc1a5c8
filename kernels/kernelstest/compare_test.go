package kernelstest

import (
	"math"
	"testing"
)

func TestCompareCanFail(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tol := tolerance{relative: 1e-3}
	for _, c := range []struct {
		got  float32
		want float64
		ok   bool
	}{
		{1, 1, true}, {1.0009, 1, true}, {1.0011, 1, false}, {-1, 1, false},
		{float32(nan), nan, true}, {float32(nan), 1, false}, {1, nan, false}, {float32(nan), inf, false},
		{float32(inf), inf, true}, {float32(-inf), inf, false}, {float32(inf), 1, false}, {1, inf, false},
		{0, 0, true}, {float32(math.Copysign(0, -1)), 0, true}, {math.SmallestNonzeroFloat32, 0, false},
		{math.MaxFloat32, math.MaxFloat32, true}, {-math.MaxFloat32, math.MaxFloat32, false},
	} {
		if fault := compare([]float32{c.got}, []float64{c.want}, tol); (fault == "") != c.ok {
			t.Errorf("%v against %v: %q", c.got, c.want, fault)
		}
	}
	if compare([]float32{1}, []float64{1, 2}, tol) == "" {
		t.Error("lengths that differ pass")
	}
	if compare([]float32{1000.1, 0.1}, []float64{1000, 0}, tolerance{scaled: 1e-3}) != "" {
		t.Error("the scaled tolerance does not reach a small element beside a large one")
	}
	if sameBits([]float32{0}, []float32{float32(math.Copysign(0, -1))}) == "" {
		t.Error("0 and -0 have the same bits")
	}
}
