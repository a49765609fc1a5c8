package flowcsv

import (
	"bytes"
	"errors"
	"io"
)

const (
	// startBuffer is the first size of the line buffer: a header has 2 kB.
	startBuffer = 16 << 10
	// DefaultMaxLine is far above the 2 kB that the longest real line has.
	DefaultMaxLine = 1 << 20
)

var errLongLine = errors.New("line too long")

// lines cuts the start of a stream into lines. It holds one buffer, at most max
// bytes and one read ahead.
type lines struct {
	in         io.Reader
	buf        []byte
	start, end int // buf[start:end] is read and not yet handed out
	max        int
	number     int64 // of the line last returned, from 1
	consumed   int64 // bytes handed out
	failed     error // what the stream ended with
}

func newLines(in io.Reader, max int) *lines {
	return &lines{in: in, buf: make([]byte, startBuffer), max: max}
}

// next returns the next line without its line end, and whether there was one.
// The line is valid until the next call. io.EOF says that there are no more.
func (l *lines) next() (line []byte, ended bool, err error) {
	searched := l.start
	for {
		i := bytes.IndexByte(l.buf[searched:l.end], '\n')
		length := l.end - l.start
		if i >= 0 {
			length = searched + i - l.start
		}
		if length > l.max {
			l.number++
			return nil, false, errLongLine
		}
		if i >= 0 {
			return l.take(searched + i), true, nil
		}
		if l.failed != nil {
			break
		}
		searched = l.end - l.start // after fill, buf starts at the line
		l.fill()
	}
	if l.failed != io.EOF {
		l.number++
		return nil, false, l.failed
	}
	if l.start == l.end {
		return nil, false, io.EOF
	}
	line = l.take(l.end)
	return line, false, nil
}

// take hands out buf[start:end] and steps over the line end at end.
func (l *lines) take(end int) []byte {
	line := l.buf[l.start:end]
	next := min(end+1, l.end)
	l.consumed += int64(next - l.start)
	l.start = next
	l.number++
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

// peek returns the first n bytes, or fewer where there are no more.
func (l *lines) peek(n int) []byte {
	for l.end-l.start < n && l.failed == nil {
		l.fill()
	}
	return l.buf[l.start:min(l.start+n, l.end)]
}

// skip drops n bytes that peek has returned.
func (l *lines) skip(n int) {
	l.start += n
	l.consumed += int64(n)
}

// fill moves what is left to the front of the buffer and reads on.
func (l *lines) fill() {
	copy(l.buf, l.buf[l.start:l.end])
	l.start, l.end = 0, l.end-l.start
	if l.end == len(l.buf) {
		l.buf = append(l.buf, make([]byte, len(l.buf))...)
	}
	n, err := readSome(l.in, l.buf[l.end:])
	l.end += n
	l.failed = err
}
