package page

import "math"

// Bound is how far thinning may move a curve, as a share of an axis: a chart is
// about 500 pixels wide, of which this is one.
const Bound = 0.002

// thin chooses points of a staircase, both of its ends among them, so that the
// staircase through the chosen ones and the whole one are nowhere further apart
// than bound: of every point of either there is one of the other within it
// (Hausdorff distance). x does not fall; must lists points that are kept
// whatever they add. The answer rises.
//
// Between two chosen points p and q the drawn staircase runs along the edge of
// the box around all points that are left out between them. Where that box is
// no higher than bound, every one of them is that near to the edge. Where it is
// no wider than bound the same holds, if none is above or below both p and q.
func thin(x, y []float64, bound float64, must map[int]bool) []int {
	if len(x) == 0 {
		return nil
	}
	keep := []int{0}
	low, high := y[0], y[0] // of all points since the last that was kept
	for i := 1; i < len(x); i++ {
		last := keep[len(keep)-1]
		lowest, highest := min(low, y[i]), max(high, y[i])
		flat := highest-lowest <= bound
		narrow := x[i]-x[last] <= bound && lowest >= min(y[last], y[i]) && highest <= max(y[last], y[i])
		if !flat && !narrow && i-1 > last {
			keep = append(keep, i-1)
			lowest, highest = min(y[i-1], y[i]), max(y[i-1], y[i])
		}
		low, high = lowest, highest
		if must[i] && keep[len(keep)-1] != i {
			keep = append(keep, i)
			low, high = y[i], y[i]
		}
	}
	if last := len(x) - 1; keep[len(keep)-1] != last {
		keep = append(keep, last)
	}
	return keep
}

// axisPlace is where a false-positive rate lies on the ROC chart's logarithmic
// axis, from floor at 0 to one at 1.
func axisPlace(rate, floor float64) float64 {
	return 1 - math.Log(max(rate, floor))/math.Log(floor)
}

func pick(x []float64, at []int) Numbers {
	out := make(Numbers, len(at))
	for i, k := range at {
		out[i] = x[k]
	}
	return out
}
