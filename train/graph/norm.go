package graph

import (
	"fmt"
	"math"
)

// moments are the mean and the biased variance of v.
func moments(v []float64) (mean, variance float64) {
	for _, x := range v {
		mean += x
	}
	mean /= float64(len(v))
	for _, x := range v {
		variance += (x - mean) * (x - mean)
	}
	return mean, variance / float64(len(v))
}

// standard is how a group of elements (a row or a column) is brought to mean 0
// and variance 1: x̂ = (x-mean)·invStd.
type standard struct{ mean, invStd float64 }

func standardOf(mean, variance float64, epsilon float32) standard {
	return standard{mean, 1 / math.Sqrt(variance+float64(epsilon))}
}

func (s standard) hat(x float64) float64 { return (x - s.mean) * s.invStd }

// pull turns the gradient dHat by x̂ into the gradient by x, in place, where
// the mean and the variance came from x itself:
// dx = invStd·(dx̂ - mean(dx̂) - x̂·mean(dx̂·x̂)).
func (s standard) pull(x, dHat []float64) {
	var sum, dot float64
	for i, d := range dHat {
		sum += d
		dot += d * s.hat(x[i])
	}
	n := float64(len(x))
	for i, d := range dHat {
		dHat[i] = s.invStd * (d - sum/n - s.hat(x[i])*dot/n)
	}
}

// sameRow checks that the named operands are rows as wide as x.
func sameRow(x extent, names []string, rows []extent) error {
	for i, r := range rows {
		if r != x.row() {
			return fmt.Errorf("x is %v and %s is %v: %s must be %v", x, names[i], r, names[i], x.row())
		}
	}
	return nil
}

func checkEpsilon(epsilon float32) error {
	if !(epsilon > 0) || math.IsInf(float64(epsilon), 1) {
		return fmt.Errorf("graph: norm epsilon %v: want a finite number above 0", epsilon)
	}
	return nil
}
