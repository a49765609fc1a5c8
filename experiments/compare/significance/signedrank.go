// Package significance has the tests and intervals that tell a difference between
// detectors from chance: pure functions of figures that are paired by seed.
package significance

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Wilcoxon is what the signed-rank test says of paired differences.
type Wilcoxon struct {
	P     float64 `json:"p"`     // two-sided, of differences that are symmetric around 0
	W     float64 `json:"w"`     // the sum of the ranks of positive differences
	Pairs int     `json:"pairs"` // whose difference is not 0
	Exact bool    `json:"exact"` // else the normal approximation
}

// exactPairs is the number of pairs up to which the null distribution is counted
// out; beyond it the normal approximation's error in p is below 0.001.
const exactPairs = 50

// SignedRank is Wilcoxon's signed-rank test (1945). Differences of 0 are left
// out, as he did; equal ones share the mean of their ranks, and the distribution
// is that of the ranks as they are, so that the test stays exact with ties. With
// no pair left P is 1.
func SignedRank(differences []float64) Wilcoxon {
	var d []float64
	for _, v := range differences {
		if math.IsNaN(v) {
			panic("significance: a difference is NaN")
		}
		if v != 0 {
			d = append(d, v)
		}
	}
	twice := twiceRanks(d)
	sum, total := 0, 0
	for i, r := range twice {
		total += r
		if d[i] > 0 {
			sum += r
		}
	}
	w := Wilcoxon{P: 1, W: float64(sum) / 2, Pairs: len(d), Exact: len(d) <= exactPairs}
	switch {
	case len(d) == 0:
	case w.Exact:
		w.P = exactP(twice, min(sum, total-sum))
	default:
		w.P = normalP(twice, min(sum, total-sum), total)
	}
	return w
}

// twiceRanks are the doubled ranks of |d|, which are whole.
func twiceRanks(d []float64) []int {
	order := make([]int, len(d))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		switch a, b := math.Abs(d[i]), math.Abs(d[j]); {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	})
	ranks := make([]int, len(d))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && math.Abs(d[order[to]]) == math.Abs(d[order[from]]) {
			to++
		}
		for _, i := range order[from:to] {
			ranks[i] = from + 1 + to // twice the mean of from+1 ... to
		}
		from = to
	}
	return ranks
}

// exactP is the share of the 2^n choices of signs with a rank sum as small as
// least on either side. Counts are kept as shares, which cannot overflow.
func exactP(twice []int, least int) float64 {
	share := []float64{1}
	for _, r := range twice {
		next := make([]float64, len(share)+r)
		for s, v := range share {
			next[s] += v / 2
			next[s+r] += v / 2
		}
		share = next
	}
	p := 0.0
	for _, v := range share[:least+1] {
		p += v
	}
	return min(1, 2*p)
}

// normalP has the correction for continuity, and the variance that ties leave.
func normalP(twice []int, least, total int) float64 {
	variance := 0.0
	for _, r := range twice {
		variance += float64(r) * float64(r) / 4 // of twice W
	}
	z := (float64(least) - float64(total)/2 + 1) / math.Sqrt(variance)
	return min(1, 2*distuv.UnitNormal.CDF(min(z, 0)))
}

// SmallestP is the smallest P that so many pairs can give: all of one sign. Six
// are needed to come below 0.05.
func SmallestP(pairs int) float64 { return min(1, math.Ldexp(2, -pairs)) }

// PairsFor is the least number of pairs that can give a P of at most p.
func PairsFor(p float64) int {
	if !(p > 0) {
		panic("significance: no number of pairs gives a p of 0")
	}
	n := 0
	for SmallestP(n) > p {
		n++
	}
	return n
}

// Holm corrects p-values for their number, so that the chance of even one false
// "different" among them stays at the level each is compared with (Holm, A Simple
// Sequentially Rejective Multiple Test Procedure, 1979). family is the number of
// comparisons the p-values were picked from, at least their own.
func Holm(p []float64, family int) []float64 {
	if family < len(p) {
		panic("significance: a family smaller than its members")
	}
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case p[i] < p[j]:
			return -1
		case p[i] > p[j]:
			return 1
		}
		return 0
	})
	corrected, highest := make([]float64, len(p)), 0.0
	for rank, i := range order {
		highest = max(highest, min(1, p[i]*float64(family-rank)))
		corrected[i] = highest
	}
	return corrected
}
