package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var nan = float32(math.NaN())

func describe(t *testing.T, f Flows, o Options) *Summary {
	t.Helper()
	s, err := Describe(context.Background(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// near allows for the roundings of some hundred additions.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12+1e-12*math.Abs(want)) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestAgreesWithPandas(t *testing.T) {
	text, err := os.ReadFile("testdata/pandas.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Names   []string
		Cells   [][]*float32
		Columns map[string]Column
		Pairs   []Correlation
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	f := Flows{Columns: golden.Names, LabelNames: []string{"BENIGN"}, Labels: make([]int32, len(golden.Cells))}
	for _, row := range golden.Cells {
		for _, cell := range row {
			if cell == nil {
				cell = &nan
			}
			f.Features = append(f.Features, *cell)
		}
	}
	s := describe(t, f, Options{Correlations: 100})
	kinds := []Kind{Port, Integer, Real, Integer, Boolean, Real}
	for i, got := range s.Columns {
		want := golden.Columns[got.Name]
		if got.Kind != kinds[i] || got.Missing != want.Missing || got.Distinct != want.Distinct || got.Zeros != want.Zeros || got.Negatives != want.Negatives {
			t.Errorf("%s: got %+v, want %s, %+v", got.Name, got, kinds[i], want)
		}
		g, w := got.Range, want.Range
		for name, pair := range map[string][2]float64{"min": {g.Min, w.Min}, "q1": {g.Q1, w.Q1}, "median": {g.Median, w.Median}, "q3": {g.Q3, w.Q3},
			"max": {g.Max, w.Max}, "mean": {g.Mean, w.Mean}, "std": {g.Std, w.Std}} {
			near(t, got.Name+": "+name, pair[0], pair[1])
		}
	}
	if len(s.Correlations) != len(golden.Pairs) {
		t.Fatalf("%d pairs, want %d", len(s.Correlations), len(golden.Pairs))
	}
	for _, got := range s.Correlations {
		i := slices.IndexFunc(golden.Pairs, func(c Correlation) bool { return c.A == got.A && c.B == got.B })
		near(t, got.A+" and "+got.B+": Pearson", got.Pearson, golden.Pairs[i].Pearson)
		near(t, got.A+" and "+got.B+": Spearman", got.Spearman, golden.Pairs[i].Spearman)
	}
	if !slices.IsSortedFunc(s.Correlations, func(a, b Correlation) int {
		return int(math.Copysign(1, math.Abs(b.Spearman)-math.Abs(a.Spearman)))
	}) {
		t.Error("pairs are not sorted by Spearman")
	}
}

// flows is a table with everything that Describe has to find.
func flows(n int) Flows {
	f := Flows{
		Source: "synth://infiltration?seed=7", Synthetic: true, Fingerprint: strings.Repeat("ab", 32),
		Columns: []string{"destination_port", "subflow_fwd_bytes", "total_length_of_fwd_packets", "bwd_urg_flags", "gone", "flow_bytes/s",
			"almost_the_same", "zeros", "constant_with_holes"},
		LabelNames: []string{"BENIGN", "Infiltration", "Heartbleed"},
		FileNames:  []string{"Thursday-WorkingHours-Afternoon-Infilteration.pcap_ISCX.csv", "empty.csv"},
	}
	for row := range n {
		label, port := int32(0), float32(80)
		if row%20 == 3 {
			label, port = 1, 444
		}
		bytes, rate, zero, hole := float32(row*7919%1000), float32(row)/3, float32(0), float32(5)
		if row%10 == 0 {
			rate, zero, hole = float32(math.Inf(1)), float32(math.Copysign(0, -1)), nan
		}
		almost := bytes
		if row == n/2 {
			almost++
		}
		f.Features = append(f.Features, port, bytes, bytes, 0, nan, rate, almost, zero, hole)
		f.Labels = append(f.Labels, label)
		f.Files = append(f.Files, 0)
	}
	return f
}

func TestConstantDuplicateAndMissingColumnsAreFound(t *testing.T) {
	s := describe(t, flows(1000), Options{})
	if diff := cmp.Diff([]string{"bwd_urg_flags", "gone", "zeros", "constant_with_holes"}, s.Constant); diff != "" {
		t.Errorf("constant: want (-), got (+):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"subflow_fwd_bytes", "total_length_of_fwd_packets"}}, s.Duplicates); diff != "" {
		t.Errorf("duplicates: want (-), got (+):\n%s", diff)
	}
	if c := s.Columns[4]; c.Kind != Empty || c.Range != nil || c.MissingShare != 1 {
		t.Errorf("gone: %+v", c)
	}
	if c := s.Columns[5]; c.Missing != 100 || c.MissingShare != 0.1 || c.Range.Max > 1e6 {
		t.Errorf("flow_bytes/s: %+v", c)
	}
	if c := s.Columns[8]; c.Kind != Constant || c.Missing != 100 || c.Distinct != 1 {
		t.Errorf("constant_with_holes: %+v", c)
	}
	for _, c := range s.Correlations {
		if c.B == "total_length_of_fwd_packets" || c.A == "zeros" || !(math.Abs(c.Pearson) <= 1+1e-12) || !(math.Abs(c.Spearman) <= 1+1e-12) {
			t.Errorf("a pair that should not be: %+v", c)
		}
	}
}

func TestHashesAloneDoNotMakeDuplicates(t *testing.T) {
	f := flows(100)
	s := &Summary{}
	columns := make([]column, len(f.Columns)) // all hashes are 0, and no kind is known
	for i, name := range f.Columns {
		columns[i].Name = name
	}
	s.findDuplicates(f, columns)
	want := [][]string{{"subflow_fwd_bytes", "total_length_of_fwd_packets"}, {"bwd_urg_flags", "zeros"}}
	if diff := cmp.Diff(want, s.Duplicates); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestLabelsAndFilesAreCounted(t *testing.T) {
	f := flows(100)
	f.Files[3] = 1
	s := describe(t, f, Options{})
	want := []Count{{"BENIGN", 95, 0.95}, {"Infiltration", 5, 0.05}, {"Heartbleed", 0, 0}}
	if diff := cmp.Diff(want, s.Labels); diff != "" {
		t.Errorf("labels: want (-), got (+):\n%s", diff)
	}
	files := []File{{f.FileNames[0], 99, []Count{{"BENIGN", 95, 95.0 / 99}, {"Infiltration", 4, 4.0 / 99}}}, {"empty.csv", 1, []Count{{"Infiltration", 1, 1}}}}
	if diff := cmp.Diff(files, s.Files); diff != "" {
		t.Errorf("files: want (-), got (+):\n%s", diff)
	}
}

func TestEachClassIsJudgedAgainstBenign(t *testing.T) {
	s := describe(t, flows(1000), Options{})
	if len(s.Classes) != 2 {
		t.Fatalf("%d classes", len(s.Classes))
	}
	best := s.Classes[0].Columns[0]
	if best.Column != "destination_port" || best.AUROC != 1 || best.AveragePrecision != 1 || best.Found1Percent != 50 {
		t.Errorf("best: %+v", best)
	}
	if b := s.Classes[0].BestValue; b.Column != "destination_port" || b.Rule.Value != 444 || b.Rule.F1 != 1 {
		t.Errorf("best value: %+v", b)
	}
	if len(s.Classes[0].Columns) != 9 {
		t.Errorf("%d columns", len(s.Classes[0].Columns))
	}
	if s.Classes[1].NotEvaluable == "" {
		t.Errorf("a class without rows: %+v", s.Classes[1])
	}
	f := flows(1000)
	f.Benign = 2
	for i, c := range describe(t, f, Options{}).Classes {
		if c.NotEvaluable == "" || c.Label != f.LabelNames[i] {
			t.Errorf("without benign rows: %+v", c)
		}
	}
}

func TestSmallValuesCanBeTheSuspiciousOnes(t *testing.T) {
	f := Flows{Columns: []string{"a"}, LabelNames: []string{"BENIGN", "Bot"}, Labels: []int32{0, 0, 0, 1}, Features: []float32{5, 6, 7, 1}}
	if got := describe(t, f, Options{}).Classes[0].Columns[0]; got.AUROC != 0 || got.AveragePrecision != 1 || got.Separation() != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestHolesOfAnyKindAreAlike(t *testing.T) {
	inf, odd := float32(math.Inf(-1)), math.Float32frombits(0xFFC00123)
	f := Flows{Columns: []string{"a", "b", "c"}, LabelNames: []string{"BENIGN"}, Labels: []int32{0, 0, 0}, Features: []float32{1, 1, 1, nan, inf, odd, 2, 2, 2}}
	if diff := cmp.Diff([][]string{{"a", "b", "c"}}, describe(t, f, Options{}).Duplicates); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestThreadsDoNotMatterAndInputStays(t *testing.T) {
	f := flows(3*gramBlock + 17)
	before := slices.Clone(f.Features)
	run := func(threads int) string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		text, err := json.Marshal(describe(t, f, Options{SpearmanRows: 1000}))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if one, four := run(1), run(4); one != four {
		t.Errorf("1 and 4 threads disagree:\n%s", cmp.Diff(one, four))
	}
	for i, x := range before {
		if math.Float32bits(x) != math.Float32bits(f.Features[i]) {
			t.Fatal("Describe wrote to its input")
		}
	}
}

func TestSpearmanSampleSpansTheRows(t *testing.T) {
	f := Flows{Columns: []string{"a", "b"}, LabelNames: []string{"BENIGN"}, Labels: make([]int32, 10000)}
	for row := range f.Labels { // up in the first tenth, then down below all of it
		b := float32(row)
		if row >= 1000 {
			b = -b
		}
		f.Features = append(f.Features, float32(row), b)
	}
	s := describe(t, f, Options{SpearmanRows: 100})
	if s.SpearmanRows != 100 || len(s.Correlations) != 1 {
		t.Fatalf("got %+v", s)
	}
	if got := s.Correlations[0].Spearman; !(got > -1 && got < -0.9) {
		t.Errorf("Spearman is %v: the sample does not span the rows", got)
	}
}

func TestDegenerateTables(t *testing.T) {
	for name, f := range map[string]Flows{
		"no rows":           {Columns: []string{"a"}, LabelNames: []string{"BENIGN"}},
		"one row":           {Columns: []string{"a", "b"}, LabelNames: []string{"BENIGN"}, Labels: []int32{0}, Features: []float32{1, nan}},
		"two equal columns": {Columns: []string{"a", "b"}, LabelNames: []string{"BENIGN", "Bot"}, Labels: []int32{0, 1}, Features: []float32{1, 1, 2, 2}},
		"largest floats":    {Columns: []string{"a", "b"}, LabelNames: []string{"BENIGN"}, Labels: []int32{0, 0}, Features: []float32{math.MaxFloat32, 1, -math.MaxFloat32, 2}},
	} {
		s := describe(t, f, Options{})
		if _, err := json.Marshal(s); err != nil { // NaN or Inf would be an error
			t.Errorf("%s: %v", name, err)
		}
		if err := s.WriteText(io.Discard); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCancelEndsIt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Describe(ctx, flows(100), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTextFitsATerminalOf100Columns(t *testing.T) {
	f := flows(2000)
	f.Columns[6] = strings.Repeat("a_long_name_", 5)
	f.Columns[5] = "total_length_of_bwd_packets" // the longest of the real ones
	for i := range f.Features {
		if i%len(f.Columns) == 5 && finite(f.Features[i]) {
			f.Features[i] = -1.23456e-30 * (1 + f.Features[i])
		}
	}
	f.LabelNames = append(f.LabelNames, "Web Attack - SQL Injection - Attempted")
	var out strings.Builder
	if err := describe(t, f, Options{}).WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if width := utf8.RuneCountInString(line) - 1; width > textWidth {
			t.Errorf("%d columns: %s", width, line)
		}
	}
	for _, want := range []string{"synthetic", "BENIGN", "destination_port", "subflow_fwd_bytes, total_length_of_fwd_packets", "not evaluable", "high destination_port", "    no rows"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the text", want)
		}
	}
	t.Log("\n" + out.String())
}

func TestShortNumbersAreShort(t *testing.T) {
	for x, want := range map[float64]string{0: "0", -1: "-1", 65535: "65535", 1e6: "1e+06", 119995180: "1.2e+08", 1.0 / 3: "0.333",
		-8.24e-28: "-8.2e-28", 6.0221e23: "6.02e+23", -math.MaxFloat32: "-3.4e+38"} {
		if got := short(x); got != want || len(got) > 8 {
			t.Errorf("%v: got %s, want %s", x, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	words := make([]string, 40)
	for i := range words {
		words[i] = fmt.Sprint("word_", i)
	}
	text := wrap(words, "  ")
	if joined := strings.Join(strings.Fields(text), " "); joined != strings.Join(words, ", ") {
		t.Errorf("words were lost: %s", joined)
	}
	for line := range strings.Lines(text) {
		if len(line) > textWidth+1 || !strings.HasPrefix(line, "  w") {
			t.Errorf("bad line %q", line)
		}
	}
}

func BenchmarkFullSize(b *testing.B) {
	const n, cols = 818520, 77
	random := rand.New(rand.NewPCG(1, 2))
	f := Flows{Columns: make([]string, cols), Features: make([]float32, n*cols), Labels: make([]int32, n), LabelNames: []string{"BENIGN", "Infiltration"}}
	for c := range f.Columns {
		f.Columns[c] = fmt.Sprint("column_", c)
	}
	for i := range f.Features {
		if random.IntN(2) == 0 {
			f.Features[i] = float32(math.Floor(math.Exp(20 * random.Float64())))
		}
	}
	for i := range 36 {
		f.Labels[i*20000] = 1
	}
	for b.Loop() {
		if _, err := Describe(context.Background(), f, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
