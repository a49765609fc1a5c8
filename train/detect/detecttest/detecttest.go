// Package detecttest is the table of cases that every detect.Detector passes.
package detecttest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"flowbench/train/detect"
)

// Case is one detector to be tested.
type Case struct {
	// New makes an unfitted detector.
	New func() detect.Detector
	// OneClass says that Fit succeeds on rows of one class; otherwise it must
	// say in an error that both are needed.
	OneClass bool
	// Blind says that the scores of different rows may be equal.
	Blind bool
	// Unlabelled says that Fit does not read the truth, so that OneClass is true.
	Unlabelled bool
}

// Run runs the table as subtests.
func Run(t *testing.T, c Case) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Case)
	}{
		{"constructor", constructor},
		{"score before fit", scoreBeforeFit},
		{"bad data", badData},
		{"bad cells in fit", badCellsInFit},
		{"bad cells in score", badCellsInScore},
		{"bad sizes in score", badSizesInScore},
		{"one class", oneClass},
		{"cancelled", cancelled},
		{"deterministic", deterministic},
		{"threads", threads},
		{"fit again", fitAgain},
		{"failed fit forgets", failedFitForgets},
		{"inputs unchanged", inputsUnchanged},
		{"rows alone", rowsAlone},
		{"concurrent score", concurrentScore},
		{"awkward sizes", awkwardSizes},
		{"awkward values", awkwardValues},
		{"row order", rowOrder},
		{"no truth", noTruth},
		{"little to learn", littleToLearn},
		{"progress", progress},
		{"save before fit", saveBeforeFit},
		{"save and load", saveAndLoad},
		{"save is a copy", saveIsACopy},
		{"load refuses", loadRefuses},
		{"resumed", resumed},
		{"resume refuses", resumeRefuses},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, c) })
	}
}

// Flows makes scaled rows of which about a tenth are positives, shifted in some
// columns. The last column is constant. Names are "a", "b", ...
func Flows(rows, cols int, seed uint64) detect.Data {
	r := rand.New(rand.NewPCG(seed, 0))
	d := detect.Data{Rows: rows, Cols: cols, X: make([]float32, rows*cols), Positive: make([]bool, rows)}
	for j := range cols {
		d.Columns = append(d.Columns, string(rune('a'+j%26)))
	}
	for i := range rows {
		d.Positive[i] = i%10 == 3
		for j := range cols {
			v := r.NormFloat64()
			if d.Positive[i] && j%3 == 1 {
				v += 1.5
			}
			if j == cols-1 && cols > 1 {
				v = 0
			}
			d.X[i*cols+j] = float32(v)
		}
	}
	return d
}

func fit(t *testing.T, c Case, data detect.Data) detect.Detector {
	t.Helper()
	d := c.New()
	if err := d.Fit(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	return d
}

// scores scores data between sentinels, which must survive, into a destination
// full of NaN, of which none must.
func scores(t *testing.T, d detect.Detector, x []float32, rows int) []float64 {
	t.Helper()
	const sentinel = 12345.678
	buffer := make([]float64, rows+2)
	for i := range buffer {
		buffer[i] = math.NaN()
	}
	buffer[0], buffer[rows+1] = sentinel, sentinel
	if err := d.Score(x, buffer[1:rows+1:rows+1]); err != nil {
		t.Fatal(err)
	}
	if buffer[0] != sentinel || buffer[rows+1] != sentinel {
		t.Fatal("Score wrote outside of dst")
	}
	for i, s := range buffer[1 : rows+1] {
		if math.IsNaN(s) || math.IsInf(s, 0) {
			t.Fatalf("score of row %d is %v", i, s)
		}
	}
	return buffer[1 : rows+1]
}

func constructor(t *testing.T, c Case) {
	a := c.New()
	if a.Name() == "" || a.Name() != c.New().Name() {
		t.Errorf("names %q and %q: want one, not empty", a.Name(), c.New().Name())
	}
	if a == c.New() {
		t.Error("New gave the same detector twice")
	}
	// Enough for the struct itself, too little for anything that grows.
	if n := testing.AllocsPerRun(10, func() { c.New() }); n > 2 {
		t.Errorf("the constructor allocates %v times: work belongs in Fit", n)
	}
}

func scoreBeforeFit(t *testing.T, c Case) {
	for _, rows := range []int{0, 1} {
		if err := c.New().Score(make([]float32, rows*3), make([]float64, rows)); !errors.Is(err, detect.ErrNotFitted) {
			t.Errorf("Score of %d rows before Fit: error %v, want ErrNotFitted", rows, err)
		}
	}
}

func badData(t *testing.T, c Case) {
	for name, change := range map[string]func(*detect.Data){
		"empty":           func(d *detect.Data) { *d = detect.Data{} },
		"no rows":         func(d *detect.Data) { d.Rows, d.X, d.Positive = 0, nil, nil },
		"no columns":      func(d *detect.Data) { d.Cols, d.X, d.Columns = 0, nil, nil },
		"negative rows":   func(d *detect.Data) { d.Rows, d.Cols = -d.Rows, -d.Cols },
		"values missing":  func(d *detect.Data) { d.X = d.X[:len(d.X)-1] },
		"truth missing":   func(d *detect.Data) { d.Positive = d.Positive[1:] },
		"truth absent":    func(d *detect.Data) { d.Positive = nil },
		"names missing":   func(d *detect.Data) { d.Columns = d.Columns[1:] },
		"names too many":  func(d *detect.Data) { d.Columns = append(slices.Clone(d.Columns), "z") },
		"values too many": func(d *detect.Data) { d.X = append(slices.Clone(d.X), 0) },
	} {
		if name == "truth absent" && c.Unlabelled {
			continue
		}
		data := Flows(50, 4, 1)
		change(&data)
		d := c.New()
		if err := d.Fit(t.Context(), data); err == nil {
			t.Errorf("%s: no error", name)
		}
		if err := d.Score(nil, nil); !errors.Is(err, detect.ErrNotFitted) {
			t.Errorf("%s: Score after the failed Fit: error %v, want ErrNotFitted", name, err)
		}
	}
}

var badCells = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}

// wantCell checks that an error names row 37 and the column.
func wantCell(t *testing.T, err error, column string) {
	t.Helper()
	var cell *detect.NonFiniteError
	if !errors.As(err, &cell) {
		t.Fatalf("error %v, want a NonFiniteError", err)
	}
	if cell.Row != 37 || cell.Column != column {
		t.Errorf("error names row %d, column %s, want row 37, column %s", cell.Row, cell.Column, column)
	}
	for _, part := range []string{"row 37", "column " + column} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

func badCellsInFit(t *testing.T, c Case) {
	for _, bad := range badCells {
		data := Flows(50, 4, 1)
		data.X[37*4+2] = bad
		wantCell(t, c.New().Fit(t.Context(), data), "c")
		data.Columns = nil
		wantCell(t, c.New().Fit(t.Context(), data), "2")
	}
}

func badCellsInScore(t *testing.T, c Case) {
	data := Flows(50, 4, 1)
	d := fit(t, c, data)
	for _, bad := range badCells {
		x := slices.Clone(data.X)
		x[37*4+2] = bad
		wantCell(t, d.Score(x, make([]float64, 50)), "c")
	}
}

func badSizesInScore(t *testing.T, c Case) {
	d := fit(t, c, Flows(50, 4, 1))
	for _, size := range [][2]int{{3, 1}, {5, 1}, {8, 1}, {0, 1}, {4, 0}, {4, 2}} {
		if err := d.Score(make([]float32, size[0]), make([]float64, size[1])); err == nil {
			t.Errorf("%d values for %d rows of 4 columns: no error", size[0], size[1])
		}
	}
	if err := d.Score(nil, nil); err != nil {
		t.Errorf("no rows: %v", err)
	}
}

func oneClass(t *testing.T, c Case) {
	for _, truth := range []bool{false, true} {
		data := Flows(50, 4, 1)
		for i := range data.Positive {
			data.Positive[i] = truth
		}
		d := c.New()
		err := d.Fit(t.Context(), data)
		if c.OneClass {
			if err != nil {
				t.Errorf("all rows %v: %v", truth, err)
				continue
			}
			scores(t, d, data.X, data.Rows)
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "both classes are needed") {
			t.Errorf("all rows %v: error %v, want one that says that both classes are needed", truth, err)
		}
	}
}

func cancelled(t *testing.T, c Case) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := c.New()
	if err := d.Fit(ctx, Flows(50, 4, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Fit with a cancelled context: error %v", err)
	}
	if err := d.Score(nil, nil); !errors.Is(err, detect.ErrNotFitted) {
		t.Errorf("Score after the cancelled Fit: error %v, want ErrNotFitted", err)
	}
}

func wantEqual(t *testing.T, got, want []float64) {
	t.Helper()
	for i := range want {
		if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
			t.Fatalf("score of row %d is %v, want the bits of %v", i, got[i], want[i])
		}
	}
}

func deterministic(t *testing.T, c Case) {
	data := Flows(999, 7, 2)
	a, b := fit(t, c, data), fit(t, c, data)
	if a.Name() != b.Name() {
		t.Errorf("names %q and %q", a.Name(), b.Name())
	}
	wantEqual(t, scores(t, b, data.X, data.Rows), scores(t, a, data.X, data.Rows))
	wantSameFile(t, b, a)
}

func threads(t *testing.T, c Case) {
	data := Flows(9973, 9, 3)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	serial := fit(t, c, data)
	want := scores(t, serial, data.X, data.Rows)
	for _, n := range []int{2, 3, 8} {
		runtime.GOMAXPROCS(n)
		d := fit(t, c, data)
		wantEqual(t, scores(t, d, data.X, data.Rows), want)
		wantSameFile(t, d, serial)
	}
}

func fitAgain(t *testing.T, c Case) {
	data := Flows(500, 7, 5)
	d := fit(t, c, Flows(300, 4, 4))
	if err := d.Fit(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, scores(t, d, data.X, data.Rows), scores(t, fit(t, c, data), data.X, data.Rows))
}

func failedFitForgets(t *testing.T, c Case) {
	data := Flows(300, 4, 4)
	d := fit(t, c, data)
	if err := d.Fit(t.Context(), detect.Data{}); err == nil {
		t.Fatal("Fit of nothing: no error")
	}
	if err := d.Score(data.X, make([]float64, data.Rows)); !errors.Is(err, detect.ErrNotFitted) {
		t.Errorf("Score after the failed Fit: error %v, want ErrNotFitted", err)
	}
	if d.Name() != c.New().Name() {
		t.Errorf("name %q after the failed Fit, want %q", d.Name(), c.New().Name())
	}
}

func inputsUnchanged(t *testing.T, c Case) {
	data := Flows(500, 7, 6)
	x, positive, columns := slices.Clone(data.X), slices.Clone(data.Positive), slices.Clone(data.Columns)
	d := fit(t, c, data)
	want := scores(t, d, data.X, data.Rows)
	if !slices.Equal(x, data.X) || !slices.Equal(positive, data.Positive) || !slices.Equal(columns, data.Columns) {
		t.Fatal("an input was changed")
	}
	// Nor is any kept: what the caller does with them later changes nothing.
	clear(data.X)
	clear(data.Positive)
	clear(data.Columns)
	wantEqual(t, scores(t, d, x, data.Rows), want)
	x[37*7+2] = float32(math.NaN())
	wantCell(t, d.Score(x, make([]float64, data.Rows)), "c")
}

func rowsAlone(t *testing.T, c Case) {
	data := Flows(1000, 7, 7)
	d := fit(t, c, data)
	want := scores(t, d, data.X, data.Rows)
	for _, size := range []int{1, 19, 999} {
		for lo := 0; lo < data.Rows; lo += size {
			hi := min(lo+size, data.Rows)
			wantEqual(t, scores(t, d, data.X[lo*7:hi*7], hi-lo), want[lo:hi])
		}
	}
	if !c.Blind && slices.Min(want) == slices.Max(want) {
		t.Error("all scores are equal")
	}
}

func concurrentScore(t *testing.T, c Case) {
	data := Flows(2000, 7, 8)
	d := fit(t, c, data)
	want := scores(t, d, data.X, data.Rows)
	got := make([][]float64, 4)
	var all sync.WaitGroup
	for i := range got {
		got[i] = make([]float64, data.Rows)
		all.Go(func() {
			if err := d.Score(data.X, got[i]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, g := range got {
		wantEqual(t, g, want)
	}
}

// awkwardSizes has a positive among the first four rows of Flows at the least.
func awkwardSizes(t *testing.T, c Case) {
	for _, size := range [][2]int{{4, 1}, {4, 9}, {19, 1}, {63, 3}, {64, 3}, {65, 3}, {111, 16}, {989, 2}} {
		data := Flows(size[0], size[1], 9)
		scores(t, fit(t, c, data), data.X, data.Rows)
	}
}

func awkwardValues(t *testing.T, c Case) {
	for name, v := range map[string]float32{
		"large": 1e9, "small": 1e-9, "denormal": 1e-44, "negative zero": float32(math.Copysign(0, -1)),
	} {
		data := Flows(200, 5, 10)
		for i := range data.Rows {
			data.X[i*5] = float32(i%3-1) * v
			data.X[i*5+4] = v
		}
		t.Run(name, func(t *testing.T) { scores(t, fit(t, c, data), data.X, data.Rows) })
	}
}
