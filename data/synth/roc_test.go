package synth_test

import (
	"math"
	"slices"
)

// areaUnderROC is the probability that a positive has a higher value than a
// negative, ties counted half; NaN counts as the smallest value.
func areaUnderROC(values []float64, positive []bool) float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	key := func(i int) float64 {
		if math.IsNaN(values[i]) {
			return math.Inf(-1)
		}
		return values[i]
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case key(a) < key(b):
			return -1
		case key(a) > key(b):
			return 1
		}
		return 0
	})
	wins, negatives, positives := 0.0, 0.0, 0.0
	for from := 0; from < len(order); {
		to, p, n := from, 0.0, 0.0
		for ; to < len(order) && key(order[to]) == key(order[from]); to++ {
			if positive[order[to]] {
				p++
			} else {
				n++
			}
		}
		wins += p * (negatives + n/2)
		negatives, positives, from = negatives+n, positives+p, to
	}
	return wins / negatives / positives
}
