package scale

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"flowbench/data/parallel"
)

var nan = float32(math.NaN())

// golden is what scripts/scale/golden.py writes.
type golden struct {
	TrainRows int          `json:"train_rows"`
	Columns   []string     `json:"columns"`
	Features  [][]*float32 `json:"features"`
	Funcs     map[string]struct {
		Fill, Mean, Std []float64
		Scaled          [][]float64
	}
}

func TestAgreesWithScikitLearn(t *testing.T) {
	text, err := os.ReadFile("testdata/sklearn.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	cols := len(g.Columns)
	var x []float32
	for _, row := range g.Features {
		for _, cell := range row {
			if cell == nil {
				cell = &nan
			}
			x = append(x, *cell)
		}
	}
	for name, want := range g.Funcs {
		s, err := Fit(x, cols, upTo(cols), g.Columns, rowsUpTo(g.TrainRows), name)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, len(x))
		s.Transform(got, x, cols, upTo(cols), nil)
		for c, column := range g.Columns {
			// Half a unit in the last place of float32 is 6e-8; the sums before
			// the rounding are float64 on both sides.
			near(t, name+": fill of "+column, float64(s.Fill[c]), want.Fill[c], 0, 1e-7)
			near(t, name+": mean of "+column, float64(s.Mean[c]), want.Mean[c], 1e-12, 1e-7)
			if strings.HasPrefix(column, "constant") {
				if s.InvStd[c] != 0 {
					t.Errorf("%s: column %s is constant in training but has inv_std %v", name, column, s.InvStd[c])
				}
				continue
			}
			near(t, name+": inv_std of "+column, float64(s.InvStd[c]), 1/want.Std[c], 0, 1e-7)
			for row := range g.Features {
				// f and the mean are float32 here, so that their difference is off by up
				// to a unit in the last place of each, magnified by 1/std.
				atol := 1e-6 + 2.4e-7*(math.Abs(want.Mean[c])/want.Std[c]+math.Abs(want.Scaled[row][c]))
				near(t, fmt.Sprintf("%s: row %d of %s", name, row, column), float64(got[row*cols+c]), want.Scaled[row][c], atol, 0)
			}
		}
	}
}

func near(t *testing.T, what string, got, want, atol, rtol float64) {
	t.Helper()
	if allowed := atol + rtol*math.Abs(want); !(math.Abs(got-want) <= allowed) {
		t.Errorf("%s: got %v, want %v (%.3g of the tolerance)", what, got, want, math.Abs(got-want)/allowed)
	}
}

func upTo(n int) []int {
	v := make([]int, n)
	for i := range v {
		v[i] = i
	}
	return v
}

func rowsUpTo(n int) []int32 {
	v := make([]int32, n)
	for i := range v {
		v[i] = int32(i)
	}
	return v
}

// hard draws cells that have broken scalers before.
var hard = rapid.OneOf(
	rapid.SampledFrom([]float32{0, float32(math.Copysign(0, -1)), 1, -1, nan, float32(math.Inf(1)), float32(math.Inf(-1)),
		1e9, 1e-9, math.SmallestNonzeroFloat32, 3e38, -3e38, 119995180}),
	rapid.Float32Range(-1e6, 1e6),
)

// The loop that Transform equals, bit for bit.
func slowTransform(s *Scaler, x float32, i int) float32 {
	v := x
	if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
		v = s.Fill[i]
	}
	f := v
	if s.Func == SignedLog1p {
		sign := float64(0)
		if v != 0 {
			sign = math.Copysign(1, float64(v))
		}
		f = float32(sign * math.Log1p(math.Abs(float64(v))))
	}
	d := float32(f - s.Mean[i])
	return float32(d * s.InvStd[i])
}

func TestTransformIsItsFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, cols := rapid.IntRange(1, 600).Draw(t, "rows"), rapid.IntRange(1, 4).Draw(t, "cols")
		pool := rapid.SliceOfN(hard, 40, 40).Draw(t, "cells")
		x := make([]float32, n*cols)
		for i := range x {
			x[i] = pool[(i*7+i/3)%len(pool)]
		}
		columns := rapid.SliceOfN(rapid.IntRange(0, cols-1), 1, 5).Draw(t, "columns")
		rows := rapid.SliceOfN(rapid.Int32Range(0, int32(n-1)), 0, 2*n).Draw(t, "chosen")
		names := []string{"a", "b", "c", "d"}[:cols]
		s, err := Fit(x, cols, columns, names, rowsUpTo(n), SignedLog1p)
		if err != nil {
			t.Fatal(err)
		}
		before := slices.Clone(x)
		const sentinel = 12345.5
		for threads := 1; threads <= 3; threads += 2 {
			dst := slices.Repeat([]float32{sentinel}, len(rows)*len(columns)+8)
			transformWith(threads, s, dst[4:len(dst)-4], x, cols, columns, rows)
			for r, row := range rows {
				for i, c := range columns {
					got, want := dst[4+r*len(columns)+i], slowTransform(s, x[int(row)*cols+c], i)
					if math.Float32bits(got) != math.Float32bits(want) {
						t.Fatalf("%d threads: cell %v of column %d: got %v, want %v", threads, x[int(row)*cols+c], c, got, want)
					}
					if !finite(got) {
						t.Fatalf("cell %v of column %d became %v", x[int(row)*cols+c], c, got)
					}
				}
			}
			for _, guard := range append(dst[:4:4], dst[len(dst)-4:]...) {
				if guard != sentinel {
					t.Fatal("Transform wrote outside dst")
				}
			}
		}
		if !sameBits(x, before) {
			t.Fatal("Transform wrote to features")
		}
	})
}

func transformWith(threads int, s *Scaler, dst, x []float32, cols int, columns []int, rows []int32) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
	if rows == nil {
		rows = []int32{}
	}
	s.Transform(dst, x, cols, columns, rows)
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func TestFitDoesNotDependOnThreadsAndLeavesItsInput(t *testing.T) {
	const n, cols = 989, 67 // five strips, the last one narrow
	x := flows(n, cols)
	before := slices.Clone(x)
	names := make([]string, cols)
	for c := range names {
		names[c] = fmt.Sprint("column_", c)
	}
	fit := func(threads int) *Scaler {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		s, err := Fit(x, cols, upTo(cols), names, rowsUpTo(n/2), SignedLog1p)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one := fit(1)
	for _, threads := range []int{2, 5} {
		if diff := cmp.Diff(one, fit(threads)); diff != "" {
			t.Errorf("%d threads:\n%s", threads, diff)
		}
	}
	if !sameBits(x, before) {
		t.Error("Fit wrote to features")
	}
}

func TestOnlyTrainingRowsCount(t *testing.T) {
	x := flows(200, 3)
	fit := func() *Scaler {
		s, err := Fit(x, 3, upTo(3), []string{"a", "b", "c"}, []int32{5, 9, 100, 101, 199}, Identity)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	want := fit()
	for row := range 200 {
		if !slices.Contains([]int{5, 9, 100, 101, 199}, row) {
			x[row*3], x[row*3+1], x[row*3+2] = 1e30, nan, -1e30
		}
	}
	if diff := cmp.Diff(want, fit()); diff != "" {
		t.Errorf("rows outside training changed the scaler:\n%s", diff)
	}
}

func TestConstantAndEmptyColumnsBecomeZero(t *testing.T) {
	inf := float32(math.Inf(1))
	for name, cells := range map[string][]float32{
		"one row":              {5},
		"zeros":                {0, 0, 0},
		"0.1 and no rounding":  slices.Repeat([]float32{0.1}, 9999),
		"both zeros":           {0, float32(math.Copysign(0, -1))},
		"nothing but holes":    {nan, nan},
		"holes and infinities": {nan, inf, -inf},
		"one value and holes":  {nan, 4, 4},
		"spread below float32": {math.SmallestNonzeroFloat32, 0, 0},
	} {
		for _, fn := range []string{SignedLog1p, Identity} {
			s, err := Fit(cells, 1, []int{0}, []string{"x"}, rowsUpTo(len(cells)), fn)
			if err != nil {
				t.Fatal(err)
			}
			dst := slices.Repeat([]float32{9}, len(cells))
			s.Transform(dst, cells, 1, []int{0}, nil)
			for _, y := range dst {
				if y != 0 || fn == SignedLog1p && math.Signbit(float64(y)) {
					t.Errorf("%s, %s: became %v by %+v", name, fn, dst, s)
					break
				}
			}
		}
	}
}

func TestIdentitySurvivesValuesNearTheLimit(t *testing.T) {
	cells := []float32{3e38, 3.1e38, 3.2e38}
	s, err := Fit(cells, 1, []int{0}, []string{"x"}, rowsUpTo(3), Identity)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "mean", float64(s.Mean[0]), 3.1e38, 0, 1e-6)
	near(t, "inv_std", float64(s.InvStd[0]), 1/math.Sqrt(2.0/3*1e74), 0, 1e-5)
}

func TestMedianIsTheSortedOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cells := rapid.SliceOfN(hard, 0, 99).Draw(t, "cells")
		if rapid.Bool().Draw(t, "few values") {
			for i := range cells {
				cells[i] = cells[i%(1+i/9)]
			}
		}
		var kept []float32
		for _, x := range cells {
			if finite(x) {
				kept = append(kept, x)
			}
		}
		slices.Sort(kept)
		want := 0.0
		if n := len(kept); n > 0 {
			want = (float64(kept[(n-1)/2]) + float64(kept[n/2])) / 2
		}
		if got := finiteMedian(cells); got != want {
			t.Fatalf("median of %v: got %v, want %v", kept, got, want)
		}
	})
}

func TestScalerReadsBackFromJSONBitForBit(t *testing.T) {
	x := flows(400, 5)
	s, err := Fit(x, 5, []int{4, 0, 2}, []string{"a", "b", "flow_bytes/s", "d", "e"}, rowsUpTo(300), SignedLog1p)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	back := &Scaler{}
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatal(err)
	}
	if err := back.Validate(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, back); diff != "" {
		t.Error(diff)
	}
}

func TestLocateFindsColumnsInAnyOrder(t *testing.T) {
	s := &Scaler{Columns: []string{"c", "a"}}
	got, err := s.Locate([]string{"a", "b", "c"})
	if err != nil || !slices.Equal(got, []int{2, 0}) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := s.Locate([]string{"a", "b"}); err == nil || !strings.Contains(err.Error(), "column c,") {
		t.Errorf("a missing column gave %v", err)
	}
}

func TestBadScalersAreTold(t *testing.T) {
	good := func() *Scaler {
		return &Scaler{Columns: []string{"a"}, Func: Identity, Fill: []float32{0}, Mean: []float32{1}, InvStd: []float32{2}}
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Scaler){
		"func":     func(s *Scaler) { s.Func = "log" },
		"short":    func(s *Scaler) { s.Mean = nil },
		"NaN":      func(s *Scaler) { s.Fill[0] = nan },
		"infinite": func(s *Scaler) { s.Mean[0] = float32(math.Inf(1)) },
		"negative": func(s *Scaler) { s.InvStd[0] = -1 },
	} {
		s := good()
		if spoil(s); s.Validate() == nil {
			t.Errorf("%s went unnoticed", name)
		}
	}
}

func TestFitRefusesWhatItCannotFit(t *testing.T) {
	if _, err := Fit([]float32{1}, 1, []int{0}, []string{"x"}, nil, SignedLog1p); err == nil {
		t.Error("no training rows went unnoticed")
	}
	if _, err := Fit([]float32{1}, 1, []int{0}, []string{"x"}, rowsUpTo(1), "sqrt"); err == nil || !strings.Contains(err.Error(), "signed_log1p") {
		t.Errorf("unknown function gave %v", err)
	}
}

func TestClipBoundsBothSides(t *testing.T) {
	features := []float32{-100, -1, 0, 1, 100}
	s := &Scaler{Columns: []string{"a"}, Func: Identity, Fill: []float32{0}, Mean: []float32{0}, InvStd: []float32{2}, Clip: 5}
	got := make([]float32, len(features))
	s.Transform(got, features, 1, []int{0}, nil)
	if want := []float32{-5, -2, 0, 2, 5}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, bad := range []float32{-1, float32(math.NaN()), float32(math.Inf(1))} {
		s.Clip = bad
		if s.Validate() == nil {
			t.Errorf("clip %v is valid", bad)
		}
	}
}

// The short way to a logarithm changes no bit, nor what lies around its ends.
func TestFastLogarithmIsTheFunction(t *testing.T) {
	f := logs()
	var wrong atomic.Int64
	check := func(x float32) {
		for _, x := range []float32{x, -x} {
			got, want := f.at(x), signedLog1p(x)
			if math.Float32bits(got) != math.Float32bits(want) && wrong.Add(1) == 1 {
				t.Errorf("f(%v) = %v, want %v", x, got, want)
			}
		}
	}
	for i := range wholes + 10 {
		x := float32(i)
		check(x)
		check(math.Nextafter32(x, -1e9))
		check(math.Nextafter32(x, 1e9))
	}
	for _, x := range []float32{float32(math.Copysign(0, -1)), math.MaxFloat32, math.SmallestNonzeroFloat32, 1 << 31, 1 << 32, 4294967296 + 1024} {
		check(x)
	}
	// From 1/2 on, where the short way begins: every float32 takes a minute and is
	// looked at where EVERY_FLOAT is set, else every 257th.
	step := 257
	if os.Getenv("EVERY_FLOAT") != "" {
		step = 1
	}
	first := int(math.Float32bits(0.5))
	parallel.Blocks(int(math.Float32bits(math.MaxFloat32))-first, 1<<22, func(lo, hi int) {
		for bits := first + lo; bits < first+hi; bits += step {
			check(math.Float32frombits(uint32(bits)))
		}
	})
}
