package ledger

import "math"

// equality is the partition of the columns into classes that were equal in
// every row so far; classes of one column are left out. It is exact, and cheap
// because nearly all classes break up within the first rows.
type equality struct {
	classes [][]int // column numbers, ascending within a class
}

func newEquality(cols int) equality {
	all := make([]int, cols)
	for j := range all {
		all[j] = j
	}
	return equality{classes: [][]int{all}}
}

// refine takes one more row into account. Values are equal if their bits are,
// so that a missing cell is equal to a missing cell.
func (e *equality) refine(row []float32) {
	for i, class := range e.classes {
		first := math.Float32bits(row[class[0]])
		for _, j := range class[1:] {
			if math.Float32bits(row[j]) != first {
				e.split(i, row)
				e.refine(row)
				return
			}
		}
	}
}

// meet takes the rows of another account of the same columns into account: what
// differs there differs here.
func (e *equality) meet(other equality, cols int) {
	if len(e.classes) == len(other.classes) && (len(e.classes) == 0 || &e.classes[0] == &other.classes[0]) {
		return // nothing was split since other started from e
	}
	row := make([]float32, cols) // that names the class of each column
	for j := range row {
		row[j] = math.Float32frombits(uint32(len(other.classes) + j))
	}
	for i, class := range other.classes {
		for _, j := range class {
			row[j] = math.Float32frombits(uint32(i))
		}
	}
	e.refine(row)
}

// split breaks up class i by the values of the row. It writes to no list that
// it was given: copies of an equality stay as they are.
func (e *equality) split(i int, row []float32) {
	var parts [][]int
	place := make(map[uint32]int)
	for _, j := range e.classes[i] {
		bits := math.Float32bits(row[j])
		k, ok := place[bits]
		if !ok {
			k = len(parts)
			place[bits] = k
			parts = append(parts, nil)
		}
		parts[k] = append(parts[k], j)
	}
	kept := e.classes[:i:i]
	for _, part := range parts {
		if len(part) > 1 {
			kept = append(kept, part)
		}
	}
	e.classes = append(kept, e.classes[i+1:]...)
}
