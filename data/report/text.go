package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"flowbench/data/table"
)

// topColumns is how many columns WriteText lists: as many as a screen shows
// beside what stands around them.
const topColumns = 8

// tinyClass is the number of positives below which counts are printed as k/n: a
// percentage of 36 flows promises a precision that is not there.
const tinyClass = 1000

// WriteText prints what is named, and the best columns in use, for a terminal of
// 100 columns. It returns the first error of w.
func (f *Features) WriteText(w io.Writer) error {
	out := &printer{w: w}
	out.printf("Single features: %s\n", f.Task)
	if f.NotEvaluable != "" {
		out.printf("  not evaluable: %s\n", f.NotEvaluable)
		return out.err
	}
	out.printf("  %s positives among %s rows; chance has an average precision of %.2g\n",
		table.Count(f.Positives), table.Count(f.Positives+f.Negatives), f.Prevalence)
	f.writeNamed(out)
	columns := f.bestUsed()
	if len(columns) == 0 {
		return out.err
	}
	t := table.New(table.Left("best columns in use"), table.Right("AUROC"), table.Right("AP"), table.Right("at 1 % FPR"),
		table.Right("at 0.1 %"), table.Left("best value"), table.Right("F1"))
	for _, c := range columns {
		best, higher := c.Best()
		end := "low "
		if higher {
			end = "high "
		}
		value := "missing"
		if !c.Rule.Missing {
			value = fmt.Sprintf("== %.6g", c.Rule.Value)
		}
		t.Row(end+table.Fit(c.Name, 28), fmt.Sprintf("%.3f", c.Separation()), table.Figure(best.AveragePrecision),
			f.share(best.Found1Percent), f.share(best.Found01Percent), value, table.Figure(c.Rule.F1))
	}
	if out.err == nil {
		out.err = t.Write(w, "  ")
	}
	return out.err
}

func (f *Features) writeNamed(out *printer) {
	switch {
	case f.Positives < evidence:
		out.printf("  nothing can be named: with fewer than %d positives a column separates them by luck\n", evidence)
		return
	case len(f.Named) == 0:
		out.printf("  no column and no value separates them almost alone\n")
		return
	}
	out.printf("  %s:\n", strings.Replace(f.Criterion, " or the column", " or\n  the column", 1))
	for _, n := range f.Named {
		use := "left out"
		if n.Used {
			use = "IN USE: models will be praised for it"
		}
		out.printf("    %s\n      (%s)\n", n.Text, use)
	}
}

// bestUsed is the first topColumns columns in use by average precision.
func (f *Features) bestUsed() []Column {
	var used []Column
	for _, c := range f.Columns {
		if c.Used {
			used = append(used, c)
		}
	}
	slices.SortStableFunc(used, func(a, b Column) int {
		bestA, _ := a.Best()
		bestB, _ := b.Best()
		return cmp.Compare(bestB.AveragePrecision, bestA.AveragePrecision)
	})
	return used[:min(topColumns, len(used))]
}

func (f *Features) share(found int) string {
	if f.Positives < tinyClass {
		return fmt.Sprintf("%d/%d", found, f.Positives)
	}
	return table.Percent(float64(found) / float64(f.Positives))
}

// printer writes until the first error, and keeps it.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
