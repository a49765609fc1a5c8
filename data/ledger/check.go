package ledger

import (
	"fmt"
	"maps"
)

// Check proves the account: every line of every file is a header, a repeated
// header, a blank line or a row; every row is kept or dropped for a reason;
// files, labels and columns add up to the totals. The error names the sum that
// does not hold.
func (l *Ledger) Check() error {
	var sums balance
	var read, kept, dropped int64
	for i := range l.Files {
		f := &l.Files[i]
		f.check(&sums)
		read, kept, dropped = read+f.Read, kept+f.Kept, dropped+f.Dropped
	}
	sums.equal("rows read in all files", read, l.Read)
	sums.equal("rows kept in all files", kept, l.Kept)
	sums.equal("rows dropped in all files", dropped, l.Dropped)
	sums.equal("rows kept and dropped", l.Kept+l.Dropped, l.Read)
	l.checkLabels(&sums)
	l.checkColumns(&sums)
	l.checkDuplicates(&sums)
	return sums.err
}

func (f *File) check(sums *balance) {
	var total Label
	for _, label := range f.Labels {
		label.check(sums, f.Name)
		total = add(total, label)
	}
	sums.equal(f.Name+": header, repeated headers, blank lines and rows", 1+f.RepeatedHeaders+f.Blank+f.Read, f.Lines)
	sums.equal(f.Name+": rows kept and dropped", f.Kept+f.Dropped, f.Read)
	sums.equal(f.Name+": rows read of all labels", total.Read, f.Read)
	sums.equal(f.Name+": rows kept of all labels", total.Kept, f.Kept)
	sums.equal(f.Name+": rows dropped of all labels", total.Dropped(), f.Dropped)
}

func (l Label) check(sums *balance, where string) {
	sums.equal(fmt.Sprintf("%s: %s: rows kept and dropped", where, l.Name), l.Kept+l.Dropped(), l.Read)
	sums.atMost(fmt.Sprintf("%s: %s: rows with missing cells", where, l.Name), l.MissingRows, min(l.Kept, l.MissingCells))
	sums.atMost(fmt.Sprintf("%s: %s: attempted rows", where, l.Name), l.Attempted, l.Kept)
}

// checkLabels compares l.Labels with the sums over the files' labels.
func (l *Ledger) checkLabels(sums *balance) {
	byName := make(map[string]Label)
	for _, f := range l.Files {
		for _, label := range f.Labels {
			byName[label.Name] = add(byName[label.Name], label)
		}
	}
	for _, label := range l.Labels {
		label.check(sums, "all files")
		want := byName[label.Name]
		delete(byName, label.Name)
		sums.equal(label.Name+": rows read in all files", want.Read, label.Read)
		sums.equal(label.Name+": rows kept in all files", want.Kept, label.Kept)
		sums.equal(label.Name+": missing cells in all files", want.MissingCells, label.MissingCells)
		sums.equal(label.Name+": rows with missing cells in all files", want.MissingRows, label.MissingRows)
		sums.equal(label.Name+": attempted rows in all files", want.Attempted, label.Attempted)
		sums.equal(label.Name+": reasons of dropped rows in all files", int64(len(want.Drops)), int64(len(label.Drops)))
		for i := range min(len(want.Drops), len(label.Drops)) {
			sums.equal(label.Name+": rows dropped, "+label.Drops[i].Reason, want.rows(label.Drops[i].Reason), label.Drops[i].Rows)
		}
	}
	for name := range maps.Keys(byName) {
		sums.equal(name+": labels that the files have and the totals lack", 1, 0)
	}
}

func (l *Ledger) checkColumns(sums *balance) {
	var missing int64
	for _, c := range l.Columns {
		sums.equal(c.Name+": cells present and missing", c.Present+c.Missing(), l.Kept)
		sums.atMost(c.Name+": negative cells", c.Negative+c.Sentinel, c.Present)
		missing += c.Missing()
	}
	var byLabel int64
	for _, label := range l.Labels {
		byLabel += label.MissingCells
	}
	sums.equal("missing cells of all columns and of all labels", missing, byLabel)
}

func (l *Ledger) checkDuplicates(sums *balance) {
	if !l.Duplicates.Counted {
		return
	}
	d := l.Duplicates
	sums.equal("distinct and repeated rows", d.Distinct+d.Repeats, l.Kept)
	kept := make(map[string]int64)
	for _, label := range l.Labels {
		kept[label.Name] = label.Kept
	}
	var byLabel int64
	for _, label := range d.Labels {
		sums.atMost(label.Name+": distinct rows", label.Rows, kept[label.Name])
		byLabel += label.Rows
	}
	sums.atMost("distinct rows", d.Distinct, byLabel)
	sums.atMost("distinct rows of more than one label", d.Conflicting, byLabel-d.Distinct)
}

// balance holds the first sum that failed.
type balance struct{ err error }

func (b *balance) equal(what string, got, want int64) {
	if b.err == nil && got != want {
		b.err = fmt.Errorf("ledger does not balance: %s: %d against %d", what, got, want)
	}
}

func (b *balance) atMost(what string, got, limit int64) {
	if b.err == nil && (got < 0 || got > limit) {
		b.err = fmt.Errorf("ledger does not balance: %s: %d, of at most %d", what, got, limit)
	}
}

// add sums two accounts of one label; drops are joined by reason, and the first place stays.
func add(a, b Label) Label {
	sum := Label{
		Name: b.Name, Read: a.Read + b.Read, Kept: a.Kept + b.Kept, Attempted: a.Attempted + b.Attempted,
		MissingRows: a.MissingRows + b.MissingRows, MissingCells: a.MissingCells + b.MissingCells,
	}
	sum.Drops = append(sum.Drops, a.Drops...)
	for _, d := range b.Drops {
		sum.drop(d)
	}
	return sum
}

// drop adds d to the drops of the same reason.
func (l *Label) drop(d Drop) {
	for i := range l.Drops {
		if l.Drops[i].Reason == d.Reason {
			l.Drops[i].Rows += d.Rows
			return
		}
	}
	l.Drops = append(l.Drops, d)
}

// rows is the number of rows dropped for the reason.
func (l Label) rows(reason string) int64 {
	for _, d := range l.Drops {
		if d.Reason == reason {
			return d.Rows
		}
	}
	return 0
}
