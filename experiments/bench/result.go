package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"flowbench/data/table"
)

// StepResult is a timed training step: the median of its rounds. Shares are of
// the limit that was measured in the same run, and 0 where it could not be.
type StepResult struct {
	Work             string  `json:"work"`
	Hidden           []int   `json:"hidden"`
	Width            int     `json:"width,omitempty"` // of every hidden layer, where they are alike
	Batch            int     `json:"batch"`
	Threads          int     `json:"threads"`             // of each process
	Processes        int     `json:"processes,omitempty"` // at once, their speeds added; one where it is missing
	Rows             int     `json:"rows"`
	Cols             int     `json:"cols"`
	Synthetic        bool    `json:"synthetic"` // the matrix was made up
	SamplesPerSecond float64 `json:"samples_per_second"`
	Slowest          float64 `json:"slowest"` // samples a second
	Fastest          float64 `json:"fastest"`
	GFlops           float64 `json:"gflops"`
	PeakGFlops       float64 `json:"peak_gflops,omitempty"` // of as many threads
	PeakShare        float64 `json:"peak_share,omitempty"`
	Repeats          int     `json:"repeats"`
	SIMD             string  `json:"simd"`
	Device           string  `json:"device"`
}

func newStepResult(s *Steps, c StepCase, rates []float64, peak float64) StepResult {
	r := StepResult{
		Work: c.Network.Work, Hidden: c.Network.Hidden, Width: c.Width,
		Batch: c.Batch, Threads: c.Threads, Processes: c.Processes,
		Rows: s.Matrix.Rows, Cols: Cols, Synthetic: s.Matrix.Made,
		SamplesPerSecond: median(rates), Slowest: slices.Min(rates), Fastest: slices.Max(rates),
		PeakGFlops: peak / 1e9, Repeats: len(rates),
		Device: s.Backend.Name(),
	}
	_, r.SIMD, _ = strings.Cut(r.Device, "/")
	r.GFlops = r.SamplesPerSecond * c.Network.flops() / 1e9
	if peak > 0 {
		r.PeakShare = r.GFlops / r.PeakGFlops
	}
	return r
}

// WriteJSON prints one object a line.
func WriteJSON[R any](w io.Writer, results []R) error {
	e := json.NewEncoder(w)
	for _, r := range results {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// WriteSteps prints the results as a table.
func WriteSteps(w io.Writer, results []StepResult) error {
	t := table.New(table.Left("work"), table.Right("batch"), table.Right("threads"), table.Right("samples/s"),
		table.Right("slowest"), table.Right("fastest"), table.Right("GFlop/s"), table.Right("of peak"))
	for _, r := range results {
		work := r.Work
		if r.Processes > 0 {
			work += ", " + plural(r.Processes, "process") + " at once"
		}
		t.Row(work, table.Count(r.Batch), fmt.Sprint(r.Threads), table.Count(int(r.SamplesPerSecond)),
			table.Count(int(r.Slowest)), table.Count(int(r.Fastest)), fmt.Sprintf("%.1f", r.GFlops), r.share())
	}
	if err := t.Write(w, ""); err != nil {
		return err
	}
	return writePeaks(w, results)
}

func (r StepResult) share() string {
	if r.PeakGFlops == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", 100*r.PeakShare)
}

// writePeaks says what the shares are of.
func writePeaks(w io.Writer, results []StepResult) error {
	var peaks []string
	for _, r := range results {
		cores := r.Threads * max(1, r.Processes)
		peak := fmt.Sprintf("%.1f GFlop/s with %s", r.PeakGFlops, plural(cores, "thread"))
		if !slices.Contains(peaks, peak) && r.PeakGFlops > 0 {
			peaks = append(peaks, peak)
		}
	}
	limit := "the limit of multiply-adds was not measured: this build has no assembly"
	if len(peaks) > 0 {
		limit = "limit of multiply-adds as measured: " + strings.Join(peaks, ", ")
	}
	_, err := fmt.Fprintf(w, "\nmedians of %s on %s; %s\n", plural(results[0].Repeats, "round"), results[0].Device, limit)
	return err
}
