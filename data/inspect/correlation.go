package inspect

import (
	"cmp"
	"math"
	"slices"

	"flowbench/data/parallel"

	"gonum.org/v1/gonum/floats"
)

// Correlation is how two columns move together. A missing cell counts as the
// column's mean (for Spearman its mean rank), which draws both towards 0.
type Correlation struct {
	A string `json:"a"`
	B string `json:"b"`
	// Pearson is over all rows: of heavy tails it sees little but the largest values.
	Pearson float64 `json:"pearson"`
	// Spearman is Pearson's of the ranks, ties at their mean.
	Spearman float64 `json:"spearman"`
}

// correlate fills in Correlations. Constant columns have none, and of columns
// that are duplicates only the first is asked.
func (s *Summary) correlate(f Flows, o Options) {
	columns := s.worthCorrelating()
	pearson := gram(len(columns), s.Rows, s.standardised(f, columns))
	ranks := rankSample(f, columns, o.SpearmanRows)
	s.SpearmanRows = 0
	if len(ranks) > 0 {
		s.SpearmanRows = len(ranks[0])
	}
	spearman := gram(len(columns), s.SpearmanRows, func(lo, hi, column int, dst []float64) { copy(dst, ranks[column][lo:hi]) })

	s.Correlations = []Correlation{}
	for a := range columns {
		for b := a + 1; b < len(columns); b++ {
			s.Correlations = append(s.Correlations, Correlation{
				A: s.Columns[columns[a]].Name, B: s.Columns[columns[b]].Name,
				Pearson: pearson[a][b], Spearman: spearman[a][b],
			})
		}
	}
	slices.SortStableFunc(s.Correlations, func(a, b Correlation) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Spearman), math.Abs(a.Spearman)), cmp.Compare(math.Abs(b.Pearson), math.Abs(a.Pearson)))
	})
	s.Correlations = s.Correlations[:min(o.Correlations, len(s.Correlations))]
}

func (s *Summary) worthCorrelating() []int {
	repeated := map[string]bool{}
	for _, set := range s.Duplicates {
		for _, name := range set[1:] {
			repeated[name] = true
		}
	}
	var columns []int
	for i, c := range s.Columns {
		if c.Kind != Constant && c.Kind != Empty && !repeated[c.Name] {
			columns = append(columns, i)
		}
	}
	return columns
}

// standardised reads (x-mean)/std of the cells of a column, 0 where one is missing.
func (s *Summary) standardised(f Flows, columns []int) func(lo, hi, column int, dst []float64) {
	return func(lo, hi, column int, dst []float64) {
		c := columns[column]
		mean, std := s.Columns[c].Range.Mean, s.Columns[c].Range.Std
		if s.Columns[c].Missing > 0 { // unit variance over all rows, missing cells included
			std *= math.Sqrt(1 - s.Columns[c].MissingShare)
		}
		for i := range dst {
			dst[i] = 0
			if x := f.row(lo + i)[c]; finite(x) {
				dst[i] = (float64(x) - mean) / std
			}
		}
	}
}

// gramBlock is how many rows are multiplied at a time: 2,048 rows of 77 columns
// in float64 are 1.3 MB, which fits a second-level cache.
const gramBlock = 2048

// gram is the mean of x_a·x_b over n rows for all pairs a < b of columns. read
// writes the rows [lo, hi) of a column to dst. Blocks are multiplied on all
// cores and added in order, so that the sum does not depend on how many there are.
func gram(columns, n int, read func(lo, hi, column int, dst []float64)) [][]float64 {
	blocks := make([][]float64, (n+gramBlock-1)/gramBlock)
	parallel.Blocks(n, gramBlock, func(lo, hi int) {
		x := make([][]float64, columns)
		for c := range x {
			x[c] = make([]float64, hi-lo)
			read(lo, hi, c, x[c])
		}
		products := make([]float64, 0, columns*(columns-1)/2)
		for a := range x {
			for _, other := range x[a+1:] {
				products = append(products, floats.Dot(x[a], other))
			}
		}
		blocks[lo/gramBlock] = products
	})
	out := make([][]float64, columns)
	for a := range out {
		out[a] = make([]float64, columns)
	}
	for _, products := range blocks {
		i := 0
		for a := range out {
			for b := a + 1; b < columns; b++ {
				out[a][b] += products[i] / float64(n)
				i++
			}
		}
	}
	return out
}

// rankSample ranks at most limit evenly spaced rows of each column, standardised.
func rankSample(f Flows, columns []int, limit int) [][]float64 {
	n := min(limit, len(f.Labels))
	ranks := make([][]float64, len(columns))
	parallel.Each(len(columns), func(i int) {
		cells := make([]float32, n)
		for k := range cells {
			cells[k] = f.row(int(int64(k) * int64(len(f.Labels)) / int64(n)))[columns[i]]
		}
		ranks[i] = standardRanks(cells)
	})
	return ranks
}

// standardRanks ranks the finite cells, ties at their mean, and scales the ranks
// to mean 0 and variance 1 over all cells, missing ones at 0. Without two
// different values all are 0.
func standardRanks(cells []float32) []float64 {
	order := make([]int, 0, len(cells))
	for i, x := range cells {
		if finite(x) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(cells[a], cells[b]) })
	ranks := make([]float64, len(cells))
	middle, squares := float64(len(order)-1)/2, 0.0
	for start := 0; start < len(order); {
		end := start + 1
		for end < len(order) && cells[order[end]] == cells[order[start]] {
			end++
		}
		r := float64(start+end-1)/2 - middle
		for _, i := range order[start:end] {
			ranks[i] = r
			squares += float64(r * r)
		}
		start = end
	}
	if squares > 0 {
		floats.Scale(math.Sqrt(float64(len(cells))/squares), ranks)
	}
	return ranks
}
