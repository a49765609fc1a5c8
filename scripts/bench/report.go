package main

import (
	"fmt"
	"slices"
	"strings"

	"flowbench/data/table"
	"flowbench/experiments/bench"
)

// comparison is one line of the table: the work, who is the ruler, and how many
// times faster flowbench aims to be; 0 is no aim.
type comparison struct {
	work, key, ruler string
	aim              float64
}

var comparisons = []comparison{
	{"DNN step, batch 256", "dnn/256", "PyTorch", 3},
	{"DNN step, batch 1,024", "dnn/1024", "PyTorch", 3},
	{"DNN step, batch 8,192", "dnn/8192", "PyTorch", 2.5},
	{"autoencoder step, batch 256", "autoencoder/256", "PyTorch", 0},
	{"autoencoder step, batch 1,024", "autoencoder/1024", "PyTorch", 3},
	{"autoencoder step, batch 8,192", "autoencoder/8192", "PyTorch", 0},
	{"two processes of one thread at once, DNN, batch 1,024", "dnn/1024/processes", "PyTorch", 3},
	{"DNN step, batch 1,024", "dnn/1024", "gorgonia", 18},
	{"CSV into a prepared set (the rulers: into memory)", csvKey, "data.table fread", 1.5},
	{"CSV into a prepared set (the rulers: into memory)", csvKey, "pandas", 6},
}

const csvKey = "csv"

// best is our figure of a key: of a step that of the better number of threads.
func (r *report) best(key string) (value float64, threads int) {
	if v, ok := r.figures.median(ours, key); ok {
		return v, 0
	}
	for name := range r.figures {
		var n int
		if _, err := fmt.Sscanf(strings.TrimPrefix(name, ours+" "+key+" "), "threads=%d", &n); err != nil {
			continue
		}
		if v, ok := r.figures.median(ours, fmt.Sprintf("%s threads=%d", key, n)); ok && v > value {
			value, threads = v, n
		}
	}
	return value, threads
}

// markdown is the text of BENCH.md.
func (r *report) markdown() (string, error) {
	var b strings.Builder
	b.WriteString("# Speed\n\nWritten by `make bench`, which measures flowbench and the rulers in turn on one machine; nobody types a figure here.\n")
	fmt.Fprintf(&b, "Rounds that every figure is the median of: %d.\n\n", r.settings.repeats)
	r.writeMachine(&b)
	if err := r.writeComparisons(&b); err != nil {
		return "", err
	}
	r.writeCSV(&b)
	r.writeGrowth(&b)
	b.WriteString("\n## A step, and what is left between it and the limit\n\n")
	for _, line := range r.profile.lines() {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	return b.String(), nil
}

func (r *report) writeMachine(b *strings.Builder) {
	m := r.machine
	fmt.Fprintf(b, "| | |\n| --- | --- |\n| processor | %s, %d cores, %s |\n", m.processor, m.cores, r.device())
	threads := 0
	for n := range r.peaks {
		threads = max(threads, n)
	}
	if r.peaks[threads] > 0 {
		fmt.Fprintf(b, "| limit of multiply-adds, measured | %.1f GFlop/s with 1 thread, %.1f with %d |\n", r.peaks[1], r.peaks[threads], threads)
	}
	fmt.Fprintf(b, "| memory | %s |\n| system | %s |\n| flowbench | commit %s, %s |\n", m.memory, m.system, m.commit, m.compiler)
	for _, one := range rulers(r.settings.python) {
		version := r.versions[one.name]
		if why := r.missing[one.name]; why != "" {
			version = "not measured: " + why
		}
		fmt.Fprintf(b, "| %s | %s |\n", one.name, version)
	}
	data := "made by the rulers' make_matrix.py"
	if r.settings.data == "" {
		data = "made up by flowbench, synthetic: without PEERS"
	}
	fmt.Fprintf(b, "| data | %s |\n", data)
	fmt.Fprintf(b, "| Python | %s |\n| date | %s |\n", m.python, m.date)
}

// device is the backend that ran the steps.
func (r *report) device() string {
	if len(r.growth) == 0 {
		return "unknown"
	}
	return r.growth[0].Device
}

func (r *report) writeComparisons(b *strings.Builder) error {
	b.WriteString("\n## Beside the rulers\n\nSteps are in samples/s, at the better number of threads of each side; a ratio above 1 is how many times faster flowbench is.\n\n")
	b.WriteString("| work | flowbench | ruler | its figure | ratio | aim |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, c := range comparisons {
		value, threads := r.best(c.key)
		if value == 0 {
			return fmt.Errorf("%s was not measured", c.work)
		}
		mine := show(c.key, value)
		if threads > 0 {
			mine += fmt.Sprintf(" (threads: %d)", threads)
		}
		theirs, ratio, aim := "not measured", "", ""
		if v, ok := r.figures.median(c.ruler, c.key); ok {
			theirs = show(c.key, v)
			quotient := value / v
			if c.key == csvKey {
				quotient = v / value
			}
			ratio = fmt.Sprintf("%.2f", quotient)
		}
		if c.aim > 0 {
			aim = fmt.Sprintf("%g", c.aim)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", c.work, mine, c.ruler, theirs, ratio, aim)
	}
	return nil
}

// show writes a time in seconds or a speed.
func show(key string, value float64) string {
	if key == csvKey {
		return fmt.Sprintf("%.3f s", value)
	}
	return table.Count(int(value))
}

func (r *report) writeCSV(b *strings.Builder) {
	m := bench.MedianCSV(r.csv)
	b.WriteString("\n## CSV into a prepared set\n\n| | measured | aim |\n| --- | --- | --- |\n")
	fmt.Fprintf(b, "| rows | %s of %d columns, %.1f MB of CSV | |\n", table.Count(m.Rows), m.Cols, float64(m.Bytes)/1e6)
	fmt.Fprintf(b, "| speed | %.0f MB/s | |\n| prepared set | %.1f MB | |\n", m.MegabytesPerSecond, float64(m.PreparedBytes)/1e6)
	if m.PeakMemory > 0 {
		fmt.Fprintf(b, "| peak memory, mapped files included | %.1f MB, %.2f of the prepared set | below 1.3 |\n", float64(m.PeakMemory)/1e6, float64(m.PeakMemory)/float64(m.PreparedBytes))
	}
	fmt.Fprintf(b, "| to open the prepared set | %.2f ms | below 50 ms |\n", 1000*m.OpenSeconds)
}

// writeGrowth shows speed over width and batch, and where it falls off.
func (r *report) writeGrowth(b *strings.Builder) {
	fmt.Fprintf(b, "\n## Growth\n\nDNN 78-w-w-w-1, samples/s and share of the measured limit, threads: %d.\n\n| w |", r.growth[0].Threads)
	widths := widthsOf(r.growth)
	for _, g := range widths[0] {
		fmt.Fprintf(b, " batch %s |", table.Count(g.Batch))
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", len(widths[0])+1) + "\n")
	for _, row := range widths {
		fmt.Fprintf(b, "| %d |", row[0].Width)
		for _, g := range row {
			fmt.Fprintf(b, " %s", table.Count(int(g.SamplesPerSecond)))
			if g.PeakGFlops > 0 {
				fmt.Fprintf(b, " (%.0f %%)", 100*g.PeakShare)
			}
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "\n![samples/s over the batch, a line a width](%s)\n\nWhere it falls off:\n\n", growthPlot)
	for _, row := range widths {
		fmt.Fprintf(b, "- %s\n", fallOff(row))
	}
}

// widthsOf splits results of the growth into one run of batches a width.
func widthsOf(all []bench.StepResult) [][]bench.StepResult {
	var rows [][]bench.StepResult
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(g bench.StepResult) bool { return g.Width != all[0].Width })
		if n < 0 {
			n = len(all)
		}
		rows, all = append(rows, all[:n]), all[n:]
	}
	return rows
}
