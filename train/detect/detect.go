// Package detect holds the detectors that need no network, behind one
// interface: the classical models, and the trivial baselines that stand beside
// every model. A detector must pass detecttest.
package detect

import (
	"context"
	"errors"
	"fmt"

	"flowbench/train/checkpoint"
)

// Data is a matrix of flows and their truth. A detector reads it during Fit and
// neither changes nor keeps it.
type Data struct {
	X          []float32 // Rows×Cols, row-major, finite
	Rows, Cols int
	// Positive is a row's truth. A detector of one class takes every row for an
	// example of what is usual and does not read it; nil then is no truth at all.
	Positive []bool
	Columns  []string // names of the columns; nil where they have none
	// Progress, where set, is told how far Fit has come. Fit calls it from one
	// goroutine at a time, some ten times a second at the most where it can.
	Progress Progress
}

// Detector learns from rows and scores others. Its constructor does no work and
// takes what decides the outcome, seeds included; Fit checks what it is given.
type Detector interface {
	// Name says what the detector is, and after Fit what it settled on where
	// that is a matter of a few words.
	Name() string
	// Fit learns from data and forgets what it learned before; after an error
	// it has learned nothing. The result is a function of data and of what the
	// constructor took alone, to the bit, whatever the number of threads. It ends
	// early with ctx's error.
	Fit(ctx context.Context, data Data) error
	// Score writes the score of each row of x, higher meaning more suspicious,
	// to dst. x is len(dst) rows of as many columns as Fit saw. It may be called
	// from several goroutines at once. A row's score depends on that row alone.
	Score(x []float32, dst []float64) error
	// Save returns what Fit learned and what the constructor took, as named
	// tensors and words. It shares no memory with the detector. Equal detectors
	// give equal files. newState makes one, readState reads one.
	Save() (*checkpoint.File, error)
	// Load makes the detector the one that was saved: it scores to the bit as that
	// did, whatever its own constructor took. A file of another detector, or a
	// damaged one, is an error that leaves the detector unfitted.
	Load(*checkpoint.File) error
}

// ErrNotFitted is the error of Score and Save before a successful Fit or Load.
var ErrNotFitted = errors.New("detector is not fitted: call Fit or Load before")

// NonFiniteError names a cell that is NaN or infinite.
type NonFiniteError struct {
	Row    int
	Column string // its name, or its number where it has none
	Value  float32
}

func (e *NonFiniteError) Error() string {
	return fmt.Sprintf("row %d, column %s: %v is not finite: fill missing cells and scale before", e.Row, e.Column, e.Value)
}

// check says what is wrong with data, before any work is done on it.
func (d Data) check() error {
	switch {
	case d.Rows <= 0:
		return errors.New("no rows to learn from")
	case d.Cols <= 0:
		return errors.New("no columns to learn from")
	case len(d.X) != d.Rows*d.Cols:
		return fmt.Errorf("%d values are not %d rows of %d columns", len(d.X), d.Rows, d.Cols)
	case d.Positive != nil && len(d.Positive) != d.Rows: // nil: see checkTruth
		return fmt.Errorf("truth of %d rows for %d rows", len(d.Positive), d.Rows)
	case d.Columns != nil && len(d.Columns) != d.Cols:
		return fmt.Errorf("%d column names for %d columns", len(d.Columns), d.Cols)
	}
	return checkFinite(d.X, shape{d.Cols, d.Columns})
}

// positives counts the rows that are.
func (d Data) positives() int {
	n := 0
	for _, is := range d.Positive {
		if is {
			n++
		}
	}
	return n
}

// checkTruth is the error of a detector that has to see the truth.
func (d Data) checkTruth() error {
	if d.Positive == nil {
		return fmt.Errorf("truth of 0 rows for %d rows", d.Rows)
	}
	return nil
}

// checkBoth is the error of a detector that has to see both classes.
func (d Data) checkBoth() error {
	if err := d.checkTruth(); err != nil {
		return err
	}
	switch d.positives() {
	case 0:
		return fmt.Errorf("none of %d training rows is positive: both classes are needed", d.Rows)
	case d.Rows:
		return fmt.Errorf("all of %d training rows are positive: both classes are needed", d.Rows)
	}
	return nil
}

// shape is what Score must find in its input again; the zero shape is a
// detector's before Fit.
type shape struct {
	cols  int
	names []string
}

func (d Data) shape() shape { return shape{d.Cols, append([]string(nil), d.Columns...)} }

// name is what errors call a column.
func (s shape) name(col int) string {
	if len(s.names) == 0 {
		return fmt.Sprint(col)
	}
	return s.names[col]
}

// checkScore says why x cannot be scored into dst.
func (s shape) checkScore(x []float32, dst []float64) error {
	switch {
	case s.cols == 0:
		return ErrNotFitted
	case len(x) != len(dst)*s.cols:
		return fmt.Errorf("%d values are not %d rows of the %d columns learned from", len(x), len(dst), s.cols)
	}
	return checkFinite(x, s)
}

// checkFinite returns a *NonFiniteError for the first cell that is NaN or infinite.
func checkFinite(x []float32, s shape) error {
	for i, v := range x {
		if v-v != 0 { // NaN for NaN and for infinities
			return &NonFiniteError{Row: i / s.cols, Column: s.name(i % s.cols), Value: v}
		}
	}
	return nil
}
