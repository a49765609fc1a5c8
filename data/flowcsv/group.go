package flowcsv

import "flowbench/data/ledger"

// groups numbers connections and distinct feature rows, in one sequence from 0
// in order of first appearance. Its memory grows with the number of different
// ones, by some 40 bytes each.
type groups struct {
	next        int64
	connections map[digest]int64
	rows        map[digest]firstRow
	relabelled  map[labelledRow]struct{} // labels beyond the first of a feature row
}

// firstRow is what is kept of the first row with some feature values.
type firstRow struct {
	group int64 // -1 until a row without connection has these values
	label int32
	mixed bool // another label came with the same values
}

type labelledRow struct {
	row   digest
	label int32
}

func newGroups() *groups {
	return &groups{
		connections: make(map[digest]int64), rows: make(map[digest]firstRow),
		relabelled: make(map[labelledRow]struct{}),
	}
}

// add takes the next row and returns its group: that of its connection, or, for
// rows without one, that of all rows with the same feature values.
func (g *groups) add(row digest, label int32, connection digest, connected bool) (int64, ledger.Occurrence) {
	first, seen := g.rows[row]
	occurrence := ledger.Occurrence{Features: !seen, Label: !seen}
	changed := !seen
	if !seen {
		first = firstRow{group: -1, label: label}
	} else if first.label != label {
		key := labelledRow{row, label}
		_, known := g.relabelled[key]
		g.relabelled[key] = struct{}{}
		occurrence.Label = !known
		occurrence.Conflicting = !first.mixed
		changed = !first.mixed
		first.mixed = true
	}
	group := first.group
	if connected {
		group, occurrence.Connection = g.connection(connection)
	} else if group < 0 {
		group = g.number()
		first.group, changed = group, true
	}
	if changed {
		g.rows[row] = first
	}
	return group, occurrence
}

func (g *groups) connection(d digest) (group int64, isNew bool) {
	group, seen := g.connections[d]
	if !seen {
		group = g.number()
		g.connections[d] = group
	}
	return group, !seen
}

func (g *groups) number() int64 {
	g.next++
	return g.next - 1
}
