package inspect

import (
	"cmp"
	"context"
	"slices"

	"flowbench/data/parallel"
	"flowbench/data/report/rank"
)

// Summary is what Describe finds.
type Summary struct {
	Source      string  `json:"source"`
	Fingerprint string  `json:"fingerprint,omitempty"`
	Synthetic   bool    `json:"synthetic"`
	Rows        int     `json:"rows"`
	Labels      []Count `json:"labels"` // every label name, in order
	Files       []File  `json:"files,omitempty"`
	// Columns is in the order of Flows.Columns.
	Columns []Column `json:"columns"`
	// Constant lists the columns of one value, and those without any.
	Constant []string `json:"constant"`
	// Duplicates lists sets of columns that are equal in every row, missing cells
	// included. Constant columns are left out.
	Duplicates [][]string `json:"duplicate_columns"`
	// Correlations is the strongest pairs of columns, by the size of Spearman.
	Correlations []Correlation `json:"correlations"`
	// SpearmanRows is the number of evenly spaced rows that Spearman is computed on.
	SpearmanRows int     `json:"spearman_rows"`
	Classes      []Class `json:"classes"` // every label but the benign one
}

// Count is a label's rows.
type Count struct {
	Label string  `json:"label"`
	Rows  int     `json:"rows"`
	Share float64 `json:"share"`
}

// File is a file's rows, and the labels in it.
type File struct {
	Name   string  `json:"name"`
	Rows   int     `json:"rows"`
	Labels []Count `json:"labels"` // shares are of the file
}

// Class is how well each column alone tells a label from the benign flows.
type Class struct {
	Label string `json:"label"`
	Rows  int    `json:"rows"`
	// NotEvaluable says why there are no figures, where there are none.
	NotEvaluable string `json:"not_evaluable,omitempty"`
	// Columns holds every column, the one furthest from chance first.
	Columns []Single `json:"columns,omitempty"`
	// BestValue is the column whose Rule has the largest F1.
	BestValue *Single `json:"best_value,omitempty"`
}

// Single is one column alone.
type Single struct {
	Column string `json:"column"`
	// AUROC is that of larger values being suspicious; below 0.5 smaller ones are.
	AUROC float64 `json:"auroc"`
	rank.Ranking
	Rule rank.Rule `json:"rule"` // the best `column == value`
}

// Separation is the AUROC in the better direction, from 0.5 to 1.
func (s Single) Separation() float64 { return max(s.AUROC, 1-s.AUROC) }

// Options bounds the work and the output of Describe; zero values mean the
// defaults named.
type Options struct {
	Correlations int // how many pairs to list: 15
	SpearmanRows int // how many rows to rank for Spearman: 65,536
}

// defaultSpearmanRows gives a standard error of 0.004 at most, and ranks in a second.
const (
	defaultCorrelations = 15
	defaultSpearmanRows = 1 << 16
)

// Describe looks at every cell. The result does not depend on the number of
// threads. The only error is the end of ctx; slices that do not fit together
// are a panic.
//
// Cost: each column is sorted twice and all pairs of columns are multiplied once:
// some seconds for 818,520 rows of 77 columns on two cores, with 100 bytes a
// row for each core beyond the matrix.
func Describe(ctx context.Context, f Flows, o Options) (*Summary, error) {
	f.check()
	if o.Correlations == 0 {
		o.Correlations = defaultCorrelations
	}
	if o.SpearmanRows == 0 {
		o.SpearmanRows = defaultSpearmanRows
	}
	s := &Summary{Source: f.Source, Fingerprint: f.Fingerprint, Synthetic: f.Synthetic, Rows: len(f.Labels)}
	s.countLabels(f)
	rows := make([]int, len(s.Labels))
	for label, c := range s.Labels {
		rows[label] = c.Rows
	}
	columns := make([]column, len(f.Columns))
	parallel.Blocks(len(columns), strip, func(lo, hi int) {
		if ctx.Err() == nil {
			describeStrip(f, columns[lo:hi], lo, rows)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i := range columns {
		s.Columns = append(s.Columns, columns[i].Column)
	}
	s.findConstant()
	s.findDuplicates(f, columns)
	s.collectClasses(f, columns)
	s.correlate(f, o)
	return s, ctx.Err()
}

func (s *Summary) countLabels(f Flows) {
	rows := make([]int, len(f.LabelNames))
	inFile := make([][]int, len(f.FileNames))
	for i := range inFile {
		inFile[i] = make([]int, len(f.LabelNames))
	}
	for i, label := range f.Labels {
		rows[label]++
		if f.Files != nil {
			inFile[f.Files[i]][label]++
		}
	}
	s.Labels = counts(f.LabelNames, rows, false)
	if f.Files == nil {
		return
	}
	for i, name := range f.FileNames {
		file := File{Name: name, Labels: counts(f.LabelNames, inFile[i], true)}
		for _, c := range file.Labels {
			file.Rows += c.Rows
		}
		s.Files = append(s.Files, file)
	}
}

func counts(names []string, rows []int, present bool) []Count {
	total := 0
	for _, n := range rows {
		total += n
	}
	var out []Count
	for i, n := range rows {
		if n > 0 || !present {
			out = append(out, Count{names[i], n, float64(n) / float64(max(total, 1))})
		}
	}
	return out
}

func (s *Summary) findConstant() {
	s.Constant = []string{}
	for _, c := range s.Columns {
		if c.Kind == Constant || c.Kind == Empty {
			s.Constant = append(s.Constant, c.Name)
		}
	}
}

// collectClasses turns the columns' figures for each class around.
func (s *Summary) collectClasses(f Flows, columns []column) {
	s.Classes = []Class{}
	for label, c := range s.Labels {
		if label == int(f.Benign) {
			continue
		}
		class := Class{Label: c.Label, Rows: c.Rows}
		switch {
		case c.Rows == 0:
			class.NotEvaluable = "it has no rows"
		case s.Labels[f.Benign].Rows == 0:
			class.NotEvaluable = "there are no " + f.LabelNames[f.Benign] + " rows to tell it from"
		default:
			for i := range columns {
				class.Columns = append(class.Columns, columns[i].alone[label])
			}
			slices.SortStableFunc(class.Columns, func(a, b Single) int { return cmp.Compare(b.Separation(), a.Separation()) })
			best := slices.MaxFunc(class.Columns, func(a, b Single) int { return cmp.Compare(a.Rule.F1, b.Rule.F1) })
			class.BestValue = &best
		}
		s.Classes = append(s.Classes, class)
	}
}
