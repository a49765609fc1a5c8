package compare

import (
	"fmt"
	"io"
	"math"
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
	ranked := Rank(t.Configurations, t.Metric, t.Maximize)
	for _, line := range t.Title {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "ranked by the mean of %s; mean ± standard deviation over replicates\n\n", t.Metric)
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	differing := Differing(ranked)
	t.writeHead(out, differing)
	for _, c := range ranked {
		t.writeRow(out, c, differing)
	}
	t.writeChance(out, ranked, differing)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	return writeEnds(w, ranked)
}

func (t Table) writeHead(w io.Writer, differing []string) {
	cells := []string{"configuration"}
	for _, name := range differing {
		cells = append(cells, name[strings.LastIndex(name, ".")+1:])
	}
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

// writeChance is the row of a detector that knows nothing: its average
// precision is the prevalence, its recall the false-positive rate it is given.
func (t Table) writeChance(w io.Writer, ranked []Configuration, differing []string) {
	cells := []string{"chance"}
	for range differing {
		cells = append(cells, "")
	}
	chance := func(name string) string {
		for _, c := range ranked {
			if s := c.Summary(name); s.N > 0 {
				return fmt.Sprintf(form(s.Mean), s.Mean)
			}
		}
		return "-"
	}
	own := "-"
	if t.Metric == "validation.average_precision" {
		own = chance("validation.average_precision_chance")
	}
	cells = append(cells, "", own)
	for _, col := range t.columns() {
		cells = append(cells, map[string]string{
			"test.average_precision":   chance("test.average_precision_chance"),
			"test.auroc":               "0.500",
			"test.recall_at_fpr_0.01":  "0.010",
			"test.recall_at_fpr_0.001": "0.001",
			"test.mcc":                 "0.000",
		}[col.metric])
	}
	fmt.Fprintln(w, strings.Join(append(cells, ""), "\t"))
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
	return fmt.Sprintf("%.4g/%.4g [%.2f, %.2f]", mean(k), mean(n), i.Low, i.High)
}

// writeEnds says why every replicate that is not done ended as it did.
func writeEnds(w io.Writer, configurations []Configuration) error {
	for _, c := range configurations {
		for i, state := range c.States {
			if state == "done" {
				continue
			}
			if _, err := fmt.Fprintf(w, "%s, replicate %d: %s: %s\n", c.Name, i, state, c.Reasons[i]); err != nil {
				return fmt.Errorf("compare: %w", err)
			}
		}
	}
	return nil
}
