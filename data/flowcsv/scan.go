package flowcsv

import (
	"context"
	"errors"
	"fmt"
	"io"

	"flowbench/data/ledger"
	"flowbench/data/schema"
)

// BlockRows is the most rows that a Block holds: few enough that a block stays
// in the second-level cache.
const BlockRows = 1024

// Block is a run of kept rows of one source, in file order. The scanner owns
// its memory and reuses it: copy what is needed beyond the call.
type Block struct {
	File     int       // index into the sources
	Rows     int       // 1 to BlockRows
	Features []float32 // Rows × columns, row-major; missing cells are NaN
	Labels   []int32   // index into Scanner.Labels
	Groups   []int64   // see Scanner.Scan; nil if Options.Ungrouped
	Consumed int64     // bytes read so far of all sources together
}

// Scanner reads sources one after the other.
type Scanner struct {
	sources []Source
	opt     Options
	labels  *schema.Labels
	columns []string
}

// NewScanner checks the options. It opens no source.
func NewScanner(sources []Source, opt Options) (*Scanner, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		return nil, errors.New("no flow records to read: name CSV files, folders or globs")
	}
	labels, err := schema.NewLabels(opt.Labels)
	if err != nil {
		return nil, err
	}
	columns := schema.Features()
	if opt.Extras {
		columns = append(columns, schema.Extras()...)
	}
	return &Scanner{sources: sources, opt: opt, labels: labels, columns: columns}, nil
}

// Columns names the columns of Block.Features. The caller must not write to it.
func (s *Scanner) Columns() []string { return s.columns }

// Labels gives the label of each number in Block.Labels, BENIGN at 0. Most
// labels do not occur in most data. The caller must not write to it.
func (s *Scanner) Labels() []string { return s.labels.Names() }

// Scan reads all sources in order and calls emit with block after block. It
// ends at the first error: of a source, of emit, or of ctx. The ledger it
// returns has passed Check. Scan may be called again.
//
// Rows of one connection (addresses, ports and protocol, in either direction)
// share a group; rows of files without addresses share one where all their
// feature values are equal to the bit. Groups are numbered from 0 in order of
// appearance.
func (s *Scanner) Scan(ctx context.Context, emit func(*Block) error) (*ledger.Ledger, error) {
	sc := &scan{Scanner: s, ctx: ctx, emit: emit, builder: ledger.NewBuilder(s.columns, s.Labels(), s.opt.Attempted)}
	sc.features = make([]float32, BlockRows*len(s.columns))
	if !s.opt.Ungrouped {
		sc.groups = newGroups()
	}
	for i := range s.sources {
		if err := sc.source(i); err != nil {
			return nil, err
		}
	}
	l := sc.builder.Ledger()
	if err := l.Check(); err != nil {
		return nil, fmt.Errorf("flowcsv: %w", err)
	}
	if l.Kept == 0 {
		return nil, fmt.Errorf("no row is left: all %d were dropped, the first at %s (%s)", l.Read, l.Labels[0].Drops[0].First, l.Labels[0].Drops[0].Reason)
	}
	return l, nil
}

// scan is the state of one call of Scan.
type scan struct {
	*Scanner
	ctx      context.Context
	emit     func(*Block) error
	builder  *ledger.Builder
	groups   *groups
	features []float32 // BlockRows × columns
	block    Block
	rows     []digest // of the block
	tuples   []connection
	consumed int64 // of the sources before the present one
}

// connection is the digest of a row's five-tuple, where it has one.
type connection struct {
	digest digest
	ok     bool
}

// source reads one source to its end.
func (sc *scan) source(i int) (err error) {
	if err := sc.ctx.Err(); err != nil {
		return err
	}
	src := sc.sources[i]
	stream, err := src.Open()
	if err != nil {
		return fileError(src.place(), err)
	}
	defer func() {
		if closing := stream.Close(); closing != nil && err == nil {
			err = readError(src.place(), 0, closing)
		}
	}()
	in := newLines(stream, sc.opt.MaxLine)
	layout, header, blank, err := readHeader(in, src.place(), sc.opt)
	if err != nil {
		return err
	}
	file := &fileScan{scan: sc, in: in, place: src.place(), header: header,
		parser: newParser(layout, sc.labels, sc.opt), tally: sc.builder.File(src.Name, string(layout.Form))}
	file.tally.Blank = blank
	file.tally.HeaderLengthTwice = layout.Index(schema.RoleRepeat) >= 0
	file.tally.IgnoredColumns = ignored(layout, header, sc.opt.IgnoreColumns)
	sc.block.File = i
	return file.read()
}

// ignored names the columns of the file that are left out by request.
func ignored(layout *schema.Layout, header [][]byte, names []string) []string {
	var found []string
	for i, cell := range header {
		for _, name := range names {
			if layout.Fields[i].Role == schema.RoleIgnored && string(cell) == schema.Normalize(name) {
				found = append(found, string(cell))
				break
			}
		}
	}
	return found
}

// fileScan is the state of reading one source.
type fileScan struct {
	*scan
	in     *lines
	place  string
	header [][]byte
	parser *parser
	tally  *ledger.FileBuilder
}

// read takes the rows behind the header.
func (f *fileScan) read() error {
	rows := int64(0)
	for {
		line, ended, err := f.in.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return lineError(f.place, f.in.number, f.opt.MaxLine, err)
		}
		isRow, err := f.line(line, ended)
		if err != nil {
			return err
		}
		if isRow {
			rows++
		}
		if f.block.Rows == BlockRows {
			if err := f.flush(); err != nil {
				return err
			}
		}
	}
	if rows == 0 {
		return &Error{File: f.place, Problem: "the file holds a header and no rows", Remedy: "fetch it again, or leave it out"}
	}
	if err := f.flush(); err != nil {
		return err
	}
	f.tally.Lines, f.tally.Bytes = f.in.number, f.in.consumed
	f.consumed += f.in.consumed
	return nil
}

// line takes one line and reports whether it is a row, kept or dropped.
func (f *fileScan) line(line []byte, ended bool) (isRow bool, err error) {
	if len(line) == 0 || (line[0] == ',' || line[0] <= ' ') && isBlankLine(line) {
		f.tally.Blank++
		return false, nil
	}
	width := len(f.columns)
	row := f.features[f.block.Rows*width:][:width]
	bad := f.parse(line, row)
	if bad == nil {
		f.keep(row)
		return true, nil
	}
	if repeatsHeader(line, f.header) {
		f.tally.RepeatedHeaders++
		return false, nil
	}
	bad.File, bad.Line = f.place, f.in.number
	if !ended {
		f.truncated(bad)
	}
	if f.opt.BadRows == Fail {
		return true, bad
	}
	f.tally.Drop(f.parser.labelOf(line), bad.Reason, f.in.number)
	return true, nil
}

func (f *fileScan) parse(line []byte, row []float32) *Error {
	if at := indexNUL(line); at >= 0 {
		return &Error{Reason: ReasonNUL, Problem: fmt.Sprintf("byte %d of the line is NUL", at+1),
			Remedy: "the file is damaged; fetch it again, or have bad rows dropped"}
	}
	return f.parser.row(line, row)
}

// truncated turns the error of a last line without line end into what it most likely is.
func (f *fileScan) truncated(bad *Error) {
	bad.Problem = "the file ends within this line: " + bad.Problem
	bad.Remedy = "it is truncated; fetch it again, or have bad rows dropped"
	if bad.Reason == ReasonFields {
		bad.Reason = ReasonTruncated
	}
}

// keep adds the row that was just parsed to the block.
func (f *fileScan) keep(row []float32) {
	label := f.parser.finalLabel()
	f.tally.Keep(label, f.parser.attempted, f.parser.missing)
	f.block.Labels = append(f.block.Labels, int32(label))
	f.block.Rows++
	if f.groups == nil {
		return
	}
	f.rows = append(f.rows, digestRow(row))
	var c connection
	if f.parser.tupled {
		c.digest, c.ok = f.parser.tuple.digest()
	}
	f.tuples = append(f.tuples, c)
}

// flush hands the block to emit and empties it.
func (f *fileScan) flush() error {
	if err := f.ctx.Err(); err != nil {
		return err
	}
	b := &f.block
	if b.Rows == 0 {
		return nil
	}
	b.Features = f.features[:b.Rows*len(f.columns)]
	b.Consumed = f.consumed + f.in.consumed
	f.builder.Observe(b.Features)
	for i, row := range f.rows {
		group, occurrence := f.groups.add(row, b.Labels[i], f.tuples[i].digest, f.tuples[i].ok)
		b.Groups = append(b.Groups, group)
		f.builder.Occur(int(b.Labels[i]), occurrence)
	}
	err := f.emit(b)
	b.Rows, b.Labels, b.Groups = 0, b.Labels[:0], b.Groups[:0]
	f.rows, f.tuples = f.rows[:0], f.tuples[:0]
	return err
}
