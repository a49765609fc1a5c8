package ledger

import (
	"fmt"
	"slices"

	"flowbench/data/schema"
)

// Missing says what stood in a missing cell.
type Missing uint8

// The kinds of missing cells.
const (
	Infinite Missing = iota // Infinity, inf, with any sign
	NaN                     // NaN
	Blank                   // nothing, or blanks
)

// Cell is a missing cell of the row at hand.
type Cell struct {
	Column int
	Kind   Missing
}

// Builder counts while a set of files is read. It is not safe for use by
// several goroutines; Part is. Memory is fixed by the numbers of columns,
// labels, files and reasons, not by the rows.
type Builder struct {
	labels    []string
	attempted string
	values    values
	files     []*FileBuilder

	counted     bool
	distinct    int64
	conflicting int64
	connections int64
	byLabel     []int64
}

// NewBuilder starts an account of the named columns. labels gives the name of
// each label number.
func NewBuilder(columns, labels []string, attempted schema.Attempted) *Builder {
	return &Builder{labels: labels, attempted: string(attempted), values: newValues(columns), byLabel: make([]int64, len(labels))}
}

// File starts the account of the next file.
func (b *Builder) File(name, form string) *FileBuilder {
	f := &FileBuilder{File: File{Name: name, Form: form}, set: b, labels: make([]Label, len(b.labels)+1)}
	for i, label := range b.labels {
		f.labels[i].Name = label
	}
	f.labels[len(b.labels)].Name = Unreadable
	b.files = append(b.files, f)
	return f
}

// Observe takes the values of kept rows, row-major, missing cells as NaN: each
// kept row once, in order. It reads features only during the call.
func (b *Builder) Observe(features []float32) { b.values.observe(features) }

// Occurrence says what is new about a kept row.
type Occurrence struct {
	Features    bool // no earlier row has these feature values
	Label       bool // no earlier row has these feature values with this label
	Conflicting bool // it is the first to give these feature values a second label
	Connection  bool // no earlier row has its five-tuple
}

// Occur counts a kept row as distinct or repeated.
func (b *Builder) Occur(label int, o Occurrence) {
	b.counted = true
	if o.Features {
		b.distinct++
	}
	if o.Label {
		b.byLabel[label]++
	}
	if o.Conflicting {
		b.conflicting++
	}
	if o.Connection {
		b.connections++
	}
}

// FileBuilder counts one file. The reader fills the exported fields of File
// that the methods do not count: Bytes, Lines, RepeatedHeaders, Blank,
// IgnoredColumns, HeaderLengthTwice.
type FileBuilder struct {
	File
	set    *Builder
	labels []Label // by label number, then the unreadable
}

// Keep counts a kept row with its missing cells.
func (f *FileBuilder) Keep(label int, attempted bool, missing []Cell) {
	f.labels[label].keep(attempted, len(missing))
	f.set.values.missing(missing)
}

// Drop counts a dropped row; label is -1 where it could not be read.
func (f *FileBuilder) Drop(label int, reason string, line int64) {
	if label < 0 {
		label = len(f.labels) - 1
	}
	l := &f.labels[label]
	l.Read++
	l.drop(Drop{Reason: reason, Rows: 1, First: fmt.Sprintf("%s:%d", f.Name, line)})
}

// Ledger is the account so far. The builder can go on.
func (b *Builder) Ledger() *Ledger {
	l := &Ledger{Attempted: b.attempted, Files: []File{}, Labels: []Label{}, DuplicateColumns: [][]string{}}
	totals := make([]Label, len(b.labels)+1)
	for _, f := range b.files {
		file := f.close(totals)
		l.Read, l.Kept, l.Dropped = l.Read+file.Read, l.Kept+file.Kept, l.Dropped+file.Dropped
		l.Files = append(l.Files, file)
	}
	l.Labels = append(l.Labels, occurring(totals)...)
	l.Columns = slices.Clone(b.values.columns)
	for i := range l.Columns {
		l.Columns[i].close(b.values.rows, b.values.least[i], b.values.greatest[i])
	}
	classes := slices.Clone(b.values.equal.classes)
	slices.SortFunc(classes, func(x, y []int) int { return x[0] - y[0] })
	for _, class := range classes {
		if names := b.varying(class); len(names) > 1 {
			l.DuplicateColumns = append(l.DuplicateColumns, names)
		}
	}
	l.Duplicates = b.duplicates(l.Kept)
	return l
}

// close completes the sums of the file and adds its labels to totals.
func (f *FileBuilder) close(totals []Label) File {
	file := f.File
	file.Read, file.Kept, file.Dropped = 0, 0, 0
	for i, label := range f.labels {
		totals[i] = add(totals[i], label)
		file.Read += label.Read
		file.Kept += label.Kept
		file.Dropped += label.Dropped()
	}
	file.Labels = occurring(f.labels)
	return file
}

func occurring(labels []Label) []Label {
	found := []Label{}
	for _, l := range labels {
		if l.Read > 0 {
			l.Drops = slices.Clone(l.Drops)
			found = append(found, l)
		}
	}
	return found
}

func (c *Column) close(rows int64, least, greatest float32) {
	c.Present = rows - c.Missing()
	c.Constant = rows > 0 && least >= greatest
	if c.Present > 0 {
		c.Min, c.Max = least, greatest
	}
}

// varying names the columns of the class, or nothing where they are constant.
func (b *Builder) varying(class []int) []string {
	var names []string
	for _, j := range class {
		if b.values.least[j] < b.values.greatest[j] {
			names = append(names, b.values.columns[j].Name)
		}
	}
	return names
}

func (b *Builder) duplicates(kept int64) Duplicates {
	d := Duplicates{Counted: b.counted, Basis: Basis, Labels: []Distinct{}}
	if !b.counted {
		return d
	}
	d.Distinct, d.Repeats = b.distinct, kept-b.distinct
	d.Conflicting, d.Connections = b.conflicting, b.connections
	for i, rows := range b.byLabel {
		if rows > 0 {
			d.Labels = append(d.Labels, Distinct{Name: b.labels[i], Rows: rows})
		}
	}
	return d
}
