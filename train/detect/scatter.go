package detect

import (
	"context"
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"

	"flowbench/data/parallel"
)

// blockRows is how many rows a float32 product takes at once: 256 rows of 78
// columns are 80 KB, which stay in a core's second cache.
const blockRows = 256

// strips is how many pieces the rows are cut into for sums over all of them. The
// cut depends on the number of rows alone, and the pieces are added in order:
// the bits do not depend on the threads.
const strips = 64

// stripRows is the length of a strip: whole blocks.
func stripRows(rows int) int {
	blocks := (rows + blockRows - 1) / blockRows
	return (blocks + strips - 1) / strips * blockRows
}

// scatter holds the first two moments of rows about a pivot.
type scatter struct {
	cols  int
	rows  int
	pivot []float32
	sum   []float64 // of x - pivot, by column
	cross []float64 // of (x - pivot)(x - pivot)ᵀ, cols×cols
}

func newScatter(pivot []float32) *scatter {
	cols := len(pivot)
	return &scatter{cols: cols, pivot: pivot, sum: make([]float64, cols), cross: make([]float64, cols*cols)}
}

// errTooLarge is the error of values whose squares float32 cannot hold.
var errTooLarge = errors.New("the values are too large to be squared: scale the features before")

// scatterOf goes once over the rows of data: rows·cols² multiply-adds.
func scatterOf(ctx context.Context, data Data, stage string) (*scatter, error) {
	pivot := samplePivot(data)
	size := stripRows(data.Rows)
	parts := make([]*scatter, (data.Rows+size-1)/size)
	watch := newWatch(data.Progress, stage, len(parts))
	parallel.Each(len(parts), func(i int) {
		if ctx.Err() == nil {
			parts[i] = newScatter(pivot)
			parts[i].add(data.X[i*size*data.Cols : min((i+1)*size, data.Rows)*data.Cols])
			watch.done()
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	total := newScatter(pivot)
	for _, p := range parts {
		total.merge(p)
	}
	for _, v := range total.cross {
		if v-v != 0 {
			return nil, errTooLarge
		}
	}
	return total, nil
}

// samplePivot is near the mean of every column: that of some rows, evenly spaced.
// Moments about it do not drown in a large mean.
func samplePivot(data Data) []float32 {
	const most = 1024
	n := min(data.Rows, most)
	sum := make([]float64, data.Cols)
	for i := range n {
		row := i * data.Rows / n
		for j, v := range data.X[row*data.Cols : (row+1)*data.Cols] {
			sum[j] += float64(v)
		}
	}
	pivot := make([]float32, data.Cols)
	for j := range pivot {
		pivot[j] = float32(sum[j] / float64(n))
	}
	return pivot
}

// add takes in rows, in order.
func (s *scatter) add(x []float32) {
	g := newGram(s.cols)
	g.Add(x, s.pivot, nil)
	g.Sum(s.cross)
	s.rows = len(x) / s.cols
	for ; len(x) > 0; x = x[s.cols:] {
		for j, v := range x[:len(s.sum)] {
			s.sum[j] += float64(v - s.pivot[j])
		}
	}
}

func (s *scatter) merge(other *scatter) {
	s.rows += other.rows
	for j, v := range other.sum {
		s.sum[j] += v
	}
	for j, v := range other.cross {
		s.cross[j] += v
	}
}

// mean is the mean of the rows.
func (s *scatter) mean() []float64 {
	m := make([]float64, s.cols)
	for j := range m {
		m[j] = float64(s.pivot[j]) + s.sum[j]/float64(s.rows)
	}
	return m
}

// covariance is the sum of squares about the mean over weight.
func (s *scatter) covariance(weight float64) *mat.SymDense {
	c := mat.NewSymDense(s.cols, nil)
	for a := range s.cols {
		for b := a; b < s.cols; b++ {
			v := (s.cross[a*s.cols+b] - float64(s.sum[a]*s.sum[b])/float64(s.rows)) / weight
			if a == b {
				v = math.Max(v, 0) // a constant column's rounding
			}
			c.SetSym(a, b, v)
		}
	}
	return c
}
