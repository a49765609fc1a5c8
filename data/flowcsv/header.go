package flowcsv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"flowbench/data/schema"
)

// byteOrderMark starts UTF-8 text that some programs write.
const byteOrderMark = "\xef\xbb\xbf"

// readHeader reads up to the header line and resolves it. blank is the number
// of blank lines before it.
func readHeader(in *lines, place string, opt Options) (layout *schema.Layout, header [][]byte, blank int64, err error) {
	cells, blank, err := readNames(in, place, opt.MaxLine)
	if err != nil {
		return nil, nil, 0, err
	}
	layout, err = resolve(cells, place, in.number, opt)
	return layout, normalized(cells), blank, err
}

// readNames reads up to the header line and returns its cells, which are valid
// until the next line is read, and the number of blank lines before it.
func readNames(in *lines, place string, max int) (cells [][]byte, blank int64, err error) {
	head := in.peek(512)
	if len(head) == 0 {
		if in.failed != io.EOF {
			return nil, 0, readError(place, 1, in.failed)
		}
		return nil, 0, &Error{File: place, Problem: "the file is empty", Remedy: "fetch it again"}
	}
	if err := checkMagic(place, head); err != nil {
		return nil, 0, err
	}
	if bytes.HasPrefix(head, []byte(byteOrderMark)) {
		in.skip(len(byteOrderMark))
	}
	line, err := headerLine(in, place, max)
	if err != nil {
		return nil, 0, err
	}
	if err := checkHeaderLine(place, line); err != nil {
		return nil, 0, err
	}
	cells, ok := split(line)
	if !ok {
		return nil, 0, &Error{File: place, Line: in.number, Problem: "a quote in the header is not closed", Remedy: "correct the header"}
	}
	return cells, in.number - 1, nil
}

// headerLine is the first line that is not blank.
func headerLine(in *lines, place string, max int) ([]byte, error) {
	for {
		line, _, err := in.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, &Error{File: place, Problem: "the file holds blank lines only", Remedy: "fetch it again"}
		case err != nil:
			return nil, lineError(place, in.number, max, err)
		case !isBlankLine(line):
			return line, nil
		}
	}
}

func resolve(cells [][]byte, place string, line int64, opt Options) (*schema.Layout, error) {
	names := make([]string, len(cells))
	for i, cell := range cells {
		names[i] = string(cell)
	}
	var layout *schema.Layout
	var err error
	switch {
	case len(opt.Columns) > 0:
		layout, err = resolveGiven(names, opt.Columns, opt.IgnoreColumns)
	case len(opt.Need) > 0:
		layout, err = schema.ResolvePartial(names, opt.Need)
	default:
		layout, err = schema.Resolve(names, opt.IgnoreColumns)
	}
	if err != nil {
		return nil, &Error{File: place, Line: line, Problem: err.Error(), Err: err}
	}
	if opt.Extras && !layout.HasExtras() {
		return nil, &Error{File: place, Line: line,
			Problem: fmt.Sprintf("the %s form lacks the corrected form's extra columns", layout.Form),
			Remedy:  "turn the option for extra columns off, or leave the file out"}
	}
	return layout, nil
}

// normalized copies the names of a header for comparison with later lines.
func normalized(cells [][]byte) [][]byte {
	names := make([][]byte, len(cells))
	for i, cell := range cells {
		names[i] = []byte(schema.Normalize(string(cell)))
	}
	return names
}

// repeatsHeader reports whether a line holds the header's names once more, as
// where files were put one behind the other.
func repeatsHeader(line []byte, header [][]byte) bool {
	cells, ok := split(bytes.TrimPrefix(line, []byte(byteOrderMark)))
	return ok && slices.EqualFunc(normalized(cells), header, bytes.Equal)
}

// isBlankLine reports whether a line holds nothing but blanks and commas: some
// published files end in hundreds of thousands of rows without any cell.
func isBlankLine(line []byte) bool {
	for _, c := range line {
		if c != ',' && c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

func lineError(place string, line int64, max int, err error) error {
	if errors.Is(err, errLongLine) {
		return longLine(place, line, max)
	}
	return readError(place, line, err)
}

func longLine(place string, line int64, max int) *Error {
	return &Error{File: place, Line: line, Err: errLongLine,
		Problem: fmt.Sprintf("the line is longer than %d bytes", max),
		Remedy:  "this is no CSV of flow records, or its line ends are lost; fetch it again"}
}

func readError(place string, line int64, err error) error {
	return &Error{File: place, Line: line, Problem: "reading failed: " + err.Error(), Err: err}
}
