package flowcsv

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

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
	Lines    []int64   // of the file, from 1, in which the rows stand; nil unless Options.Numbered
	Consumed int64     // bytes read so far of all sources together, up to a little behind the block
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
	if len(opt.Columns) > 0 {
		columns = slices.Clone(opt.Columns)
	}
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

// Scan reads all sources in order and calls emit with block after block, on the
// goroutine of the caller; GOMAXPROCS others parse. What it yields does not
// depend on how many those are. It ends at the first error: of a source, of
// emit, or of ctx. The ledger it returns has passed Check. Scan may be called
// again.
//
// A source whose Open yields an *os.File of a regular file is mapped into
// memory; everything else is read as a stream.
//
// Rows of one connection (addresses, ports and protocol, in either direction)
// share a group; rows of files without addresses share one where all their
// feature values are equal to the bit. Groups are numbered from 0 in order of
// appearance.
func (s *Scanner) Scan(ctx context.Context, emit func(*Block) error) (*ledger.Ledger, error) {
	sc := newScan(ctx, s, emit)
	defer sc.end()
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

// scan is the state of one call of Scan. Its goroutine cuts the sources into
// pieces, hands them to the workers, and takes them back in order.
type scan struct {
	*Scanner
	ctx      context.Context
	emit     func(*Block) error
	builder  *ledger.Builder
	hash     *rowHash // nil without groups
	groups   *groups  // nil without groups
	block    Block
	consumed int64 // bytes of what was taken

	jobs    chan *piece // to the workers
	workers sync.WaitGroup
	pieces  []*piece // a ring
}

// piecesPerWorker lets the workers go on while the next pieces in order are
// cut, or a late one is waited for.
const piecesPerWorker = 8

func newScan(ctx context.Context, s *Scanner, emit func(*Block) error) *scan {
	sc := &scan{Scanner: s, ctx: ctx, emit: emit, builder: ledger.NewBuilder(s.columns, s.Labels(), s.opt.Attempted)}
	if !s.opt.Ungrouped {
		sc.groups, sc.hash = newGroups(), newRowHash(len(s.columns))
	}
	workers := runtime.GOMAXPROCS(0)
	sc.pieces = make([]*piece, workers*piecesPerWorker)
	sc.jobs = make(chan *piece, len(sc.pieces))
	for i := range sc.pieces {
		sc.pieces[i] = &piece{tally: sc.builder.NewPart(), done: make(chan struct{}, 1)}
	}
	for range workers {
		sc.workers.Go(func() {
			for p := range sc.jobs {
				p.read()
				p.done <- struct{}{}
			}
		})
	}
	return sc
}

// end ends the workers.
func (sc *scan) end() {
	close(sc.jobs)
	sc.workers.Wait()
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
	closing := stream.Close
	defer func() {
		if closeErr := closing(); closeErr != nil && err == nil {
			err = readError(src.place(), 0, closeErr)
		}
	}()
	offset := position(stream)
	head := newLines(stream, sc.opt.MaxLine)
	layout, header, blank, err := readHeader(head, src.place(), sc.opt)
	if err != nil {
		return err
	}
	file := &fileScan{scan: sc, index: i, place: src.place(), layout: layout, header: header,
		tally: sc.builder.File(src.Name, string(layout.Form)), headSize: head.consumed, lines: head.number}
	file.tally.Blank = blank
	file.tally.HeaderLengthTwice = layout.Index(schema.RoleRepeat) >= 0
	file.tally.IgnoredColumns = ignored(layout, header, sc.opt.IgnoreColumns)
	file.in = newInput(stream, offset, head)
	closing = file.in.close
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
