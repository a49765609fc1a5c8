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
	known    []bitRange
	equal    equality
}

// bitRange holds the bits of the float32 from 0 on that are no news in a column:
// those between its least and its greatest value. Bits of such numbers order as
// the numbers, and those of negative ones and NaN are beyond them all, so that
// one comparison tells.
type bitRange struct {
	first uint32
	width uint32
}

func newValues(names []string) values {
	v := values{columns: make([]Column, len(names)), sentinel: make([]bool, len(names)), equal: newEquality(len(names)),
		least: make([]float32, len(names)), greatest: make([]float32, len(names)), known: make([]bitRange, len(names))}
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
		v.know(j)
	}
}

// know brings known[j] up to date.
func (v *values) know(j int) {
	if !(v.greatest[j] >= 0) {
		v.known[j] = bitRange{math.Float32bits(float32(math.Inf(1))), 0} // which no value has
		return
	}
	first := math.Float32bits(max(v.least[j], 0))
	v.known[j] = bitRange{first, math.Float32bits(max(v.greatest[j], 0)) - first}
}

// observe takes rows, row-major, missing cells as NaN.
func (v *values) observe(features []float32) {
	cols := len(v.columns)
	for len(features) > 0 {
		row, known := features[:cols], v.known[:cols]
		features = features[cols:]
		v.rows++
		for j, value := range row {
			if math.Float32bits(value)-known[j].first > known[j].width {
				v.value(j, value)
			}
		}
		v.equal.refine(row)
	}
}

// value takes a value, which is the loop that observe equals.
func (v *values) value(j int, value float32) {
	if value < v.least[j] {
		v.least[j] = value
		v.know(j)
	}
	if value > v.greatest[j] {
		v.greatest[j] = value
		v.know(j)
	}
	switch {
	case !(value < 0):
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
			v.least[j] = next.least[j]
		}
		if next.greatest[j] > v.greatest[j] {
			v.greatest[j] = next.greatest[j]
		}
		v.know(j)
	}
	v.equal.meet(next.equal, len(v.columns))
}
