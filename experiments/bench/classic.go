package bench

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"flowbench/data/table"
)

// ClassicCase is one fit of a classical detector, as classic_sklearn.py times it.
type ClassicCase struct {
	Work string // "pca", "kmeans", "gmm" or "dbscan"
	Name string // as the ruler prints it
	Rows int    // the first of the matrix; 0 for all of them
	// Components (pca; 0 for all), clusters (kmeans) or mixtures (gmm).
	K          int
	Iterations int     // kmeans and gmm: exactly so many at most
	Radius     float64 // dbscan: eps
	MinPoints  int     // dbscan
}

// ClassicCases are the ruler's, in its order.
func ClassicCases() []ClassicCase {
	cases := []ClassicCase{
		{Work: "pca", Name: "pca full"},
		{Work: "pca", Name: "pca 10 randomized", K: 10},
		{Work: "kmeans", Name: "kmeans k=8 100 iterations", K: 8, Iterations: 100},
		{Work: "kmeans", Name: "kmeans k=64 20 iterations", K: 64, Iterations: 20},
		{Work: "gmm", Name: "gmm k=4 full 200k 20 iterations", Rows: 200_000, K: 4, Iterations: 20},
	}
	for _, n := range []int{10_000, 20_000, 40_000} {
		cases = append(cases, ClassicCase{Work: "dbscan", Name: fmt.Sprintf("dbscan eps=3 minPts=10 n=%d", n), Rows: n, Radius: 3, MinPoints: 10})
	}
	return cases
}

// Fit fits a case on x, rows × Cols, which it must not write to.
type Fit func(ctx context.Context, c ClassicCase, x []float32, rows int) error

// Fits are the detectors that there are, by ClassicCase.Work.
type Fits map[string]Fit

// Missing lists the works of ClassicCases that have no detector.
func (f Fits) Missing() []string {
	var missing []string
	for _, c := range ClassicCases() {
		if f[c.Work] == nil && !slices.Contains(missing, c.Work) {
			missing = append(missing, c.Work)
		}
	}
	return missing
}

// Classic times the fits of classical detectors.
type Classic struct {
	Fits     Fits // cases of works that it lacks are left out
	Matrix   *Matrix
	Rounds   int
	SIMD     string
	Progress Progress
}

// ClassicResult is a timed fit: the median of its rounds.
type ClassicResult struct {
	Work       string  `json:"work"`
	Name       string  `json:"name"`
	Rows       int     `json:"rows"`
	Cols       int     `json:"cols"`
	K          int     `json:"k,omitempty"`
	Iterations int     `json:"iterations,omitempty"`
	Radius     float64 `json:"eps,omitempty"`
	MinPoints  int     `json:"min_points,omitempty"`
	Threads    int     `json:"threads"`
	Synthetic  bool    `json:"synthetic"`
	Seconds    float64 `json:"seconds"`
	Slowest    float64 `json:"slowest"`
	Fastest    float64 `json:"fastest"`
	Repeats    int     `json:"repeats"`
	SIMD       string  `json:"simd"`
	Device     string  `json:"device"`
}

// Run fits every case that there is a detector for in every round.
func (b *Classic) Run(ctx context.Context) ([]ClassicResult, error) {
	cases := slices.DeleteFunc(ClassicCases(), func(c ClassicCase) bool { return b.Fits[c.Work] == nil })
	seconds := make([][]float64, len(cases))
	for round := range b.Rounds {
		for i, c := range cases {
			b.Progress.report(round*len(cases)+i, b.Rounds*len(cases), c.Name)
			runtime.GC() // so that it does not run while the clock does
			start := time.Now()
			if err := b.Fits[c.Work](ctx, c, b.Matrix.X[:b.rows(c)*Cols], b.rows(c)); err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}
			seconds[i] = append(seconds[i], time.Since(start).Seconds())
		}
	}
	results := make([]ClassicResult, len(cases))
	for i, c := range cases {
		results[i] = ClassicResult{
			Work: c.Work, Name: c.Name, Rows: b.rows(c), Cols: Cols, K: c.K, Iterations: c.Iterations, Radius: c.Radius, MinPoints: c.MinPoints,
			Threads: runtime.GOMAXPROCS(0), Synthetic: b.Matrix.Made,
			Seconds: median(seconds[i]), Slowest: slices.Max(seconds[i]), Fastest: slices.Min(seconds[i]), Repeats: b.Rounds,
			SIMD: b.SIMD, Device: "cpu/" + b.SIMD,
		}
	}
	return results, nil
}

func (b *Classic) rows(c ClassicCase) int {
	if c.Rows == 0 {
		return b.Matrix.Rows
	}
	return min(c.Rows, b.Matrix.Rows)
}

// WriteClassic prints the results as a table.
func WriteClassic(w io.Writer, results []ClassicResult) error {
	t := table.New(table.Left("work"), table.Right("rows"), table.Right("seconds"), table.Right("slowest"), table.Right("fastest"))
	for _, r := range results {
		t.Row(r.Name, table.Count(r.Rows), fmt.Sprintf("%.3f", r.Seconds), fmt.Sprintf("%.3f", r.Slowest), fmt.Sprintf("%.3f", r.Fastest))
	}
	return t.Write(w, "")
}
