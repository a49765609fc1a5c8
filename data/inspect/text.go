package inspect

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"flowbench/data/table"
)

const (
	textWidth = 100 // of the terminal that WriteText is made for
	nameWidth = 28  // of a column's name; the longest of CICIDS2017 has 27
	topSingle = 5   // columns listed for a class
	tinyClass = 1000
)

// WriteText prints the summary for a terminal of 100 columns. It returns the
// first error of w.
func (s *Summary) WriteText(w io.Writer) error {
	for _, section := range []func(io.Writer) error{
		s.writeTitle, s.writeLabels, s.writeFiles, s.writeColumns, s.writeLists, s.writeCorrelations, s.writeClasses,
	} {
		if err := section(w); err != nil {
			return err
		}
	}
	return nil
}

func (s *Summary) writeTitle(w io.Writer) error {
	text := fmt.Sprintf("%s rows × %d columns", table.Count(s.Rows), len(s.Columns))
	if s.Source != "" {
		text = s.Source + ": " + text
	}
	if s.Synthetic {
		text += "\nsynthetic: no row was seen on a network"
	}
	if s.Fingerprint != "" {
		text += "\nfingerprint " + s.Fingerprint
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

func (s *Summary) writeLabels(w io.Writer) error {
	t := table.New(table.Left("label"), table.Right("rows"), table.Right("share"))
	for _, c := range s.Labels {
		t.Row(c.Label, table.Count(c.Rows), table.Percent(c.Share))
	}
	return writeTable(w, "Labels", t)
}

func (s *Summary) writeFiles(w io.Writer) error {
	if len(s.Files) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w, "\nFiles"); err != nil {
		return err
	}
	for _, f := range s.Files {
		labels := []string{}
		for _, c := range f.Labels {
			labels = append(labels, fmt.Sprintf("%s %s", c.Label, table.Count(c.Rows)))
		}
		if len(labels) == 0 {
			labels = append(labels, "no rows")
		}
		if _, err := fmt.Fprintf(w, "  %s\n%s\n", table.Fit(f.Name, textWidth-2), wrap(labels, "    ")); err != nil {
			return err
		}
	}
	return nil
}

func (s *Summary) writeColumns(w io.Writer) error {
	t := table.New(table.Left("column"), table.Left("type"), table.Right("missing"), table.Right("min"), table.Right("25 %"),
		table.Right("median"), table.Right("75 %"), table.Right("max"))
	for _, c := range s.Columns {
		cells := []string{table.Fit(c.Name, nameWidth), string(c.Kind), table.Percent(c.MissingShare), "", "", "", "", ""}
		if r := c.Range; r != nil {
			for i, x := range [...]float64{r.Min, r.Q1, r.Median, r.Q3, r.Max} {
				cells[3+i] = short(x)
			}
		}
		t.Row(cells...)
	}
	return writeTable(w, "Columns", t)
}

func (s *Summary) writeLists(w io.Writer) error {
	constant := "  none"
	if len(s.Constant) > 0 {
		constant = wrap(s.Constant, "  ")
	}
	text := fmt.Sprintf("\nConstant columns\n%s\n\nColumns equal in every row\n", constant)
	for _, set := range s.Duplicates {
		text += wrap(set, "  ") + "\n"
	}
	if len(s.Duplicates) == 0 {
		text += "  none\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

func (s *Summary) writeCorrelations(w io.Writer) error {
	if len(s.Correlations) == 0 {
		return nil
	}
	t := table.New(table.Left("column"), table.Left("column"), table.Right("Spearman"), table.Right("Pearson"))
	for _, c := range s.Correlations {
		t.Row(table.Fit(c.A, nameWidth), table.Fit(c.B, nameWidth), fmt.Sprintf("%+.4f", c.Spearman), fmt.Sprintf("%+.4f", c.Pearson))
	}
	title := fmt.Sprintf("Strongest correlations (Spearman on %s rows, Pearson on all)", table.Count(s.SpearmanRows))
	return writeTable(w, title, t)
}

func (s *Summary) writeClasses(w io.Writer) error {
	for _, c := range s.Classes {
		title := fmt.Sprintf("Single columns for %s (%s rows)", c.Label, table.Count(c.Rows))
		if c.NotEvaluable != "" {
			if _, err := fmt.Fprintf(w, "\n%s\n  not evaluable: %s\n", title, c.NotEvaluable); err != nil {
				return err
			}
			continue
		}
		t := table.New(table.Left("column"), table.Right("AUROC"), table.Right("average precision"), table.Right("at 1 % FPR"), table.Right("at 0.1 %"))
		for _, one := range c.Columns[:min(topSingle, len(c.Columns))] {
			end := "high "
			if one.AUROC < 0.5 {
				end = "low "
			}
			t.Row(end+table.Fit(one.Column, nameWidth), fmt.Sprintf("%.3f", one.Separation()), table.Figure(one.AveragePrecision),
				c.found(one.Found1Percent), c.found(one.Found01Percent))
		}
		if err := writeTable(w, title, t); err != nil {
			return err
		}
		rule := c.BestValue.Rule
		if _, err := fmt.Fprintf(w, "  best value: %s finds %s, %s false alarms (F1 %s)\n",
			rule.Text(table.Fit(c.BestValue.Column, nameWidth)), c.found(rule.Found), table.Count(rule.Alarms), table.Figure(rule.F1)); err != nil {
			return err
		}
	}
	return nil
}

func (c Class) found(n int) string {
	if c.Rows < tinyClass {
		return fmt.Sprintf("%d/%d", n, c.Rows)
	}
	return table.Percent(float64(n) / float64(c.Rows))
}

func writeTable(w io.Writer, title string, t *table.Table) error {
	if _, err := fmt.Fprintf(w, "\n%s\n", title); err != nil {
		return err
	}
	return t.Write(w, "  ")
}

// short writes x in at most eight characters: whole numbers below 10^6 as they
// are, others with three significant digits, or two where that is too long.
func short(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e6 {
		return fmt.Sprintf("%.0f", x)
	}
	if text := fmt.Sprintf("%.3g", x); len(text) <= 8 {
		return text
	}
	return fmt.Sprintf("%.2g", x)
}

// wrap joins words with commas into lines of at most textWidth, each after indent.
func wrap(words []string, indent string) string {
	var out strings.Builder
	column := 0
	for i, word := range words {
		if i < len(words)-1 {
			word += ","
		}
		width := utf8.RuneCountInString(word)
		switch {
		case i == 0:
			out.WriteString(indent)
			column = utf8.RuneCountInString(indent)
		case column+1+width > textWidth:
			out.WriteString("\n" + indent)
			column = utf8.RuneCountInString(indent)
		default:
			out.WriteString(" ")
			column++
		}
		out.WriteString(word)
		column += width
	}
	return out.String()
}
