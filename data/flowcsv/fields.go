package flowcsv

import "bytes"

// field cuts the field that starts at line[at:], with quotes as in RFC 4180; a
// quoted field ends in its line. It returns the field without its quotes and
// where the next one starts: len(line)+1 after the last. ok is false where a
// quote is not closed or text follows it. The field points into the line, or to
// a copy where it holds doubled quotes.
func field(line []byte, at int) (cell []byte, next int, ok bool) {
	rest := line[at:]
	if len(rest) == 0 || rest[0] != '"' {
		n := untilComma(rest)
		return rest[:n], at + n + 1, true
	}
	end := closingQuote(rest)
	if end < 0 {
		return rest, len(line) + 1, false
	}
	cell = rest[1:end]
	if bytes.IndexByte(cell, '"') >= 0 {
		cell = bytes.ReplaceAll(cell, []byte(`""`), []byte(`"`))
	}
	n := untilComma(rest[end+1:])
	return cell, at + end + 1 + n + 1, n == 0
}

// untilComma is the number of bytes before the first comma, or all.
func untilComma(rest []byte) int {
	if n := bytes.IndexByte(rest, ','); n >= 0 {
		return n
	}
	return len(rest)
}

// closingQuote is where the quote that opens at rest[0] is closed, or -1.
func closingQuote(rest []byte) int {
	for end := 1; ; end += 2 { // over a doubled quote
		n := bytes.IndexByte(rest[end:], '"')
		if n < 0 {
			return -1
		}
		end += n
		if end+1 == len(rest) || rest[end+1] != '"' {
			return end
		}
	}
}

// split returns all fields of a line; ok is false if a quote is stray or unclosed.
func split(line []byte) (cells [][]byte, ok bool) {
	ok = true
	for at := 0; at <= len(line); {
		cell, next, fine := field(line, at)
		cells = append(cells, cell)
		ok = ok && fine
		at = next
	}
	return cells, ok
}

// indexNUL is the place of the first NUL byte, or -1.
func indexNUL(line []byte) int { return bytes.IndexByte(line, 0) }
