// Package scale turns raw flow features into what a network is fed, by one
// formula that is fitted on training rows, stored with the weights and exported
// with them.
package scale

import (
	"fmt"

	"flowbench/data/parallel"
)

// The functions of Scaler.Func.
const (
	// SignedLog1p is f(x) = sign(x)·log(1+|x|), for features that span nine
	// decades and are negative at times.
	SignedLog1p = "signed_log1p"
	// Identity is f(x) = x.
	Identity = "identity"
)

// Scaler is the fitted formula. For a cell x of column j
//
//	v = x if x is finite, else Fill[j]
//	f = v                                for Identity
//	f = float32(sign(v)·log1p(|v|))      for SignedLog1p, in float64 until then
//	y = float32(float32(f-Mean[j])·InvStd[j])
//	y = min(max(y, -Clip), Clip)         where Clip is above 0
//
// with every operation of the third line rounded to float32. Two zeros aside
// (sign(-0) is 0) this is all there is to it, so that another program which
// follows it gets the same bits. y is finite for SignedLog1p; for Identity it
// overflows where |f-Mean[j]| does.
//
// A Scaler reads and writes as JSON without loss. It is read-only after Fit and
// safe for concurrent use.
type Scaler struct {
	Columns []string `json:"columns"` // the columns it was fitted on, in the order it reads them
	Func    string   `json:"func"`
	// Fill is the median of the column's finite training cells, before f.
	Fill []float32 `json:"fill"`
	Mean []float32 `json:"mean"`
	// InvStd is 1 over the standard deviation (the biased one, as in
	// scikit-learn), and 0 for a column that is constant in training: it
	// becomes 0 everywhere.
	InvStd []float32 `json:"inv_std"`
	// Clip bounds y, in standard deviations; 0 leaves it unbounded. A column that
	// is the same in all but a few training rows lies 60 deviations out in those,
	// and would rule a squared loss.
	Clip float32 `json:"clip"`
}

// rowBlock is how many rows one goroutine transforms at a time: 256 rows of 76
// columns are 78 KB in and out, so that they fit the L2 cache.
const rowBlock = 256

// Transform writes y for the given rows and columns to dst, row-major,
// len(rows)×len(columns); rows nil means every row. features has cols columns,
// columns[i] being where Scaler.Columns[i] stands (see Locate). Rows are spread
// over the cores; the bits do not depend on how. dst must not overlap features
// unless they are the same slice, rows is nil and columns are all in order. It
// panics where lengths do not fit together or Func is unknown.
func (s *Scaler) Transform(dst, features []float32, cols int, columns []int, rows []int32) {
	n := len(rows)
	if rows == nil {
		n = len(features) / cols
	}
	switch {
	case len(columns) != len(s.Columns):
		panic("scale: len(columns) is not that of the Scaler")
	case len(dst) != n*len(columns):
		panic("scale: len(dst) is not rows × columns")
	}
	f := function(s.Func)
	if f == nil {
		panic("scale: unknown Func " + s.Func)
	}
	parallel.Blocks(n, rowBlock, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := i
			if rows != nil {
				row = int(rows[i])
			}
			s.transformRow(dst[i*len(columns):(i+1)*len(columns)], features[row*cols:(row+1)*cols], columns, f)
		}
	})
}

// transformRow looks into the table of signedLog1p by itself, for a call a cell takes
// as long as that: columns one after the other in strips of rows, whose branches go
// one way, were no faster.
func (s *Scaler) transformRow(dst, row []float32, columns []int, f func(float32) float32) {
	var whole []float32
	if s.Func == SignedLog1p {
		whole = logs().whole
	}
	dst, fills, means, scales := dst[:len(columns)], s.Fill[:len(columns)], s.Mean[:len(columns)], s.InvStd[:len(columns)]
	for i, c := range columns {
		v := row[c]
		if k := int32(v); uint32(k) < uint32(len(whole)) && float32(k) == v {
			v = whole[k]
		} else if finite(v) {
			v = f(v)
		} else {
			v = f(fills[i])
		}
		dst[i] = (v - means[i]) * scales[i]
	}
	if s.Clip > 0 {
		for i, y := range dst {
			dst[i] = min(max(y, -s.Clip), s.Clip)
		}
	}
}

func finite(x float32) bool { return x-x == 0 }

// function returns f, or nil for an unknown name.
func function(name string) func(float32) float32 {
	switch name {
	case SignedLog1p:
		return logs().at
	case Identity:
		return func(x float32) float32 { return x }
	}
	return nil
}

// Locate finds the Scaler's columns among names, which may hold others and
// stand in any order. A column that is missing is an error that names it.
func (s *Scaler) Locate(names []string) ([]int, error) {
	place := make(map[string]int, len(names))
	for i, name := range names {
		place[name] = i
	}
	columns := make([]int, len(s.Columns))
	for i, name := range s.Columns {
		c, ok := place[name]
		if !ok {
			return nil, fmt.Errorf("scale: column %s, which the scaler was fitted on, is not among the %d columns given", name, len(names))
		}
		columns[i] = c
	}
	return columns, nil
}

// Validate checks a Scaler that was read from a file.
func (s *Scaler) Validate() error {
	if function(s.Func) == nil {
		return unknownFunc(s.Func)
	}
	if !finite(s.Clip) || s.Clip < 0 {
		return fmt.Errorf("scale: clip is %v, want 0 or more", s.Clip)
	}
	for name, values := range map[string][]float32{"fill": s.Fill, "mean": s.Mean, "inv_std": s.InvStd} {
		if len(values) != len(s.Columns) {
			return fmt.Errorf("scale: %s has %d values for %d columns", name, len(values), len(s.Columns))
		}
		for i, v := range values {
			if !finite(v) || name == "inv_std" && v < 0 {
				return fmt.Errorf("scale: %s of column %s is %v", name, s.Columns[i], v)
			}
		}
	}
	return nil
}

func unknownFunc(name string) error {
	return fmt.Errorf("scale: %q is not a function: say %s or %s", name, SignedLog1p, Identity)
}
