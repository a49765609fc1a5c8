package page

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"flowbench/data/ledger"
	"flowbench/data/report"
	"flowbench/data/split"
	"flowbench/data/table"
	"flowbench/experiments/store"
	"flowbench/experiments/study"

	"github.com/klauspost/cpuid/v2"
)

// sourced is a Source, and what the flows say against the figures.
type sourced struct {
	Source
	warnings []string
}

// source is what a page says of where the study came from.
func (r *reader) source(ctx context.Context) (*sourced, error) {
	values, text, err := r.study.DataReport()
	if err != nil {
		return nil, err
	}
	document := r.study.Spec.Document()
	s := &sourced{Source: Source{Name: r.study.Spec.Name, Spec: document.Text, Assignments: document.Set, Report: text}}
	if values != nil {
		s.addData(values)
	}
	s.Facts = append(s.Facts, Fact{"trained on", orNone(r.devices())})
	workers, err := r.study.Store.Workers(ctx)
	if err != nil {
		return nil, err
	}
	s.Facts = append(s.Facts, Fact{"workers", orNone(machines(workers))})
	return s, nil
}

// devices lists the backends that really ran the trials.
func (r *reader) devices() []string {
	var names []string
	for _, t := range r.trials {
		if t.result != nil && !slices.Contains(names, t.result.Device) {
			names = append(names, t.result.Device)
		}
	}
	slices.Sort(names)
	return names
}

// machines lists where workers ran, on what, and how many there were.
func machines(workers []store.Worker) []string {
	count := map[string]int{}
	var names []string
	for _, w := range workers {
		name := w.Host + " on " + w.Device
		if count[name] == 0 {
			names = append(names, name)
		}
		count[name]++
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%s (%s)", name, plural(count[name], "worker"))
	}
	return names
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// addData turns the data report into tables.
func (s *sourced) addData(d *study.DataReport) {
	s.Facts = append(s.Facts, Fact{"flows", d.Source}, Fact{"fingerprint", d.Fingerprint},
		Fact{"rows in play", table.Count(int64(d.Rows))}, Fact{"classes", strings.Join(d.Classes, ", ")},
		Fact{"columns in use", table.Count(int64(d.Columns))},
		Fact{"left out by data.drop", orNone(d.Dropped)}, Fact{"constant in train", orNone(d.Constant)})
	if d.Synthetic {
		s.warnings = append(s.warnings, "The flows are synthetic: no row was seen on a network. The figures say how the tool works, not how good a detector is.")
	}
	s.Ledger, s.Columns = ledgerTable(d.Ledger), columnsTable(d.Ledger)
	if d.Split != nil {
		s.Split = splitTable(d.Split)
	}
	if d.Leakage != nil {
		s.Leakage = leakageTable(d.Leakage)
	}
	for _, f := range d.Features {
		s.Single = singleTable(f)
		for _, n := range f.Named {
			if n.Used {
				s.warnings = append(s.warnings, "A single column gives the attacks away, and models see it: "+n.Text+". Scores say little unless data.drop leaves it out.")
			}
		}
	}
}

// right marks all but the first column as numbers.
func right(columns int) []bool {
	r := make([]bool, columns)
	for i := 1; i < columns; i++ {
		r[i] = true
	}
	return r
}

func ledgerTable(l *ledger.Ledger) *Table {
	t := &Table{Title: "Ledger: every row that was read", Head: []string{"file, label", "rows read", "kept", "dropped", "rows with missing cells"}}
	t.Right = right(len(t.Head))
	add := func(name string, read, kept, dropped, missing int64) {
		t.Rows = append(t.Rows, []string{name, table.Count(read), table.Count(kept), table.Count(dropped), table.Count(missing)})
	}
	for _, f := range l.Files {
		for _, label := range f.Labels {
			add(f.Name+", "+label.Name, label.Read, label.Kept, label.Dropped(), label.MissingRows)
		}
	}
	missing := int64(0)
	for _, label := range l.Labels {
		missing += label.MissingRows
		for _, d := range label.Drops {
			t.Note += fmt.Sprintf("%s rows of %s dropped: %s, first at %s. ", table.Count(d.Rows), label.Name, d.Reason, d.First)
		}
	}
	add("all", l.Read, l.Kept, l.Dropped, missing)
	if err := l.Check(); err != nil {
		t.Note += err.Error()
	} else {
		t.Note += "Every sum checks."
	}
	if l.Duplicates.Counted {
		t.Note += fmt.Sprintf(" Repeated rows: %s of %s (%s); %s feature rows come with more than one label.",
			table.Count(l.Duplicates.Repeats), table.Count(l.Kept), l.Duplicates.Basis, table.Count(l.Duplicates.Conflicting))
	}
	return t
}

// columnsTable lists the columns whose cells are not all plain numbers.
func columnsTable(l *ledger.Ledger) *Table {
	t := &Table{Title: "Cells that are missing or odd", Head: []string{"column", "Infinity", "NaN", "blank", "negative", "-1 for not seen"}}
	t.Right = right(len(t.Head))
	for _, c := range l.Columns {
		if c.Missing()+c.Negative+c.Sentinel == 0 {
			continue
		}
		t.Rows = append(t.Rows, []string{c.Name, table.Count(c.Infinite), table.Count(c.NaN), table.Count(c.Blank), table.Count(c.Negative), table.Count(c.Sentinel)})
	}
	t.Note = fmt.Sprintf("Constant columns: %s.", orNone(l.Constants()))
	for _, set := range l.DuplicateColumns {
		t.Note += " Equal in every row: " + strings.Join(set, " = ") + "."
	}
	return t
}

func splitTable(s *split.Summary) *Table {
	t := &Table{Title: "Split", Head: []string{"label", "train", "validation", "test", "unused"}}
	t.Right = right(len(t.Head))
	connections := s.Total.Train.Connections > 0
	cell := func(c split.Count) string {
		if connections {
			return fmt.Sprintf("%s (%s)", table.Count(int64(c.Rows)), table.Count(int64(c.Connections)))
		}
		return table.Count(int64(c.Rows))
	}
	for _, l := range append(slices.Clone(s.Labels), s.Total) {
		t.Rows = append(t.Rows, []string{l.Label, cell(l.Train), cell(l.Validation), cell(l.Test), cell(l.Unused)})
	}
	if connections {
		t.Note = "In brackets their connections. "
	}
	t.Note += "Of the first replicate; others may be split with other seeds."
	return t
}

func leakageTable(l *split.Leakage) *Table {
	t := &Table{Title: "Leakage that a plain random split would have had",
		Head: []string{"label", "rows", "duplicate sets", "cut in two", "rows leaked", "cut here", "leaked here"}}
	t.Right = right(len(t.Head))
	n := func(v int) string { return table.Count(int64(v)) }
	for _, line := range append(slices.Clone(l.Labels), l.Total) {
		d := line.Duplicates
		t.Rows = append(t.Rows, []string{line.Label, n(line.Rows), n(d.Sets), n(d.Crossing), n(d.Leaked), n(d.MadeCrossing), n(d.MadeLeaked)})
	}
	t.Note = "Cut: equal rows that lie in several parts. Leaked: validation and test rows with an equal row in an earlier part."
	if l.ConnectionsKnown {
		c := l.Total.Connections
		t.Note += fmt.Sprintf(" Of %s connections of two rows or more it would have cut %s, leaking %s rows; the split that was made cuts %s.", n(c.Sets), n(c.Crossing), n(c.Leaked), n(c.MadeCrossing))
	} else {
		t.Note += " Connections are not known: the flows came without addresses."
	}
	return t
}

// listedColumns is how many single columns a page lists: the text lists eight.
const listedColumns = 12

func singleTable(f *report.Features) *Table {
	t := &Table{Title: "What single columns give away: " + f.Task, Head: []string{"column", "in use", "larger or smaller", "AUROC", "AP", "best value", "F1"}}
	t.Right = []bool{false, false, false, true, true, false, true}
	columns := slices.Clone(f.Columns)
	slices.SortStableFunc(columns, func(a, b report.Column) int {
		ra, _ := a.Best()
		rb, _ := b.Best()
		switch {
		case ra.AveragePrecision > rb.AveragePrecision:
			return -1
		case ra.AveragePrecision < rb.AveragePrecision:
			return 1
		}
		return 0
	})
	for _, c := range columns[:min(listedColumns, len(columns))] {
		best, higher := c.Best()
		used, direction := "no", "smaller"
		if c.Used {
			used = "yes"
		}
		if higher {
			direction = "larger"
		}
		t.Rows = append(t.Rows, []string{c.Name, used, direction, fmt.Sprintf("%.3f", c.Separation()), fmt.Sprintf("%.3f", best.AveragePrecision), strings.TrimPrefix(c.Rule.Text(""), " "), fmt.Sprintf("%.3f", c.Rule.F1)})
	}
	t.Note = fmt.Sprintf("%s positives, %s negatives; chance has an average precision of %.2g.", table.Count(int64(f.Positives)), table.Count(int64(f.Negatives)), f.Prevalence)
	for _, n := range f.Named {
		t.Note += " Gives the attacks away: " + n.Text + "."
	}
	if f.NotEvaluable != "" {
		t.Note = "Not evaluable: " + f.NotEvaluable + "."
	}
	return t
}

// made says what program made the page, on what machine.
func made() []Fact {
	program := "flowbench, not built from a commit"
	if info, ok := debug.ReadBuildInfo(); ok {
		at := map[string]string{}
		for _, s := range info.Settings {
			at[s.Key] = s.Value
		}
		if commit := at["vcs.revision"]; commit != "" {
			program = fmt.Sprintf("flowbench %.12s", commit)
			if at["vcs.modified"] == "true" {
				program += " and changes"
			}
		}
	}
	return []Fact{
		{"page made by", program},
		{"Go", runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH},
		{"on", fmt.Sprintf("%s, %d threads", cpuid.CPU.BrandName, runtime.NumCPU())},
	}
}

// shown is a number in words: three decimals, fewer digits from a hundred on.
func shown(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "-"
	case a != 0 && a < 0.001:
		return fmt.Sprintf("%.1e", v)
	case a >= 100:
		return table.Count(int64(math.Round(v)))
	}
	return fmt.Sprintf("%.3f", v)
}
