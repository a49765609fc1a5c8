package inspect

import (
	"math"
	"slices"
	"strings"

	"flowbench/data/report/rank"
)

// Kind is what a column's cells look like.
type Kind string

const (
	Empty    Kind = "empty"    // no cell at all
	Constant Kind = "constant" // one value, missing cells aside
	Boolean  Kind = "boolean"  // 0 and 1
	Port     Kind = "port"     // named so, whole numbers from 0 to 65535
	Integer  Kind = "integer"  // whole numbers
	Real     Kind = "real"
)

// Column is one column's cells. Missing cells enter nothing but Missing.
type Column struct {
	Name         string  `json:"name"`
	Kind         Kind    `json:"kind"`
	Missing      int     `json:"missing"`
	MissingShare float64 `json:"missing_share"`
	Distinct     int     `json:"distinct"`
	Zeros        int     `json:"zeros"`
	Negatives    int     `json:"negatives"`
	Range        *Range  `json:"range"` // nil for Empty
}

// Range is how the values of a column are spread. Quartiles are linear between
// neighbours, the standard deviation is the biased one.
type Range struct {
	Min    float64 `json:"min"`
	Q1     float64 `json:"q1"`
	Median float64 `json:"median"`
	Q3     float64 `json:"q3"`
	Max    float64 `json:"max"`
	Mean   float64 `json:"mean"`
	Std    float64 `json:"std"`
}

// column is a Column with what only Describe needs.
type column struct {
	Column
	hash  uint64   // of the cells in row order; equal columns have equal hashes
	alone []Single // by label
}

// strip is how many columns are copied out of the row-major matrix in one pass:
// eight float32 are half a cache line, and 77 columns make ten strips, which two
// cores share evenly.
const strip = 8

// describeStrip fills in out, the columns from first on; rows counts the rows
// of each label.
func describeStrip(f Flows, out []column, first int, rows []int) {
	cells := make([][][]float32, len(out)) // column, label, cell
	for i := range out {
		out[i].Name = f.Columns[first+i]
		cells[i] = make([][]float32, len(rows))
		for label, n := range rows {
			cells[i][label] = make([]float32, 0, n)
		}
	}
	for row, label := range f.Labels {
		for i, x := range f.row(row)[first : first+len(out)] {
			out[i].hash = mix(out[i].hash, x)
			if !finite(x) {
				out[i].Missing++
				continue
			}
			cells[i][label] = append(cells[i][label], x)
		}
	}
	var sorter rank.Sorter
	var pair rank.Column
	for i := range out {
		out[i].describe(cells[i], &sorter)
		out[i].judge(cells[i], rows, int(f.Benign), &pair)
		cells[i] = nil
	}
}

// mix adds a cell to the hash of a column (a step of FNV-1a over words). Any
// missing cell is like any other, and -0 is 0.
func mix(hash uint64, x float32) uint64 {
	const prime = 0x100000001b3
	return (hash ^ uint64(math.Float32bits(canonical(x)))) * prime
}

func canonical(x float32) float32 {
	if !finite(x) {
		return float32(math.Inf(1))
	}
	return x + 0 // -0 + 0 is 0
}

// describe fills in the Column from its cells by label, and sorts them.
func (c *column) describe(byLabel [][]float32, sorter *rank.Sorter) {
	for _, cells := range byLabel {
		sorter.Sort(cells)
	}
	all := slices.Concat(byLabel...)
	n := len(all)
	c.MissingShare = float64(c.Missing) / float64(max(n+c.Missing, 1))
	if n == 0 {
		c.Kind = Empty
		return
	}
	sorter.Sort(all)
	whole := true
	for i, x := range all {
		if i == 0 || x != all[i-1] {
			c.Distinct++
			whole = whole && math.Trunc(float64(x)) == float64(x)
		}
		if x == 0 {
			c.Zeros++
		} else if x < 0 {
			c.Negatives++
		}
	}
	c.Kind = kindOf(c.Name, c.Distinct, whole, all[0], all[n-1])
	mean, std := moments(all)
	c.Range = &Range{
		Min: float64(all[0]), Q1: rank.Quantile(all, 0.25), Median: rank.Quantile(all, 0.5), Q3: rank.Quantile(all, 0.75), Max: float64(all[n-1]),
		Mean: mean, Std: std,
	}
}

func kindOf(name string, distinct int, whole bool, smallest, largest float32) Kind {
	switch {
	case distinct == 1:
		return Constant
	case distinct == 2 && smallest == 0 && largest == 1:
		return Boolean
	case whole && strings.HasSuffix(name, "port") && smallest >= 0 && largest <= math.MaxUint16:
		return Port
	case whole:
		return Integer
	}
	return Real
}

// moments are the mean and the standard deviation in float64, the second in a
// pass of its own around the first.
func moments(cells []float32) (mean, std float64) {
	for _, x := range cells {
		mean += float64(x)
	}
	mean /= float64(len(cells))
	squares := 0.0
	for _, x := range cells {
		d := float64(x) - mean
		squares += float64(d * d)
	}
	return mean, math.Sqrt(squares / float64(len(cells)))
}

// judge fills in alone for every label against the benign one; rows counts the
// rows of each label.
func (c *column) judge(byLabel [][]float32, rows []int, benign int, pair *rank.Column) {
	c.alone = make([]Single, len(byLabel))
	for label, cells := range byLabel {
		if label == benign || rows[label] == 0 || rows[benign] == 0 {
			continue
		}
		pair.Reset(cells, byLabel[benign], rows[label]-len(cells), rows[benign]-len(byLabel[benign]))
		single := Single{Column: c.Name, AUROC: pair.AUROC(), Rule: pair.BestRule()}
		if single.Ranking = pair.Higher(); single.AUROC < 0.5 {
			single.Ranking = pair.Lower()
		}
		c.alone[label] = single
	}
}
