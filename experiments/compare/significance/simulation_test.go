package significance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat/distuv"
)

// simulations is a tenth of the full number, unless FULL_SIMULATIONS is set.
func simulations() int {
	if os.Getenv("FULL_SIMULATIONS") != "" {
		return 2000
	}
	return 200
}

// margin is 2.6 standard errors of a share near p over n simulations: a right test
// fails by chance once in a hundred (two sides).
func margin(p float64, n int) float64 { return 2.6 * math.Sqrt(p*(1-p)/float64(n)) }

// draw is n paired differences of one spread 1 around gap.
func draw(random *rand.Rand, n int, gap float64) []float64 {
	d := make([]float64, n)
	for i := range d {
		d[i] = gap + random.NormFloat64()
	}
	return d
}

func share(t *testing.T, what string, cry func(random *rand.Rand) bool) float64 {
	t.Helper()
	random := rand.New(rand.NewPCG(20, 26))
	n, cries := simulations(), 0
	for range n {
		if cry(random) {
			cries++
		}
	}
	t.Logf("%s: %d of %d simulations are called different (%.2f %%)", what, cries, n, 100*float64(cries)/float64(n))
	return float64(cries) / float64(n)
}

func TestEqualModelsAreCalledEqual(t *testing.T) {
	most := 0.05 + margin(0.05, simulations())
	for _, n := range []int{5, 6, 10, 20} {
		if s := share(t, fmt.Sprintf("signed rank, equal, %d seeds", n), func(r *rand.Rand) bool {
			return SignedRank(draw(r, n, 0)).P < 0.05
		}); !(s <= most) || n == 5 && s != 0 {
			t.Errorf("signed rank of %d seeds: %.3f, at most %.3f", n, s, most)
		}
		if s := share(t, "paired t, equal", func(r *rand.Rand) bool { return CorrectedT(draw(r, n, 0), 0) < 0.05 }); !(s <= most) {
			t.Errorf("t of %d seeds: %.3f, at most %.3f", n, s, most)
		}
	}
}

// TestBestOfManyEqualModels picks the best of eight equal models by its mean and
// tests it against the seven others. Corrected for the seven alone that cries too
// often; the family are all 28 pairs that the best was picked from.
func TestBestOfManyEqualModels(t *testing.T) {
	const models, seeds = 8, 12
	cry := func(family int) func(r *rand.Rand) bool {
		return func(r *rand.Rand) bool {
			values, best, highest := make([][]float64, models), 0, math.Inf(-1)
			for m := range values {
				values[m] = draw(r, seeds, 0)
				if mean := MeanInterval(values[m], 0.95, 0).Mean; mean > highest {
					best, highest = m, mean
				}
			}
			var p []float64
			for m := range values {
				if m == best {
					continue
				}
				d := make([]float64, seeds)
				for i := range d {
					d[i] = values[best][i] - values[m][i]
				}
				p = append(p, SignedRank(d).P)
			}
			for _, v := range Holm(p, family) {
				if v < 0.05 {
					return true
				}
			}
			return false
		}
	}
	if s := share(t, "best of eight equal, all pairs", cry(models*(models-1)/2)); !(s <= 0.05+margin(0.05, simulations())) {
		t.Errorf("%.3f of the simulations", s)
	}
	if s := share(t, "best of eight equal, seven comparisons", cry(models-1)); !(s > 0.05) {
		t.Errorf("correcting for seven would do: %.3f", s)
	}
}

// TestSharedRowsNeedTheCorrection: replicates that draw splits from the same rows
// have differences of correlation overlap/(1+overlap) (Nadeau and Bengio's model).
// The plain tests cry too often then; the corrected one does not.
func TestSharedRowsNeedTheCorrection(t *testing.T) {
	const seeds, overlap = 10, 0.6
	shared := func(r *rand.Rand) []float64 {
		const correlation = overlap / (1 + overlap)
		common := r.NormFloat64() * math.Sqrt(correlation)
		d := draw(r, seeds, 0)
		for i := range d {
			d[i] = common + d[i]*math.Sqrt(1-correlation)
		}
		return d
	}
	if s := share(t, "shared rows, corrected t", func(r *rand.Rand) bool { return CorrectedT(shared(r), overlap) < 0.05 }); !(s <= 0.05+margin(0.05, simulations())) {
		t.Errorf("corrected: %.3f", s)
	}
	if s := share(t, "shared rows, plain signed rank", func(r *rand.Rand) bool { return SignedRank(shared(r)).P < 0.05 }); !(s > 0.2) {
		t.Errorf("plain: %.3f, and the correction is not needed", s)
	}
}

// TestPowerIsThatOfTheory: a gap of one spread of the differences is found as
// often as the noncentral t distribution says, and by the signed-rank test as
// often as Noether's normal approximation says (Sample Size Determination for
// Some Common Nonparametric Tests, JASA 82, 1987), which is good to 0.03 here.
func TestPowerIsThatOfTheory(t *testing.T) {
	for _, n := range []int{8, 12, 20} {
		want := powerT(n, 1)
		got := share(t, "paired t, a gap of one spread", func(r *rand.Rand) bool { return CorrectedT(draw(r, n, 1), 0) < 0.05 })
		if !(math.Abs(got-want) <= margin(want, simulations())+1e-3) {
			t.Errorf("t of %d seeds: power %.3f, theory %.3f", n, got, want)
		}
		if n < 12 { // where a rank sum of so few is not near normal: 0.08 off at 8
			continue
		}
		want = powerSignedRank(n, 1)
		got = share(t, "signed rank, a gap of one spread", func(r *rand.Rand) bool { return SignedRank(draw(r, n, 1)).P < 0.05 })
		t.Logf("%d seeds: signed rank %.3f, theory %.3f", n, got, want)
		if !(math.Abs(got-want) <= margin(want, simulations())+0.03) {
			t.Errorf("signed rank of %d seeds: power %.3f, theory %.3f", n, got, want)
		}
	}
}

// powerT integrates, over the spread that is seen, the chance that the mean lies
// beyond the critical value of the t-test at 0.05.
func powerT(n int, gap float64) float64 {
	f := float64(n)
	critical := distuv.StudentsT{Sigma: 1, Nu: f - 1}.Quantile(0.975)
	chi := distuv.ChiSquared{K: f - 1}
	return quad.Fixed(func(q float64) float64 {
		s := math.Sqrt(chi.Quantile(q) / (f - 1))
		far := gap * math.Sqrt(f)
		return distuv.UnitNormal.Survival(critical*s-far) + distuv.UnitNormal.CDF(-critical*s-far)
	}, 0, 1, 400, nil, 0)
}

// powerSignedRank takes the rank sum of positive differences for normal, with its
// mean and variance at the gap, and asks how often it passes the exact test's
// critical value.
func powerSignedRank(n int, gap float64) float64 {
	f := float64(n)
	p1, p2 := distuv.UnitNormal.CDF(gap), distuv.UnitNormal.CDF(gap*math.Sqrt2)
	// p3 = P(D+D' > 0 and D+D'' > 0) and p4 = P(D > 0 and D+D' > 0), given D.
	p3, p4 := 0.0, 0.0
	p3 = quad.Fixed(func(q float64) float64 {
		x := distuv.UnitNormal.Quantile(q) + gap
		return math.Pow(distuv.UnitNormal.CDF(x+gap), 2)
	}, 0, 1, 2000, nil, 0)
	p4 = quad.Fixed(func(q float64) float64 {
		x := distuv.UnitNormal.Quantile(q) + gap
		if x <= 0 {
			return 0
		}
		return distuv.UnitNormal.CDF(x + gap)
	}, 0, 1, 2000, nil, 0)
	mean := f*p1 + f*(f-1)/2*p2
	variance := f*p1*(1-p1) + f*(f-1)/2*(p2*(1-p2)+4*(p4-p1*p2)) + f*(f-1)*(f-2)*(p3-p2*p2)
	total := n * (n + 1) / 2
	ranks := make([]int, n)
	for i := range ranks {
		ranks[i] = 2 * (i + 1)
	}
	critical := 0 // the least rank sum that is called different
	for w := total; exactP(ranks, 2*(total-w)) < 0.05; w-- {
		critical = w
	}
	return distuv.UnitNormal.Survival((float64(critical) - 0.5 - mean) / math.Sqrt(variance))
}
