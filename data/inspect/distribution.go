package inspect

import (
	"math"

	"flowbench/data/parallel"
)

// Distribution is how the cells of a column are spread, label by label, on the
// signed logarithmic axis of Place.
type Distribution struct {
	Column string `json:"column"`
	// Edges are the places of the bins' ends, equally far apart; nil where the
	// column has no cell.
	Edges  []float64   `json:"edges"`
	Labels []Histogram `json:"labels"` // those with a cell, in the order of LabelNames
}

// Histogram counts the cells of one label in each bin. The last bin holds its
// upper end too.
type Histogram struct {
	Label string `json:"label"`
	Cells int    `json:"cells"`
	Bins  []int  `json:"bins"`
}

// Place is where a value lies on the axis of a Distribution: sign(x)·log10(1+|x|),
// which takes zeros and negative values, and is the logarithm for large ones.
func Place(x float64) float64 { return math.Copysign(math.Log10(1+math.Abs(x)), x) }

// Value is the inverse of Place.
func Value(place float64) float64 { return math.Copysign(math.Pow(10, math.Abs(place))-1, place) }

// distribute counts the cells of every column in bins.
func distribute(f Flows, s *Summary, bins int) []Distribution {
	out := make([]Distribution, len(f.Columns))
	parallel.Each(len(out), func(c int) {
		out[c] = Distribution{Column: f.Columns[c]}
		if r := s.Columns[c].Range; r != nil {
			out[c].fill(f, c, Place(r.Min), Place(r.Max), bins)
		}
	})
	return out
}

func (d *Distribution) fill(f Flows, c int, low, high float64, bins int) {
	if low == high {
		low, high = low-0.5, high+0.5
	}
	for i := range bins + 1 {
		d.Edges = append(d.Edges, low+(high-low)*float64(i)/float64(bins))
	}
	counts := make([][]int, len(f.LabelNames))
	cells := make([]int, len(f.LabelNames))
	for row, label := range f.Labels {
		x := f.row(row)[c]
		if !finite(x) {
			continue
		}
		if counts[label] == nil {
			counts[label] = make([]int, bins)
		}
		bin := int((Place(float64(x)) - low) / (high - low) * float64(bins))
		counts[label][min(max(bin, 0), bins-1)]++
		cells[label]++
	}
	for label, n := range cells {
		if n > 0 {
			d.Labels = append(d.Labels, Histogram{f.LabelNames[label], n, counts[label]})
		}
	}
}
