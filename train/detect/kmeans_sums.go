package detect

import (
	"math"
	"math/bits"
)

// exact is a grid of fixed-point numbers, one a column, on which sums of rows are
// exact: they are the same in any order, however rows come and go.
type exact struct{ scale []float64 } // powers of two

// newExact chooses grids so fine that no sum of all rows overflows 63 bits.
func newExact(p *points) exact {
	e := exact{make([]float64, p.cols)}
	room := 62 - bits.Len(uint(p.rows))
	for j, v := range p.largest {
		e.scale[j] = 1
		if v > 0 {
			_, exponent := math.Frexp(v)
			e.scale[j] = math.Ldexp(1, min(room-exponent, 1000))
		}
	}
	return e
}

// tally is the sums and the numbers of the rows of each cluster.
type tally struct {
	exact
	sum   []int64 // k×cols
	count []int
}

func newTally(e exact, k int) *tally {
	return &tally{exact: e, sum: make([]int64, k*len(e.scale)), count: make([]int, k)}
}

// add puts a row into a cluster. Values are cut to the grid, towards 0.
func (t *tally) add(row []float32, cluster int32) {
	t.count[cluster]++
	to := t.sum[int(cluster)*len(row):][:len(row)]
	for j, v := range row {
		to[j] += int64(float64(v) * t.scale[j])
	}
}

// remove takes out a row that was put in.
func (t *tally) remove(row []float32, cluster int32) {
	t.count[cluster]--
	to := t.sum[int(cluster)*len(row):][:len(row)]
	for j, v := range row {
		to[j] -= int64(float64(v) * t.scale[j])
	}
}

func (t *tally) merge(other *tally) {
	for i, v := range other.sum {
		t.sum[i] += v
	}
	for i, n := range other.count {
		t.count[i] += n
	}
}

// mean writes the mean of a cluster that has rows.
func (t *tally) mean(dst []float32, cluster int) {
	n := float64(t.count[cluster])
	for j, v := range t.sum[cluster*len(dst) : (cluster+1)*len(dst)] {
		dst[j] = float32(float64(v) / t.scale[j] / n)
	}
}
