package spec

import (
	"fmt"
	"strings"
	"unicode"
)

// An Error is one thing wrong with a spec and the place where it was written.
type Error struct {
	File         string
	Line, Column int    // from 1; a column is a character
	Field        string // path of the key, such as model.hidden; empty where there is none
	Problem      string // what is wrong, and the remedy
	Snippet      string // the lines around the place, the place marked; may be empty
}

func (e *Error) Error() string {
	where := fmt.Sprintf("%s:%d:%d: ", e.File, e.Line, e.Column)
	if e.Field != "" {
		where += e.Field + ": "
	}
	if e.Snippet == "" {
		return where + e.Problem
	}
	return where + e.Problem + "\n" + e.Snippet
}

// source is one text that values were read from: a file, or one --set.
type source struct {
	name string
	text string
}

// place is where in a source something was written.
type place struct {
	source       *source
	line, column int // from 1
}

// errorf is the Error of field at p.
func (p place) errorf(field, format string, args ...any) *Error {
	return &Error{
		File: p.source.name, Line: p.line, Column: p.column, Field: field,
		Problem: fmt.Sprintf(format, args...), Snippet: p.snippet(),
	}
}

const (
	snippetLines = 2   // shown before the line in question
	snippetWidth = 100 // characters of a line that are shown; a terminal and its line numbers
)

// snippet shows the line of p with the lines before it and a mark under the column.
func (p place) snippet() string {
	lines := strings.Split(p.source.text, "\n")
	if p.line < 1 || p.line > len(lines) {
		return ""
	}
	digits := len(fmt.Sprint(p.line))
	var b strings.Builder
	for n := max(1, p.line-snippetLines); n < p.line; n++ {
		shown, _ := window(lines[n-1], 1)
		fmt.Fprintf(&b, "  %*d | %s\n", digits, n, shown)
	}
	shown, column := window(lines[p.line-1], p.column)
	fmt.Fprintf(&b, "> %*d | %s\n", digits, p.line, shown)
	fmt.Fprintf(&b, "  %*s | %s^", digits, "", strings.Repeat(" ", column-1))
	return b.String()
}

// window is the part of a line around column that is shown, and column within
// it. What a terminal would not show as one cell is replaced.
func window(line string, column int) (string, int) {
	runes := []rune(strings.TrimSuffix(line, "\r"))
	column = min(max(column, 1), len(runes)+1)
	if len(runes) > snippetWidth {
		from := min(max(0, column-1-snippetWidth/2), len(runes)-snippetWidth)
		runes, column = runes[from:from+snippetWidth], column-from
	}
	for i, r := range runes {
		if r == '\t' {
			runes[i] = ' '
		} else if !unicode.IsPrint(r) {
			runes[i] = '·'
		}
	}
	return string(runes), min(column, len(runes)+1)
}
