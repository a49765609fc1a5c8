package inspect

import (
	"math"

	"flowbench/data/parallel"
	"flowbench/data/report/rank"
)

// Drift is how far the benign flows of each file are from those of all others.
type Drift struct {
	Files   []string `json:"files"`
	Columns []string `json:"columns"`
	// KS is by column, then file: the two-sample Kolmogorov-Smirnov statistic, the
	// largest distance of the two cumulative distributions, from 0 to 1; NaN where
	// either has no cell.
	KS [][]float64 `json:"ks"`
}

// drift compares the benign flows of every file with those of the others. It is
// nil with fewer than two files.
func drift(f Flows) *Drift {
	if f.Files == nil || len(f.FileNames) < 2 {
		return nil
	}
	d := &Drift{Files: f.FileNames, Columns: f.Columns, KS: make([][]float64, len(f.Columns))}
	parallel.Each(len(f.Columns), func(c int) {
		var sorter rank.Sorter
		byFile := make([][]float32, len(f.FileNames))
		for row, label := range f.Labels {
			if x := f.row(row)[c]; label == f.Benign && finite(x) {
				byFile[f.Files[row]] = append(byFile[f.Files[row]], x)
			}
		}
		for _, cells := range byFile {
			sorter.Sort(cells)
		}
		d.KS[c] = againstOthers(byFile)
	})
	return d
}

// againstOthers walks the sorted cells of all groups at once, and keeps for each
// group the largest distance between its share of cells so far and the others'.
func againstOthers(groups [][]float32) []float64 {
	total, seen := 0, 0
	at := make([]int, len(groups))
	largest := make([]float64, len(groups))
	for _, g := range groups {
		total += len(g)
	}
	for seen < total {
		next := float32(math.Inf(1))
		for i, g := range groups {
			if at[i] < len(g) {
				next = min(next, g[at[i]])
			}
		}
		for i, g := range groups {
			for at[i] < len(g) && g[at[i]] == next {
				at[i]++
				seen++
			}
		}
		for i, g := range groups {
			if others := total - len(g); len(g) > 0 && others > 0 {
				distance := math.Abs(float64(at[i])/float64(len(g)) - float64(seen-at[i])/float64(others))
				largest[i] = max(largest[i], distance)
			}
		}
	}
	for i, g := range groups {
		if len(g) == 0 || len(g) == total {
			largest[i] = math.NaN()
		}
	}
	return largest
}
