package compare

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"flowbench/train/metric"
)

// Table is a study's comparison as people read it.
type Table struct {
	Title    []string // lines above the table: what was compared, on what
	Metric   string   // what configurations are ranked by
	Maximize bool
	// Multiclass adds the figures that are macro means over classes.
	Multiclass     bool
	Configurations []Configuration
	// Named lists parameters that the configurations' names stand for, as those
	// of a variant do. They have no column.
	Named []string
	// Ordered keeps Configurations in the order they are in; else they are ranked.
	Ordered bool
}

// column is one figure of the table.
type column struct{ title, metric string }

func (t Table) columns() []column {
	columns := []column{{"test AP", "test.average_precision"}}
	if t.Multiclass {
		columns = append(columns, column{"macro AP", "test.macro_average_precision"}, column{"macro F1", "test.macro_f1"})
	}
	return append(columns,
		column{"AUROC", "test.auroc"},
		column{"recall@FPR 1%", "test.recall_at_fpr_0.01"},
		column{"@0.1%", "test.recall_at_fpr_0.001"},
		column{"MCC", "test.mcc"},
		column{"alerts/day", "test.alerts_per_day"},
	)
}

// Write writes the table. Equal configurations give equal bytes.
func (t Table) Write(w io.Writer) error {
	var b bytes.Buffer // whose writes never fail
	ranked := t.Configurations
	if !t.Ordered {
		ranked = Rank(ranked, t.Metric, t.Maximize)
	}
	for _, line := range t.Title {
		fmt.Fprintln(&b, line)
	}
	ranking := "ranked by the mean of " + t.Metric
	if t.Ordered {
		ranking = "in the order asked for"
	}
	fmt.Fprintf(&b, "%s; mean ± standard deviation over replicates\n\n", ranking)
	out := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	differing := slices.DeleteFunc(Differing(ranked), func(name string) bool { return slices.Contains(t.Named, name) })
	t.writeHead(out, differing)
	for _, c := range ranked {
		t.writeRow(out, c, differing)
	}
	t.writeChance(out, ranked, differing)
	out.Flush()
	writeEnds(&b, ranked)
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	return nil
}

func (t Table) writeHead(w io.Writer, differing []string) {
	cells := []string{"configuration"}
	cells = append(cells, shortest(differing)...)
	cells = append(cells, "done", strings.Replace(strings.Replace(t.Metric, "average_precision", "AP", 1), ".", " ", 1))
	for _, c := range t.columns() {
		cells = append(cells, c.title)
	}
	cells = append(cells, "found in test [95 %]")
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

func (t Table) writeRow(w io.Writer, c Configuration, differing []string) {
	name := c.Name
	if c.Baseline {
		name = "baseline: " + strings.ReplaceAll(c.Name, "_", " ")
	}
	cells := []string{name}
	for _, param := range differing {
		cell := ""
		if v, ok := c.Params[param]; ok {
			cell = format(v)
		}
		cells = append(cells, cell)
	}
	cells = append(cells, fmt.Sprintf("%d/%d", c.done(), len(c.States)), c.Summary(t.Metric).String())
	for _, col := range t.columns() {
		cells = append(cells, c.Summary(col.metric).String())
	}
	cells = append(cells, c.found())
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

// shortest cuts dotted paths to their last words, and to as many more as tell
// them apart.
func shortest(paths []string) []string {
	names := make([]string, len(paths))
	for i, path := range paths {
		words := strings.Split(path, ".")
		for n := 1; n <= len(words); n++ {
			names[i] = strings.Join(words[len(words)-n:], ".")
			if count(paths, names[i]) == 1 {
				break
			}
		}
	}
	return names
}

// count is how many of paths are name or end in it.
func count(paths []string, name string) int {
	n := 0
	for _, path := range paths {
		if path == name || strings.HasSuffix(path, "."+name) {
			n++
		}
	}
	return n
}

// writeChance is the row of a detector that knows nothing.
func (t Table) writeChance(w io.Writer, ranked []Configuration, differing []string) {
	cells := []string{"chance"}
	for range differing {
		cells = append(cells, "")
	}
	cells = append(cells, "", chance(ranked, t.Metric))
	for _, col := range t.columns() {
		cells = append(cells, chance(ranked, col.metric))
	}
	fmt.Fprintln(w, strings.Join(append(cells, ""), "\t"))
}

// chance is what a metric comes to without knowledge: average precision to the
// prevalence, recall to the false-positive rate it is given. It is empty where
// that depends on more than the rows.
func chance(configurations []Configuration, name string) string {
	_, figure, _ := strings.Cut(name, ".")
	limit, isRecall := strings.CutPrefix(figure, "recall_at_fpr_")
	switch {
	case figure == "average_precision":
		for _, c := range configurations {
			if s := c.Summary(name + "_chance"); s.N > 0 {
				return fmt.Sprintf(form(s.Mean), s.Mean)
			}
		}
		return "-"
	case isRecall:
		if v, err := strconv.ParseFloat(limit, 64); err == nil {
			return fmt.Sprintf(form(v), v)
		}
	case figure == "auroc":
		return "0.500"
	case figure == "mcc":
		return "0.000"
	}
	return ""
}

func (c Configuration) done() int {
	n := 0
	for _, s := range c.States {
		if s == "done" {
			n++
		}
	}
	return n
}

// found is "9.8/12 [0.52, 0.98]": the attacks found at the validation threshold
// in the test part, mean over replicates, with the exact interval of one
// replicate that finds that many (rounded). Replicates share rows, so that
// adding their counts would claim more than they know.
func (c Configuration) found() string {
	k, n, replicates := 0, 0, 0
	for _, p := range c.Found {
		if p != nil {
			k, n, replicates = k+p.K, n+p.N, replicates+1
		}
	}
	if n == 0 {
		return "-"
	}
	mean := func(sum int) float64 { return float64(sum) / float64(replicates) }
	one := metric.Proportion{K: int(math.Round(mean(k))), N: int(math.Round(mean(n)))}
	i := one.Interval(metric.Level)
	return fmt.Sprintf("%s/%s [%.2f, %.2f]", tenths(mean(k)), tenths(mean(n)), i.Low, i.High)
}

// tenths shows a mean of counts: to a tenth, and without one where it is whole.
func tenths(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

// writeEnds says why every replicate that ended otherwise than done did so, and
// how many have not ended.
func writeEnds(w io.Writer, configurations []Configuration) {
	waiting := 0
	for _, c := range configurations {
		for i, state := range c.States {
			switch state {
			case "done":
			case "diverged", "failed", "pruned":
				fmt.Fprintf(w, "%s, replicate %d: %s%s\n", c.Name, i, state, because(c.Reasons[i]))
			default:
				waiting++
			}
		}
	}
	if waiting > 0 {
		fmt.Fprintf(w, "trials that have not ended: %d; the figures are of the others\n", waiting)
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}
