package detect

import (
	"math"

	"flowbench/data/parallel"
)

// projection takes rows to their coordinates along vectors, from an origin. They
// are sums in float64: what comes after may magnify what float32 sums lose.
type projection struct {
	origin  []float64 // cols
	vectors []float64 // count×cols
	count   int
}

// scoreRows is how many rows one goroutine projects in turn.
const scoreRows = 16 * blockRows

// each projects all rows of x and hands on the coordinates of each, which may be
// used until take returns. It calls take from several goroutines.
func (p *projection) each(x []float32, take func(row int, at []float64)) {
	cols := len(p.origin)
	parallel.Blocks(len(x)/cols, scoreRows, func(lo, hi int) {
		centred, at := make([]float64, cols), make([]float64, p.count)
		for i := lo; i < hi; i++ {
			for j, v := range x[i*cols : (i+1)*cols] {
				centred[j] = float64(v) - p.origin[j]
			}
			for c := range at {
				at[c] = wideDot(p.vectors[c*cols:(c+1)*cols], centred)
			}
			take(i, at)
		}
	})
}

// bounded is a score, or math.MaxFloat64 where it is not finite: what float32
// could not hold on the way is further off than any number.
func bounded(score float64) float64 {
	if score-score != 0 {
		return math.MaxFloat64
	}
	return score
}
