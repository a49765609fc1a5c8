// Package table lays out small tables for a terminal: text to the left, numbers
// to the right, two blanks between columns, nothing that needs a colour.
package table

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Column is a column's title and the side its cells lean on.
type Column struct {
	title string
	right bool
}

// Left is a column of text.
func Left(title string) Column { return Column{title, false} }

// Right is a column of numbers.
func Right(title string) Column { return Column{title, true} }

// Table collects rows and writes them when their widths are known. The zero
// value is not usable: see New.
type Table struct {
	columns []Column
	rows    [][]string
}

// New starts a table with the given columns.
func New(columns ...Column) *Table { return &Table{columns: columns} }

// Row adds a row. It panics unless there is one cell a column.
func (t *Table) Row(cells ...string) {
	if len(cells) != len(t.columns) {
		panic("table: a row must have one cell a column")
	}
	t.rows = append(t.rows, cells)
}

// Write prints the title line and the rows, each line after indent. It returns
// the first error of w.
func (t *Table) Write(w io.Writer, indent string) error {
	titles := make([]string, len(t.columns))
	widths := make([]int, len(t.columns))
	for c, column := range t.columns {
		titles[c] = column.title
		widths[c] = utf8.RuneCountInString(column.title)
		for _, row := range t.rows {
			widths[c] = max(widths[c], utf8.RuneCountInString(row[c]))
		}
	}
	for _, row := range append([][]string{titles}, t.rows...) {
		line := strings.TrimRight(indent+t.line(row, widths), " ")
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) line(row []string, widths []int) string {
	cells := make([]string, len(row))
	for c, cell := range row {
		blanks := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell))
		if t.columns[c].right {
			cells[c] = blanks + cell
		} else {
			cells[c] = cell + blanks
		}
	}
	return strings.Join(cells, "  ")
}

// Count writes n with a comma every three digits: 818,520.
func Count[N int | int32 | int64](n N) string {
	digits := fmt.Sprint(n)
	sign := digits[:len(digits)-len(strings.TrimLeft(digits, "-"))]
	digits = digits[len(sign):]
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Percent writes a share in [0, 1] as a percentage of up to three significant
// digits. Only nothing is 0 and only all is 100: what lies close to them says so.
func Percent(share float64) string {
	switch p := 100 * share; {
	case p == 0 || p == 100:
		return fmt.Sprintf("%.0f %%", p)
	case p > 0 && p < 0.001:
		return "<0.001 %"
	case p > 99.99 && p < 100:
		return ">99.99 %"
	case p < 10:
		return fmt.Sprintf("%.3g %%", p)
	case p < 99:
		return fmt.Sprintf("%.1f %%", p)
	default:
		return fmt.Sprintf("%.2f %%", p)
	}
}

// Figure writes a figure in [0, 1] with three decimals, or one significant digit
// where those would all be 0.
func Figure(x float64) string {
	if x > 0 && x < 0.001 {
		return fmt.Sprintf("%.1g", x)
	}
	return fmt.Sprintf("%.3f", x)
}

// Fit shortens s to width runes, the last of them an ellipsis where it cuts.
func Fit(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width-1)]) + "…"
}
