package metric

import (
	"math"
	"sort"
)

// ROC is the receiver operating characteristic: a point a distinct score, by
// falling threshold, after the origin where nothing alerts.
type ROC struct {
	FalsePositiveRate []float64 `json:"false_positive_rate"` // rising, from 0 to 1
	Recall            []float64 `json:"recall"`              // rising, from 0 to 1
	// Threshold is the score from which on a row alerts. The origin's is the
	// lowest float64 above every score.
	Threshold []float64 `json:"threshold"`
}

// PR is the precision-recall curve: a point a distinct score, by falling
// threshold. It is a staircase: precision between two points is not on the line
// between them (Davis, Goadrich 2006). scikit-learn's artificial last point
// (recall 0, precision 1) is left out.
type PR struct {
	Recall    []float64 `json:"recall"` // rising, up to 1
	Precision []float64 `json:"precision"`
	Threshold []float64 `json:"threshold"`
}

// ROC returns the curve in at most points points (0: all of them, otherwise at
// least 2); see thin for which. ok is false without positives or negatives.
func (r *Ranking) ROC(points int) (curve ROC, ok bool) {
	if r.need(true, true) != "" {
		return ROC{}, false
	}
	n := len(r.threshold) + 1
	x, y, t := make([]float64, n), make([]float64, n), make([]float64, n)
	t[0] = min(math.Nextafter(r.threshold[0], math.Inf(1)), math.MaxFloat64)
	for i, at := range r.threshold {
		x[i+1] = float64(r.fp[i]) / float64(r.negatives)
		y[i+1] = float64(r.tp[i]) / float64(r.positives)
		t[i+1] = at
	}
	keep := thin(x, y, points)
	return ROC{pick(x, keep), pick(y, keep), pick(t, keep)}, true
}

// PR returns the curve in at most points points, as ROC does. ok is false
// without positives.
func (r *Ranking) PR(points int) (curve PR, ok bool) {
	if r.need(true, false) != "" {
		return PR{}, false
	}
	n := len(r.threshold)
	x, y := make([]float64, n), make([]float64, n)
	for i := range r.threshold {
		x[i] = float64(r.tp[i]) / float64(r.positives)
		y[i] = float64(r.tp[i]) / float64(int(r.tp[i])+int(r.fp[i]))
	}
	keep := thin(x, y, points)
	return PR{pick(x, keep), pick(y, keep), pick(r.threshold, keep)}, true
}

// thin chooses at most limit points of a curve: both ends, and those that cut
// its length |dx|+|dy| into equal parts. A point left out lies within
// length/(limit-1) of a kept one along the curve. The answer is rising; limit 0
// keeps everything.
func thin(x, y []float64, limit int) []int {
	if limit == 1 || limit < 0 {
		panic("metric: a curve has at least two points")
	}
	keep := make([]int, 0, len(x))
	if limit == 0 || len(x) <= limit {
		for i := range x {
			keep = append(keep, i)
		}
		return keep
	}
	length := make([]float64, len(x))
	for i := 1; i < len(x); i++ {
		length[i] = length[i-1] + math.Abs(x[i]-x[i-1]) + math.Abs(y[i]-y[i-1])
	}
	last := len(x) - 1
	keep = append(keep, 0)
	for k := 1; k < limit-1; k++ {
		mark := length[last] * float64(k) / float64(limit-1)
		if i := sort.SearchFloat64s(length, mark); i > keep[len(keep)-1] && i < last {
			keep = append(keep, i)
		}
	}
	return append(keep, last)
}

func pick(x []float64, keep []int) []float64 {
	out := make([]float64, len(keep))
	for i, k := range keep {
		out[i] = x[k]
	}
	return out
}
