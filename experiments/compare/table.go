package compare

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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
	// Drawn is what each parameter is drawn from, such as log_uniform; those of a
	// list of values have nothing.
	Drawn map[string]string
	// Ordered keeps Configurations in the order they are in; else they are ranked.
	Ordered bool
	// Width is how many characters a line may have: a table that is wider is printed
	// in blocks below one another, parameters last. 0 is no limit.
	Width int
}

// figures are the table's, as title and metric, behind what it is ranked by.
func (t Table) figures() [][2]string {
	figures := [][2]string{{"test AP", "test.average_precision"}}
	if t.Multiclass {
		figures = append(figures, [2]string{"macro AP", "test.macro_average_precision"}, [2]string{"macro F1", "test.macro_f1"})
	}
	return append(figures, [][2]string{
		{"AUROC", "test.auroc"},
		{"recall@FPR 1%", "test.recall_at_fpr_0.01"},
		{"@0.1%", "test.recall_at_fpr_0.001"},
		{"MCC", "test.mcc"},
		{"alerts/day", "test.alerts_per_day"},
	}...)
}

// Write writes the table. Equal configurations give equal bytes.
func (t Table) Write(w io.Writer) error {
	var b bytes.Buffer // whose writes never fail
	for _, line := range t.Title {
		fmt.Fprintln(&b, line)
	}
	t.write(&b)
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	return nil
}

// write writes the table without its title.
func (t Table) write(b *bytes.Buffer) {
	ranked := t.Configurations
	if !t.Ordered {
		ranked = Rank(ranked, t.Metric, t.Maximize)
	}
	ranking := "ranked by the mean of " + t.Metric
	if t.Ordered {
		ranking = "in the order asked for"
	}
	fmt.Fprintf(b, "%s; mean ± standard deviation over replicates\n\n", ranking)
	params, figures := t.columns(ranked)
	switch {
	case t.Width == 0:
		writeBlocks(b, slices.Concat(figures[:1], params, figures[1:]), 0)
	case width(slices.Concat(figures, params)) <= t.Width:
		writeBlocks(b, slices.Concat(figures, params), t.Width)
	default:
		writeBlocks(b, figures, t.Width)
		if len(params) > 0 {
			b.WriteByte('\n')
			writeBlocks(b, slices.Concat(figures[:1], params), t.Width)
		}
	}
	writeEnds(b, ranked)
}

// column is one of the table: its title, then a cell a configuration, then chance.
type column []string

// columns are the table's: the parameters that differ, and the figures, before
// them the configurations' names.
func (t Table) columns(ranked []Configuration) (params, figures []column) {
	of := func(title, chance string, cell func(c Configuration) string) column {
		all := column{title}
		for _, c := range ranked {
			all = append(all, cell(c))
		}
		return append(all, chance)
	}
	figure := func(title, name string) column {
		return of(title, chance(ranked, name), func(c Configuration) string { return c.Summary(name).String() })
	}
	names := of("configuration", "chance", func(c Configuration) string {
		if c.Baseline {
			return "baseline: " + strings.ReplaceAll(c.Name, "_", " ")
		}
		return c.Name
	})
	differing := slices.DeleteFunc(Differing(ranked), func(name string) bool { return slices.Contains(t.Named, name) })
	for i, title := range shortest(differing) {
		params = append(params, of(title, "", func(c Configuration) string {
			if v, ok := c.Params[differing[i]]; ok {
				return format(v)
			}
			return ""
		}))
	}
	figures = append(figures, names, of("done", "", func(c Configuration) string { return fmt.Sprintf("%d/%d", c.done(), len(c.States)) }),
		figure(strings.Replace(strings.Replace(t.Metric, "average_precision", "AP", 1), ".", " ", 1), t.Metric))
	for _, f := range t.figures() {
		figures = append(figures, figure(f[0], f[1]))
	}
	return params, append(figures, of("found in test [95 %]", "", Configuration.found))
}

// gap is how many blanks are between columns.
const gap = 2

func (c column) width() int {
	w := 0
	for _, cell := range c {
		w = max(w, utf8.RuneCountInString(cell))
	}
	return w + gap
}

// width is that of columns beside one another.
func width(columns []column) int {
	w := -gap
	for _, c := range columns {
		w += c.width()
	}
	return w
}

// writeBlocks writes columns in as many blocks of lines as it takes to stay within
// most characters a line, each with the first column; 0 is no limit.
func writeBlocks(b *bytes.Buffer, columns []column, most int) {
	for from := 1; from < len(columns); {
		block := []column{columns[0]}
		if from > 1 {
			b.WriteByte('\n')
		}
		for ; from < len(columns); from++ {
			if most > 0 && len(block) > 1 && width(block)+columns[from].width() > most {
				break
			}
			block = append(block, columns[from])
		}
		widths := make([]int, len(block))
		for k, c := range block {
			widths[k] = c.width()
		}
		for i := range block[0] {
			line := ""
			for k, c := range block {
				line += c[i] + strings.Repeat(" ", widths[k]-utf8.RuneCountInString(c[i]))
			}
			fmt.Fprintln(b, strings.TrimRight(line, " "))
		}
	}
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
