package flowcsv

import (
	"bytes"
	"fmt"
	"runtime/debug"

	"flowbench/data/ledger"
)

// piece is a run of whole lines of one source and all that is read from it. It
// is filled by one goroutine and taken by another; its memory is used again for
// piece after piece.
type piece struct {
	file   *fileScan // of which parser and tally were made
	parser *parser
	tally  *ledger.Part

	text   []byte // the lines, and behind them what decimals may look at
	size   int    // of the lines
	buf    []byte // holds text where the file is not mapped
	mapped []byte // the file, where it is
	span   span   // of it, in which the lines are to be found

	features []float32 // rows × columns, of the rows that are kept
	labels   []int32
	digests  []digest // empty if the scan has no groups
	tuples   []connection
	numbers  []int64 // of the kept rows' lines, from 1 in the piece; empty unless the scan is numbered
	lines    int64   // in all
	rows     int64   // kept and dropped
	blank    int64
	repeated int64  // headers
	failed   *Error // ends the scan; Line is counted from the start of the piece

	done chan struct{} // gets a value when the piece was read
}

// connection is the digest of a row's five-tuple, where it has one.
type connection struct {
	digest digest
	ok     bool
}

// reset makes the piece ready for lines of the file.
func (p *piece) reset(f *fileScan) {
	if p.file != f {
		p.file = f
		p.parser = newParser(f.layout, f.labels, f.opt)
	}
	f.builder.Start(p.tally)
	p.text, p.size, p.mapped = nil, 0, nil
	p.features, p.labels, p.digests, p.tuples = p.features[:0], p.labels[:0], p.digests[:0], p.tuples[:0]
	p.numbers = p.numbers[:0]
	p.lines, p.rows, p.blank, p.repeated, p.failed = 0, 0, 0, 0, nil
}

// read reads the lines up to the first error, which goes to p.failed.
func (p *piece) read() {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer p.recoverFault()
	if p.mapped != nil {
		p.text, p.size = p.span.lines(p.mapped, p.file.opt.MaxLine)
	}
	for at := 0; at < p.size && p.failed == nil; {
		length := bytes.IndexByte(p.text[at:p.size], '\n')
		ended := length >= 0
		if !ended {
			length = p.size - at
		}
		p.lines++
		if length > p.file.opt.MaxLine {
			p.failed = longLine(p.file.place, p.lines, p.file.opt.MaxLine)
			return
		}
		size := length
		if size > 0 && p.text[at+size-1] == '\r' {
			size--
		}
		p.failed = p.line(p.text[at:], size, ended)
		at += length + 1
	}
	p.tally.Observe(p.features)
}

// line takes one line, the first size bytes of text.
func (p *piece) line(text []byte, size int, ended bool) *Error {
	line := text[:size]
	if size == 0 || (line[0] == ',' || line[0] <= ' ') && isBlankLine(line) {
		p.blank++
		return nil
	}
	bad := p.parse(text, size)
	if bad == nil {
		p.rows++
		return nil
	}
	if repeatsHeader(line, p.file.header) {
		p.repeated++
		return nil
	}
	bad.File, bad.Line = p.file.place, p.lines
	if !ended {
		bad.truncated()
	}
	if p.file.opt.BadRows == Fail {
		return bad
	}
	p.rows++
	p.tally.Drop(p.parser.labelOf(line), bad.Reason, p.lines)
	return nil
}

// parse reads a line and keeps its row if it can be read.
func (p *piece) parse(text []byte, size int) *Error {
	kept, width := len(p.features), len(p.file.columns)
	for cap(p.features) < kept+width {
		p.features = append(p.features[:cap(p.features)], 0)[:kept]
	}
	row := p.features[kept : kept+width]
	if bad := p.parser.row(text, size, row); bad != nil {
		if at := indexNUL(text[:size]); at >= 0 { // the likelier cause
			return &Error{Reason: ReasonNUL, Problem: fmt.Sprintf("byte %d of the line is NUL", at+1),
				Remedy: "the file is damaged; fetch it again, or have bad rows dropped"}
		}
		return bad
	}
	p.features = p.features[:kept+width]
	p.keep(row)
	return nil
}

// keep notes what belongs to the row that was just parsed.
func (p *piece) keep(row []float32) {
	label := p.parser.finalLabel()
	p.tally.Keep(label, p.parser.attempted, p.parser.missing)
	p.labels = append(p.labels, int32(label))
	if p.file.opt.Numbered {
		p.numbers = append(p.numbers, p.lines)
	}
	if p.file.hash == nil {
		return
	}
	p.digests = append(p.digests, p.file.hash.digest(row))
	var c connection
	if p.parser.tupled {
		c.digest, c.ok = p.parser.tuple.digest()
	}
	p.tuples = append(p.tuples, c)
}

// truncated turns the error of a last line without line end into what it most likely is.
func (e *Error) truncated() {
	e.Problem = "the file ends within this line: " + e.Problem
	e.Remedy = "it is truncated; fetch it again, or have bad rows dropped"
	if e.Reason == ReasonFields {
		e.Reason = ReasonTruncated
	}
}

// recoverFault turns a fault on the mapped file into an error. Any other panic goes on.
func (p *piece) recoverFault() {
	cause := recover()
	if cause == nil {
		return
	}
	if !isFault(cause, p.mapped) {
		panic(cause)
	}
	p.failed = &Error{File: p.file.place, Problem: "the file was cut short, or its disk failed, while it was read",
		Remedy: "let nothing write to it, and read it again"}
}
