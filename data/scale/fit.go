package scale

import (
	"errors"
	"math"

	"flowbench/data/parallel"
)

// stripColumns is how many columns one goroutine fits at a time. Sixteen
// float32 are one cache line, so that a pass over a strip of a row-major matrix
// reads every line once; eight would read each twice, and 32 would leave the
// second of two cores idle while the last strip of 76 columns is fitted.
const stripColumns = 16

// Fit fits the formula of Scaler to the given rows, the training rows, and to
// nothing else. features is row-major with cols columns, named by names;
// columns are those to scale, in the order that Transform is to write them.
// Nothing is kept of the arguments.
//
// Median, mean and variance of a column are computed over its cells in the order
// of rows, in float64, the variance in a second pass around the mean: the bits
// do not depend on the number of threads. A column without a finite training
// cell has Fill 0; it is constant, like any whose f is the same in all rows.
//
// Fit needs 16 float32 a row for each core. It is an error to name an unknown
// function or to give no rows, and a panic to give slices that do not fit together.
func Fit(features []float32, cols int, columns []int, names []string, rows []int32, fn string) (*Scaler, error) {
	f := function(fn)
	switch {
	case f == nil:
		return nil, unknownFunc(fn)
	case len(rows) == 0:
		return nil, errors.New("scale: there are no training rows to fit on")
	case cols <= 0 || len(features)%cols != 0:
		panic("scale: len(features) is not a multiple of cols")
	case len(names) != cols:
		panic("scale: len(names) is not cols")
	}
	n := len(columns)
	s := &Scaler{Func: fn, Columns: make([]string, n), Fill: make([]float32, n), Mean: make([]float32, n), InvStd: make([]float32, n)}
	for i, c := range columns {
		s.Columns[i] = names[c]
	}
	parallel.Blocks(n, stripColumns, func(lo, hi int) {
		cells := gather(features, cols, columns[lo:hi], rows)
		for i := lo; i < hi; i++ {
			s.fitColumn(i, cells[i-lo], f)
		}
	})
	return s, nil
}

// gather copies a few columns of the given rows, each to a slice of its own.
func gather(features []float32, cols int, columns []int, rows []int32) [][]float32 {
	cells := make([][]float32, len(columns))
	for i := range cells {
		cells[i] = make([]float32, len(rows))
	}
	for r, row := range rows {
		all := features[int(row)*cols : (int(row)+1)*cols]
		for i, c := range columns {
			cells[i][r] = all[c]
		}
	}
	return cells
}

// fitColumn fits column i to its training cells, which it overwrites.
func (s *Scaler) fitColumn(i int, cells []float32, f func(float32) float32) {
	s.Fill[i] = float32(finiteMedian(cells))
	sum := 0.0
	for r, x := range cells {
		if !finite(x) {
			x = s.Fill[i]
		}
		cells[r] = f(x)
		sum += float64(cells[r])
	}
	mean := sum / float64(len(cells))
	squares := 0.0
	for _, x := range cells {
		d := float64(x) - mean
		squares += float64(d * d)
	}
	s.Mean[i] = float32(mean)
	s.InvStd[i] = float32(1 / math.Sqrt(squares/float64(len(cells))))
	// Up to 2^29 equal float32 sum without rounding in float64, so a constant
	// column has no spread at all. A spread below 1e-38 counts as none.
	if !finite(s.InvStd[i]) {
		s.InvStd[i] = 0
	}
}
