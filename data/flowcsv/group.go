package flowcsv

import "flowbench/data/ledger"

// groups numbers connections and distinct feature rows, in one sequence from 0
// in order of first appearance. Its memory grows with the number of different
// ones, by some 50 bytes each.
type groups struct {
	next       int64
	numbers    *numbering // of feature rows
	rows       pages[firstRow]
	relabelled map[labelledRow]struct{} // labels beyond the first of a feature row

	connectionNumbers *numbering
	connections       pages[int64] // their groups
}

// firstRow is what is kept of the first row with some feature values.
type firstRow struct {
	group int64 // -1 until a row without connection has these values
	label int32
	mixed bool // another label came with the same values
}

type labelledRow struct {
	row   int
	label int32
}

func newGroups() *groups {
	return &groups{numbers: newNumbering(), connectionNumbers: newNumbering(), relabelled: make(map[labelledRow]struct{})}
}

// add takes the next row and returns its group: that of its connection, or, for
// rows without one, that of all rows with the same feature values.
func (g *groups) add(row digest, label int32, connection digest, connected bool) (int64, ledger.Occurrence) {
	number, isNew := g.numbers.number(row)
	first := g.rows.at(number)
	occurrence := ledger.Occurrence{Features: isNew, Label: isNew}
	if isNew {
		*first = firstRow{group: -1, label: label}
	} else if first.label != label {
		key := labelledRow{number, label}
		_, known := g.relabelled[key]
		g.relabelled[key] = struct{}{}
		occurrence.Label = !known
		occurrence.Conflicting = !first.mixed
		first.mixed = true
	}
	if connected {
		var group int64
		group, occurrence.Connection = g.connection(connection)
		return group, occurrence
	}
	if first.group < 0 {
		first.group = g.number()
	}
	return first.group, occurrence
}

func (g *groups) connection(d digest) (group int64, isNew bool) {
	number, isNew := g.connectionNumbers.number(d)
	place := g.connections.at(number)
	if isNew {
		*place = g.number()
	}
	return *place, isNew
}

func (g *groups) number() int64 {
	g.next++
	return g.next - 1
}
