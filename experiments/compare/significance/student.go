package significance

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Interval is a mean with its confidence interval.
type Interval struct {
	Mean float64 `json:"mean"`
	// Low and High are equal to Mean where N is 1: one value has no spread to tell
	// an interval from.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	N    int     `json:"n"`
}

// MeanInterval is Student's interval around the mean of values, of which there is
// at least one. overlap is the size of a test part over that of a train part where
// each replicate draws its own split of the same rows, and 0 where all share one:
// see CorrectedT.
func MeanInterval(values []float64, level, overlap float64) Interval {
	if len(values) == 0 {
		panic("significance: the mean of nothing")
	}
	if len(values) == 1 {
		return Interval{values[0], values[0], values[0], 1}
	}
	mean, sd := stat.MeanStdDev(values, nil)
	n := float64(len(values))
	half := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile((1+level)/2) * sd * math.Sqrt(1/n+overlap)
	return Interval{mean, mean - half, mean + half, len(values)}
}

// CorrectedT is the p of the paired t-test, two-sided, with the variance of the
// mean difference taken as (1/n + overlap)·s²: replicates that draw their splits
// from the same rows share most of them, and s²/n is far too small then (Nadeau
// and Bengio, Inference for the Generalization Error, Machine Learning 52, 2003,
// section 4.3). overlap 0 is the plain test. Fewer than two differences give 1;
// equal ones that are not 0 give 0.
func CorrectedT(differences []float64, overlap float64) float64 {
	if len(differences) < 2 {
		return 1
	}
	mean, sd := stat.MeanStdDev(differences, nil)
	if sd == 0 {
		if mean == 0 {
			return 1
		}
		return 0
	}
	n := float64(len(differences))
	t := math.Abs(mean) / (sd * math.Sqrt(1/n+overlap))
	return 2 * distuv.StudentsT{Sigma: 1, Nu: n - 1}.Survival(t)
}

// CliffsDelta is the share of pairs in which a value of a is above one of b, less
// that in which it is below (Cliff 1993): 1 where all of a is above all of b, 0
// where neither is. It is 0 where either has no value.
func CliffsDelta(a, b []float64) float64 {
	sum := 0
	for _, x := range a {
		for _, y := range b {
			switch {
			case x > y:
				sum++
			case x < y:
				sum--
			}
		}
	}
	if sum == 0 {
		return 0
	}
	return float64(sum) / float64(len(a)*len(b))
}
