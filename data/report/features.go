// Package report says, before any model is trained, what is wrong with the task:
// what a careless split would leak, and which single column or value tells the
// classes apart on its own, so that no network gets the praise for it.
package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"flowbench/data/parallel"
	"flowbench/data/report/rank"
)

// When a column or a rule is named as telling the classes apart almost alone.
const (
	// namedF1: a rule that misses or falsely takes about one flow in ten at most.
	// `destination_port == 444` has 1.0 on the 36 Infiltration flows.
	namedF1 = 0.9
	// namedAUROC: the best honest column on those flows has 0.90.
	namedAUROC = 0.98
	// namedGain is the share of the way from chance (the share of positives) to 1
	// that a column's average precision covers.
	namedGain = 0.5
	// evidence is the number of positives below which nothing is named: of 77
	// columns read both ways, one reaches an AUROC of 0.98 by luck with
	// probability 0.95, 0.12 and 0.006 for 1, 2 and 3 positives.
	evidence = 3
)

// Criterion is the rule above in words.
const Criterion = "named where a rule column == value has F1 >= 0.9, or the column alone has AUROC >= 0.98 " +
	"or an average precision at least half way from chance to 1"

// Input is the rows and classes to report on. Nothing in it is written or kept.
type Input struct {
	// Task names what is told from what, such as "Infiltration against BENIGN".
	Task string
	// Features is row-major with a name in Columns for each of its columns. Cells
	// that are not finite are missing.
	Features []float32
	Columns  []string
	// Labels holds one label index a row. Rows whose label is in Positive are the
	// positives, all other rows in play the negatives.
	Labels   []int32
	Positive []int32
	// Rows lists the rows in play; nil means every row.
	Rows []int32
	// Used lists the columns that models are given; nil means every column. All
	// columns are judged, and those in use are marked.
	Used []int
}

// Features is what every column achieves alone.
type Features struct {
	Task       string  `json:"task"`
	Positives  int     `json:"positives"`
	Negatives  int     `json:"negatives"`
	Prevalence float64 `json:"prevalence"` // the average precision of chance
	// NotEvaluable says why there are no figures, where there are none.
	NotEvaluable string   `json:"not_evaluable,omitempty"`
	Columns      []Column `json:"columns"` // in the order of Input.Columns
	// Named lists the columns that meet Criterion, strongest first.
	Named     []Named `json:"named"`
	Criterion string  `json:"criterion"`
}

// Column is what one column achieves alone.
type Column struct {
	Name    string  `json:"name"`
	Used    bool    `json:"used"`
	Missing float64 `json:"missing"` // share of the rows in play
	// AUROC is that of larger values being suspicious; below 0.5 smaller ones are.
	AUROC  float64      `json:"auroc"`
	Higher rank.Ranking `json:"higher"` // the largest values first
	Lower  rank.Ranking `json:"lower"`  // the smallest values first
	Rule   rank.Rule    `json:"rule"`
}

// Best is the better of Higher and Lower by average precision.
func (c Column) Best() (r rank.Ranking, higher bool) {
	if c.Lower.AveragePrecision > c.Higher.AveragePrecision {
		return c.Lower, false
	}
	return c.Higher, true
}

// Separation is the AUROC in whichever direction is better, from 0.5 to 1.
func (c Column) Separation() float64 { return max(c.AUROC, 1-c.AUROC) }

// Named is a column that tells the classes apart almost alone.
type Named struct {
	Column string `json:"column"`
	Used   bool   `json:"used"`
	// By is "rule" where the rule suffices, else "order".
	By string `json:"by"`
	// Text says it in words: `destination_port == 444 finds 36 of 36, 0 false alarms`.
	Text string `json:"text"`
}

// SingleFeatures judges every column alone. Missing cells rank at the column's
// median, where a model that imputes it sees them, and are a rule of their own.
// It panics where slices do not fit together.
//
// Cost: each column is sorted once; 818,520 rows of 77 columns take some seconds
// on one core. It needs 64 bytes a row for each core.
func SingleFeatures(in Input) *Features {
	cols := len(in.Columns)
	if cols == 0 || len(in.Labels)*cols != len(in.Features) {
		panic("report: len(Features) is not labels × columns")
	}
	positives, negatives := in.classes()
	f := &Features{Task: in.Task, Positives: len(positives), Negatives: len(negatives), Criterion: Criterion, Columns: []Column{}, Named: []Named{}}
	switch {
	case f.Positives == 0:
		f.NotEvaluable = "no row is positive"
		return f
	case f.Negatives == 0:
		f.NotEvaluable = "every row is positive"
		return f
	}
	f.Prevalence = float64(f.Positives) / float64(f.Positives+f.Negatives)
	f.Columns = make([]Column, cols)
	parallel.Blocks(cols, strip, func(lo, hi int) {
		in.judge(f.Columns[lo:hi], lo, positives, negatives)
	})
	f.name()
	return f
}

// strip is how many columns are copied out of the row-major matrix in one pass:
// eight float32 are half a cache line, and 77 columns make ten strips, which two
// cores share evenly.
const strip = 8

// classes lists the positive and the negative rows in play.
func (in Input) classes() (positives, negatives []int32) {
	add := func(row int32) {
		if slices.Contains(in.Positive, in.Labels[row]) {
			positives = append(positives, row)
		} else {
			negatives = append(negatives, row)
		}
	}
	if in.Rows == nil {
		for row := range in.Labels {
			add(int32(row))
		}
	}
	for _, row := range in.Rows {
		add(row)
	}
	return positives, negatives
}

// judge fills in out, the columns from first on.
func (in Input) judge(out []Column, first int, positives, negatives []int32) {
	var sorter rank.Sorter
	var column rank.Column
	p := in.gather(positives, first, len(out))
	n := in.gather(negatives, first, len(out))
	for i := range out {
		sorter.Sort(p[i])
		sorter.Sort(n[i])
		column.Reset(p[i], n[i], len(positives)-len(p[i]), len(negatives)-len(n[i]))
		out[i] = Column{
			Name:    in.Columns[first+i],
			Used:    in.Used == nil || slices.Contains(in.Used, first+i),
			Missing: float64(column.MissingPositives+column.MissingNegatives) / float64(len(positives)+len(negatives)),
			AUROC:   column.AUROC(),
			Higher:  column.Higher(),
			Lower:   column.Lower(),
			Rule:    column.BestRule(),
		}
	}
}

// gather copies the finite cells of a few columns, each to a slice of its own.
func (in Input) gather(rows []int32, first, columns int) [][]float32 {
	cells := make([][]float32, columns)
	for i := range cells {
		cells[i] = make([]float32, 0, len(rows))
	}
	for _, row := range rows {
		start := int(row)*len(in.Columns) + first
		for i, x := range in.Features[start : start+columns] {
			if x-x == 0 {
				cells[i] = append(cells[i], x)
			}
		}
	}
	return cells
}

// name fills in Named.
func (f *Features) name() {
	if f.Positives < evidence {
		return
	}
	var named []Column
	for _, c := range f.Columns {
		if f.meets(c) {
			named = append(named, c)
		}
	}
	slices.SortStableFunc(named, func(a, b Column) int { return cmp.Compare(strength(b), strength(a)) })
	for _, c := range named {
		n := Named{Column: c.Name, Used: c.Used, By: "order", Text: f.orderText(c)}
		if c.Rule.F1 >= namedF1 {
			n.By, n.Text = "rule", f.ruleText(c)
		}
		f.Named = append(f.Named, n)
	}
}

func (f *Features) meets(c Column) bool {
	best, _ := c.Best()
	gain := (best.AveragePrecision - f.Prevalence) / (1 - f.Prevalence)
	return c.Rule.F1 >= namedF1 || c.Separation() >= namedAUROC || gain >= namedGain
}

// strength orders what is named: the better of its rule and its order.
func strength(c Column) float64 {
	best, _ := c.Best()
	return math.Max(c.Rule.F1, best.AveragePrecision)
}

func (f *Features) ruleText(c Column) string {
	return fmt.Sprintf("%s finds %d of %d, %d false alarms", c.Rule.Text(c.Name), c.Rule.Found, f.Positives, c.Rule.Alarms)
}

func (f *Features) orderText(c Column) string {
	best, higher := c.Best()
	which := "low"
	if higher {
		which = "high"
	}
	return fmt.Sprintf("%s %s: average precision %.3f, AUROC %.3f, %d of %d at 1 %% false alarms",
		which, c.Name, best.AveragePrecision, c.Separation(), best.Found1Percent, f.Positives)
}
