package bench

import (
	"fmt"
	"image/color"
	"io"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"flowbench/data/table"
)

// Growth lists a DNN of every width with every batch, on so many threads.
func Growth(widths, batches []int, threads int) []StepCase {
	var cases []StepCase
	for _, width := range widths {
		for _, batch := range batches {
			cases = append(cases, StepCase{Network: Wide(width), Width: width, Batch: batch, Threads: threads})
		}
	}
	return cases
}

// WriteGrowth prints results of Growth as a table: a row a width, a column a
// batch, each cell samples a second and the share of the limit.
func WriteGrowth(w io.Writer, results []StepResult) error {
	columns := []table.Column{table.Right("width")}
	batches := distinct(results, func(r StepResult) int { return r.Batch })
	for _, b := range batches {
		columns = append(columns, table.Right("batch "+table.Count(b)), table.Right("of peak"))
	}
	t := table.New(columns...)
	for row := range slices.Chunk(results, len(batches)) {
		cells := []string{fmt.Sprint(row[0].Width)}
		for _, r := range row {
			cells = append(cells, table.Count(int(r.SamplesPerSecond)), r.share())
		}
		t.Row(cells...)
	}
	if err := t.Write(w, ""); err != nil {
		return err
	}
	return writePeaks(w, results)
}

// distinct lists the values of field in order of appearance.
func distinct(results []StepResult, field func(StepResult) int) []int {
	var values []int
	for _, r := range results {
		if v := field(r); !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}

// PlotFormats are the endings of files that PlotGrowth writes.
var PlotFormats = []string{".svg", ".png", ".pdf"}

// PlotGrowth draws results of Growth, samples a second over the batch with a
// line a width, both on logarithmic scales, into a file whose name ends in one
// of PlotFormats.
func PlotGrowth(path string, results []StepResult) error {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("DNN 78-w-w-w-1, one training step, %s, %s", plural(results[0].Threads, "thread"), results[0].Device)
	p.X.Label.Text, p.Y.Label.Text = "batch", "samples/s"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = batchTicks(results), countTicks{}
	p.Add(faintGrid())
	for i, width := range distinct(results, func(r StepResult) int { return r.Width }) {
		var points plotter.XYs
		for _, r := range results {
			if r.Width == width {
				points = append(points, plotter.XY{X: float64(r.Batch), Y: r.SamplesPerSecond})
			}
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("plot: %w", err)
		}
		line.Color, dots.Color = plotutil.Color(i), plotutil.Color(i)
		line.Width, dots.Shape = vg.Points(1.5), plotutil.Shape(i)
		p.Add(line, dots)
		name, err := plotter.NewLabels(plotter.XYLabels{XYs: points[len(points)-1:], Labels: []string{fmt.Sprintf("w = %d", width)}})
		if err != nil {
			return fmt.Errorf("plot: %w", err)
		}
		name.Offset = vg.Point{X: vg.Points(6), Y: vg.Points(-3)}
		p.Add(name)
	}
	p.X.Max *= 1.6 // room for the names of the lines, behind their ends
	if err := p.Save(18*vg.Centimeter, 11*vg.Centimeter, path); err != nil {
		return fmt.Errorf("plot: %s: %w", path, err)
	}
	return nil
}

func faintGrid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Horizontal.Color, g.Vertical.Color = color.Gray{220}, color.Gray{220}
	return g
}

// batchTicks puts a tick at every batch that was measured.
func batchTicks(results []StepResult) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, b := range distinct(results, func(r StepResult) int { return r.Batch }) {
		ticks = append(ticks, plot.Tick{Value: float64(b), Label: table.Count(b)})
	}
	return ticks
}

// countTicks are plot.LogTicks with their labels as numbers with commas, and
// the 2 and the 5 of each decade labelled as well.
type countTicks struct{}

func (countTicks) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for decade := 1.0; decade <= 10*high; decade *= 10 {
		for _, digit := range []float64{1, 2, 5} {
			if v := digit * decade; v >= low && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: table.Count(int(v))})
			}
		}
	}
	return ticks
}
