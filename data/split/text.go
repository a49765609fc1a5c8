package split

import (
	"fmt"
	"io"

	"flowbench/data/table"
)

// WriteText prints the report for a terminal of 100 columns. It returns the
// first error of w.
func (l Leakage) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, `Leakage of a plain random split (train %s, validation %s, test %s) with the same seed
  cut: sets in several parts; leaked: validation and test rows whose set is in an earlier part too
`, table.Percent(l.Train), table.Percent(l.Validation), table.Percent(l.Test))
	if err != nil {
		return err
	}
	if err := l.writeSets(w, "duplicate sets", func(line LabelLeak) Leak { return line.Duplicates }); err != nil {
		return err
	}
	if !l.ConnectionsKnown {
		_, err := fmt.Fprintln(w, "  connections are not known: the flows came without addresses")
		return err
	}
	return l.writeSets(w, "connections", func(line LabelLeak) Leak { return line.Connections })
}

func (l Leakage) writeSets(w io.Writer, what string, of func(LabelLeak) Leak) error {
	if of(l.Total).Sets == 0 {
		_, err := fmt.Fprintf(w, "  no %s of two flows or more\n", what)
		return err
	}
	columns := []table.Column{table.Left("label"), table.Right("rows"), table.Right(what), table.Right("cut"), table.Right("leaked")}
	if l.By != "" {
		columns = append(columns, table.Right("cut by "+l.By), table.Right("leaked by "+l.By))
	}
	t := table.New(columns...)
	for _, line := range append(l.Labels[:len(l.Labels):len(l.Labels)], l.Total) {
		leak := of(line)
		cells := []string{line.Label, table.Count(line.Rows), table.Count(leak.Sets), table.Count(leak.Crossing), table.Count(leak.Leaked),
			table.Count(leak.MadeCrossing), table.Count(leak.MadeLeaked)}
		t.Row(cells[:len(columns)]...)
	}
	return t.Write(w, "  ")
}

// WriteText prints rows, and connections in brackets where they are known, for
// every label and part. It returns the first error of w.
func (s Summary) WriteText(w io.Writer) error {
	columns := []table.Column{table.Left("label"), table.Right("train"), table.Right("validation"), table.Right("test")}
	if s.Total.Unused.Rows > 0 {
		columns = append(columns, table.Right("unused"))
	}
	t := table.New(columns...)
	for _, line := range append(s.Labels[:len(s.Labels):len(s.Labels)], s.Total) {
		cells := []string{line.Label, line.Train.text(), line.Validation.text(), line.Test.text(), line.Unused.text()}
		t.Row(cells[:len(columns)]...)
	}
	return t.Write(w, "  ")
}

func (c Count) text() string {
	if c.Connections == 0 {
		return table.Count(c.Rows)
	}
	return fmt.Sprintf("%s (%s)", table.Count(c.Rows), table.Count(c.Connections))
}

// WriteText prints what was dropped for every label, and the rows that no model
// can tell apart. It returns the first error of w.
func (d Deduplication) WriteText(w io.Writer) error {
	t := table.New(table.Left("label"), table.Right("rows"), table.Right("duplicates dropped"), table.Right("kept"),
		table.Right("kept in conflict"))
	all := LabelDrop{Label: "all", Rows: d.Rows, Kept: d.Kept, Dropped: d.Dropped, ConflictRows: d.ConflictRows}
	for _, line := range append(d.Labels[:len(d.Labels):len(d.Labels)], all) {
		t.Row(line.Label, table.Count(line.Rows), table.Count(line.Dropped), table.Count(line.Kept), table.Count(line.ConflictRows))
	}
	if err := t.Write(w, "  "); err != nil {
		return err
	}
	if d.ConflictGroups == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "  in conflict: rows equal in every column in use that carry different labels (%s sets)\n", table.Count(d.ConflictGroups))
	return err
}
