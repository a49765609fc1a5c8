package flowcsv

import (
	"bytes"
	"io"
	"os"
	"unsafe"
)

// pieceSize is about how much text a piece has: with the values that it gives,
// it stays in the second-level cache of a core.
const pieceSize = 256 << 10

// input hands out the lines of a source in pieces, from the first to the last.
// It is used by one goroutine.
type input interface {
	// next fills span, or text and size, of p. It returns false where nothing is left.
	next(p *piece) bool
	// taken says that nobody looks any more at the first so many bytes of the pieces.
	taken(bytes int64)
	// failed is what reading ended with behind the last piece, or nil.
	failed() error
	close() error
}

// newInput goes on where the header ended: with a map of the file where there
// is one, else with the stream. It owns the stream, also after an error.
func newInput(stream io.ReadCloser, offset int64, header *lines) input {
	if file, ok := stream.(*os.File); ok && offset >= 0 {
		if mapped, release, ok := mapFile(file); ok {
			if first := offset + header.consumed; first <= int64(len(mapped)) {
				return &mappedInput{file: file, mapped: mapped, first: int(first), at: int(first), dropped: int(first) &^ (pageStep - 1), release: release}
			}
			release()
		}
	}
	return &streamInput{stream: stream, max: header.max, rest: header.buf[header.start:header.end], err: header.failed}
}

// position is where a file is read next, or -1 for what is no file or has no positions.
func position(stream io.Reader) int64 {
	file, ok := stream.(*os.File)
	if !ok {
		return -1
	}
	at, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return -1
	}
	return at
}

// mappedInput cuts a mapped file without looking at it: whoever reads a piece
// finds its lines, and takes the fault if the file was cut short meanwhile.
type mappedInput struct {
	file    *os.File
	mapped  []byte
	first   int // where the rows start
	at      int // up to here it was handed out
	dropped int // up to here the pages were given back
	release func() error
}

// pageStep is a multiple of every size of pages.
const pageStep = 1 << 20

func (m *mappedInput) next(p *piece) bool {
	if m.at == len(m.mapped) {
		return false
	}
	p.span = span{low: m.at, high: min(m.at+pieceSize, len(m.mapped)), first: m.at == m.first}
	p.mapped = m.mapped
	m.at = p.span.high
	return true
}

// taken gives pages back, so that memory does not grow with the file.
func (m *mappedInput) taken(bytes int64) {
	if end := (m.first + int(bytes)) &^ (pageStep - 1); end >= m.dropped+8*pageStep {
		dropPages(m.mapped[m.dropped:end])
		m.dropped = end
	}
}

func (m *mappedInput) failed() error { return nil }

func (m *mappedInput) close() error {
	err := m.release()
	if closing := m.file.Close(); err == nil {
		err = closing
	}
	return err
}

// span is a part of a mapped file; its lines are those that start in it.
type span struct {
	low, high int  // not empty
	first     bool // a line starts at low
}

// lines finds the lines of the span, which are the first size bytes of text.
// One that is longer than longest is cut, but not before it is.
func (s span) lines(mapped []byte, longest int) (text []byte, size int) {
	start, end := s.low, s.high
	if !s.first {
		n := bytes.IndexByte(mapped[s.low-1:s.high-1], '\n')
		if n < 0 {
			return nil, 0 // one line goes through it
		}
		start += n
	}
	if mapped[end-1] != '\n' {
		last := start + bytes.LastIndexByte(mapped[start:end], '\n') + 1
		limit := min(len(mapped), max(end, last+longest+1))
		if n := bytes.IndexByte(mapped[end:limit], '\n'); n >= 0 {
			limit = end + n + 1
		}
		end = limit
	}
	return mapped[start:min(len(mapped), end+lookahead)], end - start
}

// isFault tells a fault on the mapped file from other panics.
func isFault(cause any, mapped []byte) bool {
	fault, ok := cause.(interface{ Addr() uintptr })
	if !ok || len(mapped) == 0 {
		return false
	}
	start := uintptr(unsafe.Pointer(&mapped[0]))
	return fault.Addr() >= start && fault.Addr()-start < uintptr(len(mapped))
}

// streamInput reads a stream.
type streamInput struct {
	stream io.ReadCloser
	max    int    // of a line
	rest   []byte // read and not yet handed out
	err    error  // what the stream ended with
}

// next reads until the piece is full, and ends it with a line. It reads more
// than a piece only where a line is longer, and no more than one byte over max.
func (s *streamInput) next(p *piece) bool {
	if s.err != nil && len(s.rest) == 0 {
		return false
	}
	if p.buf == nil {
		p.buf = make([]byte, pieceSize+lookahead)
	}
	if len(s.rest) > len(p.buf)-lookahead {
		p.buf = make([]byte, len(s.rest)+lookahead)
	}
	n := copy(p.buf, s.rest)
	s.rest = s.rest[:0]
	whole := bytes.LastIndexByte(p.buf[:n], '\n') + 1
	for s.err == nil && (n < len(p.buf)-lookahead || whole == 0 && n <= s.max) {
		if n == len(p.buf)-lookahead {
			p.buf = append(p.buf, make([]byte, len(p.buf))...)
		}
		var more int
		more, s.err = readSome(s.stream, p.buf[n:len(p.buf)-lookahead])
		if end := bytes.LastIndexByte(p.buf[n:n+more], '\n'); end >= 0 {
			whole = n + end + 1
		}
		n += more
	}
	p.size = whole
	switch {
	case s.err == io.EOF, n-whole > s.max:
		p.size = n // with a last line that is not ended, or is too long
	case s.err == nil:
		s.rest = append(s.rest, p.buf[whole:n]...)
	}
	if n-whole > s.max {
		s.err = io.EOF // nobody reads on behind such a line
	}
	p.text = p.buf[:p.size]
	if p.size > 0 && p.text[p.size-1] == '\n' {
		p.text = p.buf[:p.size+lookahead]
	}
	return p.size > 0
}

func (s *streamInput) taken(int64) {}

func (s *streamInput) failed() error {
	if s.err == io.EOF {
		return nil
	}
	return s.err
}

func (s *streamInput) close() error { return s.stream.Close() }

// readSome reads at least one byte, or fails.
func readSome(in io.Reader, into []byte) (int, error) {
	for range 100 {
		if n, err := in.Read(into); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}
