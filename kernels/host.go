package kernels

import (
	"errors"
	"fmt"
	"math"
)

// What every backend checks before it does what it is asked. Backends put their
// own name before the errors.

// CheckData says why d cannot be bound to a Machine of p.
func (p *Program) CheckData(d Data) error {
	cols := 0
	for _, b := range p.Buffers {
		if b.Kind == Table {
			cols = b.Cols
		}
	}
	switch {
	case d.Cols != cols:
		return fmt.Errorf("data has %d columns, the program's table %d", d.Cols, cols)
	case d.Rows < 1 || d.Rows > math.MaxInt32:
		return fmt.Errorf("data has %d rows, want at least 1 and at most %d", d.Rows, math.MaxInt32)
	case len(d.X) != d.Rows*d.Cols:
		return fmt.Errorf("data holds %d values, want %d rows × %d columns", len(d.X), d.Rows, d.Cols)
	case d.Y != nil && len(d.Y) != d.Rows:
		return fmt.Errorf("data has %d targets for %d rows", len(d.Y), d.Rows)
	}
	return nil
}

// CheckBatch says why b cannot be trained on. Rows that an Order gives it does not
// look at: see CheckRows.
func (p *Program) CheckBatch(b Batch, d Data) error {
	switch {
	case len(p.Train) == 0:
		return errors.New("the program has no training step")
	case b.Order != nil && b.Rows != nil:
		return errors.New("the batch has rows of its own beside an order")
	case b.Len() < 1:
		return errors.New("the batch is empty")
	case b.Len() > p.Batch:
		return fmt.Errorf("the batch has %d rows, the program at most %d", b.Len(), p.Batch)
	case b.Step == 0:
		return errors.New("step 0: steps count from 1")
	case b.Order == nil:
		return d.CheckRows(b.Rows)
	}
	if err := b.Order.Check(); err != nil {
		return err
	}
	if n := b.Order.Len(); b.First < 0 || b.First > n-b.Count {
		return fmt.Errorf("the batch is %d places from %d on, of an order of %d", b.Count, b.First, n)
	}
	return d.boundRows()
}

// CheckPredict says why rows of d cannot be scored into dst.
func (p *Program) CheckPredict(rows []int32, dst []float32, d Data) error {
	if len(p.Score) == 0 {
		return errors.New("the program has no scoring part")
	}
	if cols := p.Buffers[p.Output].Cols; len(dst) != len(rows)*cols {
		return fmt.Errorf("room for %d values, want %d rows × %d columns", len(dst), len(rows), cols)
	}
	return d.CheckRows(rows)
}

// boundRows says that d, which has no rows where nothing is bound, has none.
func (d Data) boundRows() error {
	if d.Rows == 0 {
		return errors.New("no data bound: call Bind first")
	}
	return nil
}

// CheckRows says which of rows is none of d's.
func (d Data) CheckRows(rows []int32) error {
	if err := d.boundRows(); err != nil {
		return err
	}
	for i, r := range rows {
		if r < 0 || int(r) >= d.Rows {
			return fmt.Errorf("row %d of the batch is table row %d, want 0 to %d", i, r, d.Rows-1)
		}
	}
	return nil
}

// CheckTargets says which of rows has a target that is none of so many classes;
// with no classes targets are not read.
func (d Data) CheckTargets(rows []int32, classes int) error {
	switch {
	case classes == 0:
		return nil
	case d.Y == nil:
		return errors.New("the loss needs targets, but the bound data has none")
	}
	for _, r := range rows {
		if y := d.Y[r]; !IsClass(y, classes) {
			return fmt.Errorf("the target of table row %d is %v, want a class of 0 to %d", r, y, classes-1)
		}
	}
	return nil
}

// IsClass is whether y is the index of one of so many classes.
func IsClass(y float32, classes int) bool {
	return y >= 0 && y < float32(classes) && y == float32(int(y))
}
