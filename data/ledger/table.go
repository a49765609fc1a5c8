package ledger

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
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

// table lays out cells in columns: the first ones hold text and stand to the
// left, the others numbers, to the right.
type table struct {
	text int
	rows [][]string
}

func newTable(text int, heads ...string) *table {
	return &table{text: text, rows: [][]string{heads}}
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) {
	width := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i < t.text {
				line.WriteString(cell + pad + "  ")
			} else {
				line.WriteString(pad + cell + "  ")
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
	fmt.Fprintln(w)
}

func (l *Ledger) writeFiles(w io.Writer) {
	t := newTable(1, "file, label", "lines", "rows read", "kept", "dropped", "rows with missing cells")
	for _, f := range l.Files {
		var missing int64
		for _, label := range f.Labels {
			missing += label.MissingRows
		}
		t.row(f.Name+" ("+f.Form+")", count(f.Lines), count(f.Read), count(f.Kept), count(f.Dropped), count(missing))
		for _, label := range f.Labels {
			t.row("    "+label.Name, "", count(label.Read), count(label.Kept), count(label.Dropped()), count(label.MissingRows))
		}
	}
	t.write(w)
}

func (l *Ledger) writeLabels(w io.Writer) {
	t := newTable(1, "label, all files", "rows read", "kept", "dropped", "rows with missing cells", "distinct")
	distinct := make(map[string]int64)
	for _, d := range l.Duplicates.Labels {
		distinct[d.Name] = d.Rows
	}
	var missing int64
	for _, label := range l.Labels {
		missing += label.MissingRows
		t.row(label.Name, count(label.Read), count(label.Kept), count(label.Dropped()), count(label.MissingRows), l.distinct(distinct[label.Name]))
	}
	t.row("all", count(l.Read), count(l.Kept), count(l.Dropped), count(missing), l.distinct(l.Duplicates.Distinct))
	t.write(w)
}

func (l *Ledger) distinct(rows int64) string {
	if !l.Duplicates.Counted {
		return "-"
	}
	return count(rows)
}

func (l *Ledger) writeDrops(w io.Writer) {
	if l.Dropped == 0 {
		return
	}
	t := newTable(3, "reason", "label", "first at", "rows dropped")
	for _, label := range l.Labels {
		for _, d := range label.Drops {
			t.row(d.Reason, label.Name, d.First, count(d.Rows))
		}
	}
	t.write(w)
}

func (l *Ledger) writeColumns(w io.Writer) {
	var odd []Column
	for _, c := range l.Columns {
		if c.Missing()+c.Negative+c.Sentinel > 0 {
			odd = append(odd, c)
		}
	}
	if len(odd) == 0 {
		return
	}
	t := newTable(1, "column", "Infinity", "NaN", "blank", "negative", `-1, "not seen"`)
	for _, c := range odd {
		t.row(c.Name, count(c.Infinite), count(c.NaN), count(c.Blank), count(c.Negative), count(c.Sentinel))
	}
	t.write(w)
}

func (l *Ledger) writeNotes(w io.Writer) {
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
			count(d.Repeats), count(l.Kept), d.Basis, count(d.Conflicting))
		note(w, d.Connections, "connections (five-tuples, either direction)")
	}
}

func note(w io.Writer, n int64, what string) {
	if n > 0 {
		fmt.Fprintf(w, "%s: %s\n", what, count(n))
	}
}

// count writes n with a comma after each group of three digits.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
