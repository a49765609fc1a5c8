package ledger

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"flowbench/data/table"
)

// WriteTable prints the account for a terminal: files and their labels, dropped
// rows by reason, columns with something to say, and last whether the sums
// check. It returns the error of Check, or of the writer.
func (l *Ledger) WriteTable(w io.Writer) error {
	out := bufio.NewWriter(w)
	l.writeFiles(out)
	l.writeLabels(out)
	l.writeDrops(out)
	l.writeColumns(out)
	l.writeNotes(out)
	problem := l.Check()
	if problem == nil {
		fmt.Fprintln(out, "every sum checks")
	} else {
		fmt.Fprintln(out, problem)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return problem
}

// start begins a table: some columns of text, then columns of numbers.
func start(text int, titles ...string) *table.Table {
	columns := make([]table.Column, len(titles))
	for i, title := range titles {
		columns[i] = table.Right(title)
		if i < text {
			columns[i] = table.Left(title)
		}
	}
	return table.New(columns...)
}

// finish prints the table and a blank line behind it.
func finish(t *table.Table, w *bufio.Writer) {
	t.Write(w, "") // the writer keeps its error until it is flushed
	fmt.Fprintln(w)
}

func (l *Ledger) writeFiles(w *bufio.Writer) {
	t := start(1, "file, label", "lines", "rows read", "kept", "dropped", "rows with missing cells")
	for _, f := range l.Files {
		var missing int64
		for _, label := range f.Labels {
			missing += label.MissingRows
		}
		t.Row(f.Name+" ("+f.Form+")", table.Count(f.Lines), table.Count(f.Read), table.Count(f.Kept), table.Count(f.Dropped), table.Count(missing))
		for _, label := range f.Labels {
			t.Row("    "+label.Name, "", table.Count(label.Read), table.Count(label.Kept), table.Count(label.Dropped()), table.Count(label.MissingRows))
		}
	}
	finish(t, w)
}

func (l *Ledger) writeLabels(w *bufio.Writer) {
	t := start(1, "label, all files", "rows read", "kept", "dropped", "rows with missing cells", "distinct")
	distinct := make(map[string]int64)
	for _, d := range l.Duplicates.Labels {
		distinct[d.Name] = d.Rows
	}
	var missing int64
	for _, label := range l.Labels {
		missing += label.MissingRows
		t.Row(label.Name, table.Count(label.Read), table.Count(label.Kept), table.Count(label.Dropped()), table.Count(label.MissingRows), l.distinct(distinct[label.Name]))
	}
	t.Row("all", table.Count(l.Read), table.Count(l.Kept), table.Count(l.Dropped), table.Count(missing), l.distinct(l.Duplicates.Distinct))
	finish(t, w)
}

func (l *Ledger) distinct(rows int64) string {
	if !l.Duplicates.Counted {
		return "-"
	}
	return table.Count(rows)
}

func (l *Ledger) writeDrops(w *bufio.Writer) {
	if l.Dropped == 0 {
		return
	}
	t := start(3, "reason", "label", "first at", "rows dropped")
	for _, label := range l.Labels {
		for _, d := range label.Drops {
			t.Row(d.Reason, label.Name, d.First, table.Count(d.Rows))
		}
	}
	finish(t, w)
}

func (l *Ledger) writeColumns(w *bufio.Writer) {
	var odd []Column
	for _, c := range l.Columns {
		if c.Missing()+c.Negative+c.Sentinel > 0 {
			odd = append(odd, c)
		}
	}
	if len(odd) == 0 {
		return
	}
	t := start(1, "column", "Infinity", "NaN", "blank", "negative", `-1, "not seen"`)
	for _, c := range odd {
		t.Row(c.Name, table.Count(c.Infinite), table.Count(c.NaN), table.Count(c.Blank), table.Count(c.Negative), table.Count(c.Sentinel))
	}
	finish(t, w)
}

func (l *Ledger) writeNotes(w *bufio.Writer) {
	var blank, repeated, attempted, twice int64
	for _, f := range l.Files {
		blank += f.Blank
		repeated += f.RepeatedHeaders
		if f.HeaderLengthTwice {
			twice++
		}
		if len(f.IgnoredColumns) > 0 {
			fmt.Fprintf(w, "%s: columns ignored by request: %s\n", f.Name, strings.Join(f.IgnoredColumns, ", "))
		}
	}
	for _, label := range l.Labels {
		attempted += label.Attempted
	}
	note(w, blank, "lines that are blank or hold separators only (no rows)")
	note(w, repeated, "lines that repeat the header (no rows)")
	note(w, twice, "files with a second Fwd Header Length (equal to the first in every kept row, left out)")
	note(w, attempted, "kept rows marked as attempted attacks (policy: "+l.Attempted+")")
	if names := l.Constants(); len(names) > 0 {
		fmt.Fprintf(w, "constant columns (%d): %s\n", len(names), strings.Join(names, ", "))
	}
	for _, names := range l.DuplicateColumns {
		fmt.Fprintf(w, "equal columns: %s\n", strings.Join(names, " = "))
	}
	if d := l.Duplicates; d.Counted {
		fmt.Fprintf(w, "repeated rows: %s of %s (%s); %s feature rows come with more than one label\n",
			table.Count(d.Repeats), table.Count(l.Kept), d.Basis, table.Count(d.Conflicting))
		note(w, d.Connections, "connections (five-tuples, either direction)")
	}
}

func note(w *bufio.Writer, n int64, what string) {
	if n > 0 {
		fmt.Fprintf(w, "%s: %s\n", what, table.Count(n))
	}
}
