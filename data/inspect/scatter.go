package inspect

import (
	"math/rand/v2"
	"slices"
)

// Scatter is a sample of rows for drawing one column against another.
type Scatter struct {
	Columns []string `json:"columns"`
	// Rows holds the places in Flows of the sampled rows, rising, Labels their
	// labels, and Values their cells in Columns, row by row; cells that are not
	// finite are missing.
	Rows   []int       `json:"rows"`
	Labels []int32     `json:"labels"`
	Values [][]float32 `json:"values"`
	// Taken and Of count the sampled and all rows of each label.
	Taken []int `json:"taken"`
	Of    []int `json:"of"`
}

// sample draws at most most rows of each label, all of them where there are no
// more: a function of the seed and the number of rows alone.
func (f Flows) sample(columns []int, benign, attack int, seed uint64) Scatter {
	s := Scatter{Taken: make([]int, len(f.LabelNames)), Of: make([]int, len(f.LabelNames))}
	byLabel := make([][]int, len(f.LabelNames))
	random := rand.New(rand.NewPCG(seed, 0))
	for row, label := range f.Labels {
		most := attack
		if label == f.Benign {
			most = benign
		}
		s.Of[label]++
		// Vitter 1985, algorithm R: every row has the same chance to be kept.
		if kept := byLabel[label]; len(kept) < most {
			byLabel[label] = append(kept, row)
		} else if k := random.IntN(s.Of[label]); k < most {
			kept[k] = row
		}
	}
	for label, rows := range byLabel {
		s.Taken[label] = len(rows)
		s.Rows = append(s.Rows, rows...)
	}
	slices.Sort(s.Rows)
	for _, c := range columns {
		s.Columns = append(s.Columns, f.Columns[c])
	}
	for _, row := range s.Rows {
		cells := make([]float32, len(columns))
		for i, c := range columns {
			cells[i] = f.row(row)[c]
		}
		s.Values = append(s.Values, cells)
		s.Labels = append(s.Labels, f.Labels[row])
	}
	return s
}
