package flowcsv

import (
	"flowbench/data/ledger"
	"flowbench/data/schema"
)

// fileScan is the state of reading one source.
type fileScan struct {
	*scan
	index  int // of the source
	place  string
	layout *schema.Layout
	header [][]byte
	tally  *ledger.FileBuilder
	in     input

	headSize int64 // bytes up to the first row
	size     int64 // bytes of the pieces that were taken
	lines    int64 // up to and with those
	rows     int64
}

// read takes the rows behind the header.
func (f *fileScan) read() error {
	first, ahead := 0, 0 // the pieces that are being read: the ring from first on
	defer func() {
		for ; ahead > 0; ahead-- { // after an error, the input must not be closed under the workers
			<-f.piece(first).done
			first++
		}
	}()
	for more := true; more || ahead > 0; {
		if more && ahead < len(f.pieces) {
			p := f.piece(first + ahead)
			p.reset(f)
			if more = f.in.next(p); more {
				f.jobs <- p
				ahead++
			}
		}
		// One for one, so that the workers have something to do while pieces are taken.
		if ahead > 0 && (!more || ahead == len(f.pieces) || len(f.piece(first).done) > 0) {
			p := f.piece(first)
			<-p.done
			first, ahead = first+1, ahead-1
			if err := f.take(p); err != nil {
				return err
			}
		}
	}
	if err := f.in.failed(); err != nil {
		return readError(f.place, f.lines+1, err)
	}
	if f.rows == 0 {
		return &Error{File: f.place, Problem: "the file holds a header and no rows", Remedy: "fetch it again, or leave it out"}
	}
	f.tally.Lines, f.tally.Bytes = f.lines, f.headSize+f.size
	f.consumed += f.headSize + f.size
	return nil
}

// piece is the i-th of the ring.
func (f *fileScan) piece(i int) *piece { return f.pieces[i%len(f.pieces)] }

// take adds the next piece of the file to the account and emits its rows.
func (f *fileScan) take(p *piece) error {
	if err := f.ctx.Err(); err != nil {
		return err
	}
	if p.failed != nil {
		if p.failed.Line > 0 {
			p.failed.Line += f.lines
		}
		return p.failed
	}
	f.tally.Add(p.tally, f.lines)
	for i := range p.numbers {
		p.numbers[i] += f.lines
	}
	f.tally.Blank += p.blank
	f.tally.RepeatedHeaders += p.repeated
	f.lines += p.lines
	f.rows += p.rows
	f.size += int64(p.size)
	f.in.taken(f.size)
	for from := 0; from < len(p.labels); from += BlockRows {
		if err := f.emitRows(p, from, min(from+BlockRows, len(p.labels))); err != nil {
			return err
		}
	}
	return nil
}

// emitRows hands rows of a piece to emit as a block.
func (f *fileScan) emitRows(p *piece, from, to int) error {
	b, width := &f.block, len(f.columns)
	b.File, b.Rows, b.Labels = f.index, to-from, p.labels[from:to]
	b.Features = p.features[from*width : to*width]
	b.Consumed = f.consumed + f.headSize + f.size
	b.Groups, b.Lines = b.Groups[:0], nil
	if f.opt.Numbered {
		b.Lines = p.numbers[from:to]
	}
	if f.groups != nil {
		f.groups.numbers.fetch(p.digests[from:to])
		for i := from; i < to; i++ {
			label := p.labels[i]
			group, occurrence := f.groups.add(p.digests[i], label, p.tuples[i].digest, p.tuples[i].ok)
			b.Groups = append(b.Groups, group)
			f.builder.Occur(int(label), occurrence)
		}
	}
	return f.emit(b)
}
