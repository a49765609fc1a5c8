package detect

import (
	"math"

	"flowbench/data/parallel"
)

// projection takes rows to their coordinates along vectors, from an origin.
type projection struct {
	origin        []float32
	vectors, bias []float32 // what onto was packed from
	onto          *operand
}

// newProjection is that onto the rows of vectors, which are count×len(origin),
// as seen from origin. Both are rounded to float32; the rest of origin that
// float32 cannot hold is in the bias.
func newProjection(vectors, origin []float64, count int) *projection {
	depth := len(origin)
	p := &projection{origin: make([]float32, depth)}
	for j, v := range origin {
		p.origin[j] = float32(v)
	}
	short, bias := make([]float32, count*depth), make([]float32, count)
	for c := range count {
		rest := 0.0
		for j, v := range vectors[c*depth : (c+1)*depth] {
			short[c*depth+j] = float32(v)
			rest += float64(v * (float64(p.origin[j]) - origin[j]))
		}
		bias[c] = float32(rest)
	}
	p.vectors, p.bias = short, bias
	p.onto = newOperand(short, bias, depth, count)
	return p
}

// scoreRows is how many rows one goroutine projects in turn.
const scoreRows = 16 * blockRows

// each projects all rows of x, a block at a time, and hands on what came out:
// n rows of as many values as there are vectors, whose first is row lo of x. It
// calls take from several goroutines.
func (p *projection) each(x []float32, take func(lo, n int, out []float32)) {
	depth, count := len(p.origin), p.onto.cols
	parallel.Blocks(len(x)/depth, scoreRows, func(from, to int) {
		moved, out := make([]float32, blockRows*depth), make([]float32, blockRows*count)
		for lo := from; lo < to; lo += blockRows {
			n := min(blockRows, to-lo)
			p.project(out, moved, x[lo*depth:(lo+n)*depth])
			take(lo, n, out[:n*count])
		}
	})
}

// project writes the coordinates of x to out; moved holds as many values as x.
func (p *projection) project(out, moved, x []float32) {
	depth := len(p.origin)
	for i := 0; i < len(x); i += depth {
		row, to := x[i:i+depth], moved[i:i+depth]
		for j, o := range p.origin {
			to[j] = row[j] - o
		}
	}
	p.onto.product(out, moved, len(x)/depth)
}

// bounded is a score, or math.MaxFloat64 where it is not finite: what float32
// could not hold on the way is further off than any number.
func bounded(score float64) float64 {
	if score-score != 0 {
		return math.MaxFloat64
	}
	return score
}
