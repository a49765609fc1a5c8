package compare

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"flowbench/experiments/compare/significance"
)

// Overview is the analysis in sentences: which configuration is in front, what it
// comes to, and how sure that is.
func (a *Analysis) Overview() []string {
	lines := slices.Clone(a.Notes)
	if len(a.Comparisons) == 0 {
		return lines
	}
	best := a.Intervals[a.Reference]
	how := "in front"
	if a.against {
		how = "what the others are compared with"
	}
	lines = append(lines, fmt.Sprintf("%s is %s: %s %.3f, mean over %s%s.", a.name, how, a.Metric, best.Mean, plural(best.N, "seed"), a.interval(best)))
	if a.baseline != "" {
		lines = append(lines, fmt.Sprintf("The best trivial baseline, %s, comes to %.3f.", strings.ReplaceAll(a.baseline, "_", " "), a.baselineMean))
	}
	return append(lines, a.Sure()...)
}

// Best is the name of the configuration that the others are compared with; empty
// where there is none.
func (a *Analysis) Best() string { return a.name }

// Name is what people call the configuration that is compared with the reference.
func (c *Comparison) Name() string { return c.name }

// interval is " (95 % interval 0.712 to 0.913)", within what the figure can be,
// and empty for one seed.
func (a *Analysis) interval(i significance.Interval) string {
	if i.N < 2 {
		return ""
	}
	low, high := i.Low, i.High
	if figure := a.Metric[strings.LastIndexByte(a.Metric, '.')+1:]; isShare(figure) {
		low, high = max(low, 0), min(high, 1)
	}
	return fmt.Sprintf(" (95 %% interval %.3f to %.3f)", low, high)
}

// isShare says whether a figure lies between 0 and 1.
func isShare(figure string) bool {
	for _, word := range []string{"average_precision", "auroc", "recall", "precision", "f1", "f2"} {
		if strings.Contains(figure, word) {
			return true
		}
	}
	return figure == "false_positive_rate"
}

// Sure says which of the others the best differs from beyond chance.
func (a *Analysis) Sure() []string {
	names := map[Verdict][]string{}
	for _, c := range a.Comparisons {
		names[c.Verdict] = append(names[c.Verdict], c.name)
	}
	var lines []string
	say := func(v Verdict, form string) {
		if len(names[v]) > 0 {
			lines = append(lines, fmt.Sprintf(form, listed(names[v])))
		}
	}
	say(Worse, "It is better than %s: beyond chance, over seeds and, where scores were kept, over test rows.")
	say(Better, "It is worse than %s, beyond chance.")
	say(NoDifference, "There is no significant difference from %s.")
	if alike := names[Undecidable]; len(alike) > 0 {
		line := fmt.Sprintf("There is no significant difference from %s, and there could be none", listed(alike))
		if seeds := a.most(); seeds < a.needed() {
			line += fmt.Sprintf(": %s cannot show one among %s. Set sweep.replicates to %d, or name beforehand what to compare with, by --against, which costs fewer",
				plural(seeds, "seed"), plural(a.Family, "comparison"), a.needed())
		}
		lines = append(lines, line+".")
	}
	return lines
}

// most is the largest number of seeds that a comparison has.
func (a *Analysis) most() int {
	n := 0
	for _, c := range a.Comparisons {
		n = max(n, c.Seeds.Difference.N)
	}
	return n
}

// needed is how many seeds could show a difference at all.
func (a *Analysis) needed() int {
	return significance.PairsFor((1 - Level) / float64(max(a.Family, 1)))
}

// listed is "a, b and 7 others": five names at most.
func listed(names []string) string {
	const most = 5
	switch n := len(names); {
	case n == 1:
		return names[0]
	case n <= most:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	default:
		return fmt.Sprintf("%s and %d others", strings.Join(names[:most-1], ", "), n-most+1)
	}
}

// shown is how many comparisons are printed; JSON holds all.
const shown = 20

// Write prints a table and what its analysis concludes: first in words, then the
// figures, then what they were tested by.
func Write(w io.Writer, t Table, a *Analysis) error {
	var b bytes.Buffer // whose writes never fail
	for _, line := range t.Title {
		fmt.Fprintln(&b, line)
	}
	b.WriteByte('\n')
	for _, line := range a.Overview() {
		fmt.Fprintln(&b, line)
	}
	b.WriteByte('\n')
	t.write(&b)
	a.writeComparisons(&b, t.Width)
	a.Importance.write(&b)
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	return nil
}

// writeComparisons prints the tests, a line a comparison.
func (a *Analysis) writeComparisons(b *bytes.Buffer, width int) {
	if len(a.Comparisons) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s against the others in %s: differences of means [95 %% interval], p corrected by Holm for %s\n\n", a.name, a.Metric, plural(a.Family, "comparison"))
	columns := []column{{"configuration"}, {"verdict"}, {"over seeds"}, {"p"}, {"Cliff's delta"}, {"over test rows"}, {"p"}}
	attacks, units := 0, ""
	for _, c := range a.Comparisons[:min(shown, len(a.Comparisons))] {
		d := c.Seeds.Difference
		seeds := signed(d.Mean)
		if d.N > 1 {
			seeds += fmt.Sprintf(" [%s, %s]", signed(d.Low), signed(d.High))
		}
		cells := []string{c.name, string(c.Verdict), seeds, small(c.Seeds.Corrected), fmt.Sprintf("%.2f", c.Seeds.CliffsDelta), "-", "-"}
		switch r := c.Rows; {
		case r == nil:
		case r.Reason != "":
			cells[5] = r.Reason
		default:
			cells[5], cells[6] = fmt.Sprintf("%s [%s, %s]", signed(r.Difference), signed(r.Low), signed(r.High)), small(r.Corrected)
			attacks, units = r.PositiveUnits, r.Units()
		}
		for i, cell := range cells {
			columns[i] = append(columns[i], cell)
		}
	}
	writeBlocks(b, columns, width)
	if units != "" {
		fmt.Fprintf(b, "\nThe bootstrap over test rows drew %s, %d of them with attacks.\n", units, attacks)
	}
	if more := len(a.Comparisons) - shown; more > 0 {
		fmt.Fprintf(b, "\nAnd %d more; --json has all.\n", more)
	}
}
