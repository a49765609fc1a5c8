package ledger

import (
	"math"

	"flowbench/data/schema"
)

// values accounts for the cells of kept rows, column by column.
type values struct {
	rows     int64
	columns  []Column // Min, Max, Present and Constant are filled in by Ledger
	sentinel []bool   // -1 in the column stands for "not seen"
	least    []float32
	greatest []float32
	floor    []float32 // the greater of least and 0: one comparison finds what is below either
	equal    equality
}

func newValues(names []string) values {
	v := values{columns: make([]Column, len(names)), sentinel: make([]bool, len(names)), equal: newEquality(len(names)),
		least: make([]float32, len(names)), greatest: make([]float32, len(names)), floor: make([]float32, len(names))}
	for j, name := range names {
		v.columns[j].Name = name
		v.sentinel[j] = schema.Sentinel(name)
	}
	v.clear(v.equal)
	return v
}

// clear starts a new account that knows which columns were equal so far.
func (v *values) clear(equal equality) {
	v.rows, v.equal = 0, equal
	for j := range v.columns {
		v.columns[j] = Column{Name: v.columns[j].Name}
		v.least[j], v.greatest[j] = float32(math.Inf(1)), float32(math.Inf(-1))
		v.floor[j] = v.least[j]
	}
}

// observe takes rows, row-major, missing cells as NaN.
func (v *values) observe(features []float32) {
	cols := len(v.columns)
	for len(features) > 0 {
		row, floor, greatest := features[:cols], v.floor[:cols], v.greatest[:cols]
		features = features[cols:]
		v.rows++
		for j, value := range row {
			if value < floor[j] {
				v.low(j, value)
			}
			if value > greatest[j] {
				greatest[j] = value
			}
		}
		v.equal.refine(row)
	}
}

// low takes a value that is negative or less than all before.
func (v *values) low(j int, value float32) {
	if value < v.least[j] {
		v.least[j], v.floor[j] = value, max(value, 0)
	}
	switch {
	case value >= 0:
	case value == -1 && v.sentinel[j]:
		v.columns[j].Sentinel++
	default:
		v.columns[j].Negative++
	}
}

// missing counts the missing cells of a row.
func (v *values) missing(cells []Cell) {
	for _, cell := range cells {
		c := &v.columns[cell.Column]
		switch cell.Kind {
		case Infinite:
			c.Infinite++
		case NaN:
			c.NaN++
		case Blank:
			c.Blank++
		}
	}
}

// add takes the account of the rows that follow. Of values that compare equal
// the first stays the least, as in one account of all rows.
func (v *values) add(next *values) {
	v.rows += next.rows
	for j := range v.columns {
		c, n := &v.columns[j], &next.columns[j]
		c.Infinite, c.NaN, c.Blank = c.Infinite+n.Infinite, c.NaN+n.NaN, c.Blank+n.Blank
		c.Negative, c.Sentinel = c.Negative+n.Negative, c.Sentinel+n.Sentinel
		if next.least[j] < v.least[j] {
			v.least[j], v.floor[j] = next.least[j], next.floor[j]
		}
		v.greatest[j] = greater(v.greatest[j], next.greatest[j])
	}
	v.equal.meet(next.equal, len(v.columns))
}

// greater is b where it is greater than a, else a.
func greater(a, b float32) float32 {
	if b > a {
		return b
	}
	return a
}
