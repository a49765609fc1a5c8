package ledger

// Part is the account of a run of rows of one file, kept apart so that several
// runs can be counted at once. Added in the order of the rows, parts of any
// length make the account that one part of all rows makes.
type Part struct {
	values values
	labels []Label // by label number: kept rows only
	drops  []partDrop
}

// partDrop is a row of the part that was left out.
type partDrop struct {
	label  int
	reason string
	line   int64
}

// NewPart makes an account for Start to fill; it may be used again and again,
// by one goroutine at a time.
func (b *Builder) NewPart() *Part {
	names := make([]string, len(b.values.columns))
	for j, c := range b.values.columns {
		names[j] = c.Name
	}
	return &Part{values: newValues(names), labels: make([]Label, len(b.labels))}
}

// Start empties the part. It reads the builder, which spares the part the
// columns that are known to differ: no part may be added meanwhile.
func (b *Builder) Start(p *Part) {
	p.values.clear(b.values.equal)
	clear(p.labels)
	p.drops = p.drops[:0]
}

// Keep counts a kept row with its missing cells.
func (p *Part) Keep(label int, attempted bool, missing []Cell) {
	p.labels[label].keep(attempted, len(missing))
	p.values.missing(missing)
}

// Observe takes the values of kept rows as Builder.Observe does.
func (p *Part) Observe(features []float32) { p.values.observe(features) }

// Drop counts a dropped row; label is -1 where it could not be read, and line
// is counted from the first line of the part, which is 1.
func (p *Part) Drop(label int, reason string, line int64) {
	p.drops = append(p.drops, partDrop{label, reason, line})
}

// Add takes the next part of the file; before is the number of lines before it.
func (f *FileBuilder) Add(p *Part, before int64) {
	f.set.values.add(&p.values)
	for i := range p.labels {
		if l := &p.labels[i]; l.Read > 0 {
			f.labels[i].add(l)
		}
	}
	for _, d := range p.drops {
		f.Drop(d.label, d.reason, before+d.line)
	}
}

// keep counts a kept row with so many missing cells.
func (l *Label) keep(attempted bool, missing int) {
	l.Read++
	l.Kept++
	if attempted {
		l.Attempted++
	}
	if missing > 0 {
		l.MissingRows++
		l.MissingCells += int64(missing)
	}
}

// add takes further rows that were all kept.
func (l *Label) add(kept *Label) {
	l.Read, l.Kept, l.Attempted = l.Read+kept.Read, l.Kept+kept.Kept, l.Attempted+kept.Attempted
	l.MissingRows, l.MissingCells = l.MissingRows+kept.MissingRows, l.MissingCells+kept.MissingCells
}
