package flowcsv

import (
	"fmt"
	"strings"
)

// Error is something wrong with an input, with its place and the remedy.
type Error struct {
	File   string
	Line   int64  // from 1; 0 where the whole file is meant
	Field  int    // from 1; 0 where the whole line is meant
	Column string // canonical name of the column, where a field is meant
	// Reason is why a row is bad, one of a few fixed phrases that the ledger
	// counts by; "" where the file as a whole cannot be read.
	Reason  string
	Problem string // what is wrong, in words
	Remedy  string // what to do about it; may be ""
	Err     error  // the cause, where there is one
}

// The reasons for which a row is bad.
const (
	ReasonNumber    = "not a number"
	ReasonRange     = "number out of range"
	ReasonFields    = "wrong number of fields"
	ReasonTruncated = "truncated last line"
	ReasonLabel     = "unlisted label"
	ReasonRepeat    = "the two Fwd Header Length differ"
	ReasonNUL       = "NUL byte"
	ReasonQuote     = "stray or unclosed quote"
)

// Error formats as file:line: field N (column): problem; remedy.
func (e *Error) Error() string {
	var s strings.Builder
	s.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&s, ":%d", e.Line)
	}
	s.WriteString(": ")
	if e.Field > 0 {
		fmt.Fprintf(&s, "field %d", e.Field)
		if e.Column != "" {
			fmt.Fprintf(&s, " (%s)", e.Column)
		}
		s.WriteString(": ")
	}
	s.WriteString(e.Problem)
	if e.Remedy != "" {
		s.WriteString("; " + e.Remedy)
	}
	return s.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// quote shows a cell in a message: quoted, cut at 40 bytes.
func quote(cell []byte) string {
	if len(cell) > 40 {
		return fmt.Sprintf("%q...", cell[:40])
	}
	return fmt.Sprintf("%q", cell)
}
