package flowcsv

import (
	"bytes"
	"context"

	"flowbench/data/ledger"
	"flowbench/data/schema"
)

// Tail reads one CSV whose text comes bit by bit, as a file gives that another
// program writes: rows are emitted as soon as their line has ended. It reads
// what Scanner.Scan reads of the whole text, on the goroutine of the caller, in
// memory that is bounded by the longest line and what a call of Write brings.
type Tail struct {
	scan *scan
	file *fileScan // nil until the header has come
	name string
	opt  Options
	rest []byte // behind the last line end
}

// NewTail checks the options, of which Ungrouped is taken for given.
func NewTail(name string, opt Options) (*Tail, error) {
	opt.Ungrouped = true
	s, err := NewScanner([]Source{{Name: name}}, opt)
	if err != nil {
		return nil, err
	}
	sc := &scan{Scanner: s, ctx: context.Background(), builder: ledger.NewBuilder(s.columns, s.Labels(), s.opt.Attempted)}
	sc.pieces = []*piece{{tally: sc.builder.NewPart(), done: make(chan struct{}, 1)}}
	return &Tail{scan: sc, name: name, opt: s.opt}, nil
}

// Columns names the columns of Block.Features.
func (t *Tail) Columns() []string { return t.scan.Columns() }

// Labels gives the label of each number in Block.Labels.
func (t *Tail) Labels() []string { return t.scan.Labels() }

// Waiting is how many bytes have come of a line that has not ended.
func (t *Tail) Waiting() int { return len(t.rest) }

// Write takes the next text, of which it keeps no slice, and calls emit with the
// rows of the lines that it ends. The first error, of a line or of emit, ends the
// Tail: it is not to be written to again.
func (t *Tail) Write(text []byte, emit func(*Block) error) error {
	t.rest = append(t.rest, text...)
	if t.file == nil {
		if ready, err := t.header(); !ready || err != nil {
			return err
		}
	}
	end := bytes.LastIndexByte(t.rest, '\n') + 1
	if len(t.rest)-end > t.opt.MaxLine {
		return longLine(t.name, t.file.lines+int64(bytes.Count(t.rest[:end], []byte{'\n'}))+1, t.opt.MaxLine)
	}
	t.scan.emit = emit
	for from := 0; from < end; {
		to := min(from+pieceSize, end)
		if to < end {
			if n := bytes.LastIndexByte(t.rest[from:to], '\n'); n >= 0 {
				to = from + n + 1
			} else {
				to += bytes.IndexByte(t.rest[to:end], '\n') + 1
			}
		}
		if err := t.lines(t.rest[from:to]); err != nil {
			return err
		}
		from = to
	}
	t.rest = t.rest[:copy(t.rest, t.rest[end:])]
	return nil
}

// header reads the names of the columns, once their line is there.
func (t *Tail) header() (ready bool, err error) {
	end := bytes.LastIndexByte(t.rest, '\n') + 1
	if end == 0 || isBlankLine(bytes.ReplaceAll(t.rest[:end], []byte{'\n'}, nil)) {
		if len(t.rest) > t.opt.MaxLine {
			return false, longLine(t.name, 1, t.opt.MaxLine)
		}
		return false, nil
	}
	head := newLines(bytes.NewReader(t.rest[:end]), t.opt.MaxLine)
	layout, header, blank, err := readHeader(head, t.name, t.opt)
	if err != nil {
		return false, err
	}
	t.file = &fileScan{scan: t.scan, place: t.name, layout: layout, header: header, in: noInput{},
		tally: t.scan.builder.File(t.name, string(layout.Form)), headSize: head.consumed, lines: head.number}
	t.file.tally.Blank = blank
	t.file.tally.HeaderLengthTwice = layout.Index(schema.RoleRepeat) >= 0
	t.file.tally.IgnoredColumns = ignored(layout, header, t.opt.IgnoreColumns)
	t.rest = t.rest[:copy(t.rest, t.rest[head.consumed:])]
	return true, nil
}

// lines reads whole lines.
func (t *Tail) lines(text []byte) error {
	p := t.scan.pieces[0]
	p.reset(t.file)
	if len(p.buf) < len(text)+lookahead {
		p.buf = make([]byte, len(text)+lookahead)
	}
	copy(p.buf, text)
	p.text, p.size = p.buf[:len(text)+lookahead], len(text)
	p.read()
	return t.file.take(p)
}

// Ledger is the account of the lines that have ended so far; it has passed
// Check. Before the header it is that of no file.
func (t *Tail) Ledger() (*ledger.Ledger, error) {
	if t.file != nil {
		t.file.tally.Lines, t.file.tally.Bytes = t.file.lines, t.file.headSize+t.file.size
	}
	l := t.scan.builder.Ledger()
	return l, l.Check()
}

// noInput stands where a file's text is read from.
type noInput struct{}

func (noInput) next(*piece) bool { return false }
func (noInput) taken(int64)      {}
func (noInput) failed() error    { return nil }
func (noInput) close() error     { return nil }
