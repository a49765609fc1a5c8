package report

import (
	"encoding/json"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"flowbench/data/split"

	"github.com/google/go-cmp/cmp"
)

// flows is n rows with one attack in a hundred, unless told otherwise: a port
// that gives it away, one honest column, holes, a constant, and noise.
func flows(n int) Input {
	random := rand.New(rand.NewPCG(3, 4))
	in := Input{
		Task:     "Infiltration against BENIGN",
		Columns:  []string{"destination_port", "flow_duration", "flow_bytes/s", "bwd_urg_flags", "noise_1", "noise_2", "noise_3", "noise_4", "noise_5"},
		Positive: []int32{1}, Used: []int{1, 2, 3, 4, 5, 6, 7, 8},
	}
	for row := range n {
		attack := row%100 == 7
		in.Labels = append(in.Labels, 0)
		port, duration := []float32{53, 80, 443}[random.IntN(3)], random.NormFloat64()
		if attack {
			in.Labels[row] = 1
			port, duration = 444, random.NormFloat64()+2
		}
		rate := float32(random.ExpFloat64())
		if random.IntN(10) == 0 {
			rate = float32(math.NaN())
		}
		in.Features = append(in.Features, port, float32(duration), rate, 0)
		for range 5 {
			in.Features = append(in.Features, random.Float32())
		}
	}
	return in
}

func TestThePortIsNamed(t *testing.T) {
	f := SingleFeatures(flows(5000))
	want := []Named{{Column: "destination_port", By: "rule", Text: "destination_port == 444 finds 50 of 50, 0 false alarms"}}
	if diff := cmp.Diff(want, f.Named); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	for i, c := range f.Columns {
		if c.Used != (i > 0) {
			t.Errorf("column %d, %s: used is %v", i, c.Name, c.Used)
		}
	}
	if f.Positives != 50 || f.Negatives != 4950 || f.Prevalence != 0.01 {
		t.Errorf("got %d positives, %d negatives, prevalence %v", f.Positives, f.Negatives, f.Prevalence)
	}
	if d := f.Columns[1]; !(d.AUROC > 0.85 && d.AUROC < 0.98) || !d.Used || d.Missing != 0 {
		t.Errorf("flow_duration: %+v", d)
	}
	if r := f.Columns[2]; !(r.Missing > 0.08 && r.Missing < 0.12) {
		t.Errorf("flow_bytes/s: %+v", r)
	}
	if c := f.Columns[3]; c.AUROC != 0.5 || c.Higher.AveragePrecision != 0.01 || c.Lower.AveragePrecision != 0.01 {
		t.Errorf("a constant column is not chance: %+v", c)
	}
}

func TestAColumnThatOrdersTheClassesIsNamed(t *testing.T) {
	for name, spoil := range map[string]func(x float32) float32{
		"high": func(x float32) float32 { return x + 10 },
		"low":  func(x float32) float32 { return x - 10 },
	} {
		in := flows(5000)
		in.Used = nil
		for row, label := range in.Labels {
			if label == 1 {
				in.Features[row*len(in.Columns)+4] = spoil(in.Features[row*len(in.Columns)+4])
			}
		}
		f := SingleFeatures(in)
		i := slices.IndexFunc(f.Named, func(n Named) bool { return n.Column == "noise_1" })
		if i < 0 || f.Named[i].By != "order" || !f.Named[i].Used || !strings.HasPrefix(f.Named[i].Text, name+" noise_1: average precision 1.000, AUROC 1.000, 50 of 50") {
			t.Errorf("%s: got %+v", name, f.Named)
		}
	}
}

func TestMissingCellsCanGiveTheClassAway(t *testing.T) {
	in := flows(5000)
	for row, label := range in.Labels {
		cell := &in.Features[row*len(in.Columns)+5]
		if *cell = 1; label == 1 {
			*cell = float32(math.Inf(1)) // not finite is missing
		}
	}
	f := SingleFeatures(in)
	if len(f.Named) != 2 || f.Named[1].Text != "noise_2 is missing finds 50 of 50, 0 false alarms" {
		t.Errorf("got %+v", f.Named)
	}
}

// With half of the rows positive, chance has an average precision of 0.5.
func TestCommonClassesAreHeldAgainstTheirChance(t *testing.T) {
	in := flows(2000)
	in.Columns = in.Columns[:1]
	in.Used = nil
	in.Features = nil
	random := rand.New(rand.NewPCG(5, 6))
	for row := range in.Labels {
		in.Labels[row] = int32(row % 2)
		in.Features = append(in.Features, random.Float32())
	}
	if f := SingleFeatures(in); len(f.Named) != 0 {
		t.Errorf("noise was named: %+v", f.Named)
	}
}

func TestWithTooFewPositivesNothingIsNamed(t *testing.T) {
	in := flows(250) // two attacks
	in.Rows = nil
	for row := range in.Labels[:230] {
		in.Rows = append(in.Rows, int32(row))
	}
	in.Rows = slices.DeleteFunc(in.Rows, func(row int32) bool { return row == 107 })
	f := SingleFeatures(in)
	if f.Positives != 2 || len(f.Named) != 0 || f.Columns[0].Rule.F1 != 1 {
		t.Errorf("%d positives, named %+v, rule %+v", f.Positives, f.Named, f.Columns[0].Rule)
	}
	if text := textOf(t, f.WriteText); !strings.Contains(text, "nothing can be named") {
		t.Errorf("the report does not say so:\n%s", text)
	}
}

func TestOneClassIsNotEvaluable(t *testing.T) {
	in := flows(100)
	in.Positive = nil
	f := SingleFeatures(in)
	if f.NotEvaluable == "" || len(f.Columns) != 0 {
		t.Errorf("no positives: %+v", f)
	}
	if text := textOf(t, f.WriteText); !strings.Contains(text, "not evaluable: no row is positive") {
		t.Errorf("got:\n%s", text)
	}
	in.Positive = []int32{0, 1}
	if f := SingleFeatures(in); f.NotEvaluable == "" {
		t.Errorf("no negatives: %+v", f)
	}
}

func TestThreadsDoNotMatterAndInputStays(t *testing.T) {
	in := flows(3000)
	before := slices.Clone(in.Features)
	run := func(threads int) string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		text, err := json.Marshal(SingleFeatures(in))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if one, four := run(1), run(4); one != four {
		t.Error("1 and 4 threads disagree")
	}
	for i, x := range before {
		if math.Float32bits(x) != math.Float32bits(in.Features[i]) {
			t.Fatal("SingleFeatures wrote to its input")
		}
	}
}

func textOf(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var out strings.Builder
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTheWholeReportFitsATerminalOf100Columns(t *testing.T) {
	in := flows(20000)
	in.Columns[4] = strings.Repeat("a_very_long_column_", 4)
	for i := range in.Features {
		if i%len(in.Columns) == 5 {
			in.Features[i] = -1.2345678e-30 * float32(1+i%7)
		}
	}
	rows := split.Rows{Features: in.Features, Cols: len(in.Columns), Labels: in.Labels, LabelNames: []string{"BENIGN", "Infiltration"}}
	_, dropped := split.Deduplicate(rows)
	s, leak, err := split.Make(split.Config{By: split.ByRandom, Train: 0.6, Validation: 0.2, Test: 0.2, Seed: 1}, rows)
	if err != nil {
		t.Fatal(err)
	}
	parts := split.Summarise(s, rows)
	r := Report{Source: "synth://infiltration?seed=7", Synthetic: true, Fingerprint: strings.Repeat("0f", 32), Deduplication: &dropped, Split: &parts, Leakage: &leak,
		Features: []*Features{SingleFeatures(in)}}
	text := textOf(t, r.WriteText)
	for line := range strings.Lines(text) {
		if width := utf8.RuneCountInString(line) - 1; width > 100 {
			t.Errorf("%d columns: %s", width, line)
		}
	}
	for _, want := range []string{"synthetic", "destination_port == 444 finds 200 of 200", "left out", "high flow_duration"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the report", want)
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Errorf("JSON: %v", err)
	}
	t.Log("\n" + text)
}

func BenchmarkFullSize(b *testing.B) {
	const n, cols = 818520, 77
	random := rand.New(rand.NewPCG(1, 2))
	in := Input{Columns: make([]string, cols), Features: make([]float32, n*cols), Labels: make([]int32, n), Positive: []int32{1}}
	for i := range in.Features {
		if random.IntN(2) == 0 {
			in.Features[i] = float32(math.Floor(math.Exp(20 * random.Float64())))
		}
	}
	for i := range 36 {
		in.Labels[i*20000] = 1
	}
	for b.Loop() {
		SingleFeatures(in)
	}
}
