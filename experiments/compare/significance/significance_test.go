package significance

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestSignedRankCountsSigns compares the exact p with all 2^n choices of signs.
func TestSignedRankCountsSigns(t *testing.T) {
	for _, d := range [][]float64{
		{1}, {1, 2}, {1, -2, 3}, {0.3, 0.1, -0.2, 0.5, 0.4, 0.6}, {1, 1, -1, 2, 2}, {0, 3, -1, 0, 2}, {2, -2, 2, -2},
		{5, 4, 3, 2, 1, -0.5, 6, 7, 8, 9},
	} {
		var kept []float64
		for _, v := range d {
			if v != 0 {
				kept = append(kept, v)
			}
		}
		ranks, total, sum := twiceRanks(kept), 0, 0
		for i, r := range ranks {
			total += r
			if kept[i] > 0 {
				sum += r
			}
		}
		extreme := 0
		for signs := range 1 << len(kept) {
			w := 0
			for i, r := range ranks {
				w += r * (signs >> i & 1)
			}
			if min(w, total-w) <= min(sum, total-sum) {
				extreme++
			}
		}
		want := float64(extreme) / float64(int(1)<<len(kept))
		if got := SignedRank(d); !(math.Abs(got.P-want) <= 1e-12) || !got.Exact || got.Pairs != len(kept) {
			t.Errorf("%v: %+v, want p %v", d, got, want)
		}
	}
	if got := SignedRank([]float64{0, 0}); got.P != 1 || got.Pairs != 0 {
		t.Errorf("no difference at all: %+v", got)
	}
}

// TestSignedRankKnown is the table of exact two-sided values: W <= 8 of 10 pairs
// has p 0.0488, W <= 3 of 8 pairs 0.0391 (scipy.stats.wilcoxon gives the same).
func TestSignedRankKnown(t *testing.T) {
	for _, c := range []struct {
		negative []int // ranks of the other sign
		n        int
		p        float64
	}{{[]int{8}, 10, 50.0 / 1024}, {[]int{3}, 8, 10.0 / 256}} {
		d := make([]float64, c.n)
		for i := range d {
			d[i] = float64(i + 1)
		}
		for _, r := range c.negative {
			d[r-1] *= -1
		}
		if got := SignedRank(d); math.Abs(got.P-c.p) > 1e-12 {
			t.Errorf("%+v, want p %v", got, c.p)
		}
	}
}

// TestSignedRankApproximation: beyond the exact range p must go on where it was.
func TestSignedRankApproximation(t *testing.T) {
	d := make([]float64, exactPairs)
	for i := range d {
		d[i] = float64(i%7) - 2.5 + float64(i)/100
	}
	exact := SignedRank(d)
	total, sum := 0, 0
	for i, r := range twiceRanks(d) {
		total += r
		if d[i] > 0 {
			sum += r
		}
	}
	if p := normalP(twiceRanks(d), min(sum, total-sum), total); !exact.Exact || math.Abs(p-exact.P) > 0.001 {
		t.Errorf("exact %v, approximate %v", exact.P, p)
	}
	if w := SignedRank(append(d, 1.5)); w.Exact {
		t.Error("51 pairs are counted out")
	}
}

func TestSmallestP(t *testing.T) {
	for n, want := range map[int]float64{0: 1, 1: 1, 2: 0.5, 5: 0.0625, 6: 0.03125} {
		d := make([]float64, n)
		for i := range d {
			d[i] = float64(i) + 1
		}
		if got := SmallestP(n); got != want || SignedRank(d).P != want {
			t.Errorf("%d pairs: %v, test %v, want %v", n, got, SignedRank(d).P, want)
		}
	}
	if PairsFor(0.05) != 6 || PairsFor(1) != 0 || PairsFor(0.05/3) != 7 {
		t.Errorf("%d, %d, %d", PairsFor(0.05), PairsFor(1), PairsFor(0.05/3))
	}
}

// TestHolm has the values of R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm").
func TestHolm(t *testing.T) {
	near := cmpopts.EquateApprox(0, 1e-12)
	if diff := cmp.Diff([]float64{0.03, 0.06, 0.06, 0.02}, Holm([]float64{0.01, 0.04, 0.03, 0.005}, 4), near); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]float64{0.05, 0.8}, Holm([]float64{0.005, 0.2}, 10)[:2], cmpopts.EquateApprox(0, 1)); diff != "" {
		t.Error(diff)
	}
	if got := Holm([]float64{0.005, 0.2}, 10); got[0] != 0.05 || got[1] != 1 {
		t.Errorf("picked from ten: %v", got)
	}
	if got := Holm(nil, 0); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// TestStudent has values of R: t.test(c(1, 2, 3, 4, 7)) gives 3.4 in
// [0.5401, 6.2599] and p 0.0299.
func TestStudent(t *testing.T) {
	v := []float64{1, 2, 3, 4, 7}
	got := MeanInterval(v, 0.95, 0)
	want := Interval{Mean: 3.4, Low: 0.540, High: 6.260, N: 5}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 2e-3)); diff != "" {
		t.Error(diff)
	}
	if p := CorrectedT(v, 0); math.Abs(p-0.0299) > 2e-4 {
		t.Errorf("p %v", p)
	}
	// Overlap 0.3/0.5 makes the variance of the mean 1/5 + 0.6 in place of 1/5: four times,
	// which halves t: 2*pt(-3.3007/2, 4) is 0.1741.
	wide := MeanInterval(v, 0.95, 0.6)
	if r := (wide.High - wide.Low) / (got.High - got.Low); math.Abs(r-2) > 1e-12 || math.Abs(CorrectedT(v, 0.6)-0.1741) > 2e-4 {
		t.Errorf("width %v, p %v", r, CorrectedT(v, 0.6))
	}
	if one := MeanInterval([]float64{3}, 0.95, 0); one != (Interval{3, 3, 3, 1}) || CorrectedT([]float64{1}, 0) != 1 {
		t.Errorf("one value: %+v", one)
	}
	if CorrectedT([]float64{0, 0}, 0) != 1 || CorrectedT([]float64{1, 1}, 0) != 0 {
		t.Error("without spread")
	}
}

func TestCliffsDelta(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{3, 4}, []float64{1, 2}, 1}, {[]float64{1, 2}, []float64{3, 4}, -1}, {[]float64{1, 2}, []float64{1, 2}, 0},
		{[]float64{1, 3}, []float64{2, 0}, 0.5}, {nil, []float64{1}, 0},
	} {
		if got := CliffsDelta(c.a, c.b); got != c.want {
			t.Errorf("%v and %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
