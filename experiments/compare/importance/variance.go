package importance

import "math/bits"

// variance is that of a tree over the space, and its parts.
type variance struct {
	total float64
	alone []float64 // of each axis
	pairs []float64 // of axes k < j, at j(j-1)/2+k, beyond those of both
}

// pair is the part of two axes k < j.
func (v variance) pair(k, j int) float64 { return v.pairs[j*(j-1)/2+k] }

// decompose takes the variance of a tree apart. It equals the loop over every
// point of the space,
//
//	mean      = Σ over points of weight·value
//	total     = Σ over points of weight·(value - mean)²
//	alone[j]  = Σ over levels x of axis j of weight(x)·(E[value | x] - mean)²
//	pair(k,j) = Σ over levels x, y of weight(x)·weight(y)·(E[value | x, y] - mean)² - alone[k] - alone[j]
//
// but goes over leaves: each adds its value, times the weight of its box in the
// other axes, to the conditional means of the levels in its own sets.
func decompose(s *space, leaves []leaf) variance {
	d := len(s.axes)
	v := variance{alone: make([]float64, d), pairs: make([]float64, d*(d-1)/2)}
	side := make([][]float64, len(leaves)) // weight of each leaf's set, by axis
	mean, square := 0.0, 0.0
	whole := make([]float64, len(leaves))
	for i, l := range leaves {
		side[i] = make([]float64, d)
		whole[i] = 1
		for j, set := range l.sets {
			side[i][j] = s.axes[j].weight(set)
			whole[i] *= side[i][j]
		}
		mean += whole[i] * l.value
	}
	for i, l := range leaves {
		square += whole[i] * (l.value - mean) * (l.value - mean)
	}
	v.total = square
	var at [maxLevels]float64
	for j := range d {
		clear(at[:])
		for i, l := range leaves {
			addTo(&at, l.sets[j], whole[i]/side[i][j]*(l.value-mean))
		}
		for x, w := range s.axes[j].weights {
			v.alone[j] += w * at[x] * at[x]
		}
	}
	for j := range d {
		for k := range j {
			v.pairs[j*(j-1)/2+k] = together(s, leaves, whole, side, mean, k, j) - v.alone[k] - v.alone[j]
		}
	}
	return v
}

// together is the variance of the means conditional on axes k and j.
func together(s *space, leaves []leaf, whole []float64, side [][]float64, mean float64, k, j int) float64 {
	var at [maxLevels][maxLevels]float64
	for i, l := range leaves {
		add := whole[i] / (side[i][k] * side[i][j]) * (l.value - mean)
		for set := l.sets[k]; set != 0; set &= set - 1 {
			addTo(&at[bits.TrailingZeros64(set)], l.sets[j], add)
		}
	}
	sum := 0.0
	for x, w := range s.axes[k].weights {
		for y, u := range s.axes[j].weights {
			sum += w * u * at[x][y] * at[x][y]
		}
	}
	return sum
}

func addTo(at *[maxLevels]float64, set uint64, v float64) {
	for ; set != 0; set &= set - 1 {
		at[bits.TrailingZeros64(set)] += v
	}
}
