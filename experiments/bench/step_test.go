package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		given := slices.Clone(c.values)
		if got := median(c.values); got != c.want || !slices.Equal(given, c.values) {
			t.Errorf("median of %v is %v, want %v", given, got, c.want)
		}
	}
}

// The counts are those of the rulers' description: 101 kflop a sample of the DNN.
func TestFlops(t *testing.T) {
	for work, want := range map[string]float64{
		"dnn":         6*(78*128+128*64+64*32+32) - 2*78*128,
		"autoencoder": 6*2*(78*64+64*32+32*16) - 2*78*64,
	} {
		n, err := NetworkOf(work)
		if err != nil || n.flops() != want {
			t.Errorf("%s: %v operations a sample, want %v (%v)", work, n.flops(), want, err)
		}
	}
	if _, err := NetworkOf("cnn"); err == nil {
		t.Error("there is a cnn")
	}
}

func TestMakeMatrix(t *testing.T) {
	for _, rows := range []int{2, 3, 359, 360, 5000} {
		a, b := MakeMatrix(rows, 7), MakeMatrix(rows, 7)
		if !slices.Equal(a.X, b.X) || !slices.Equal(a.Y, b.Y) || slices.Equal(a.X, MakeMatrix(rows, 8).X) {
			t.Errorf("%d rows: not a function of the seed", rows)
		}
		if n, want := a.positives(), min(36, max(1, rows/10)); n != want || !a.Made {
			t.Errorf("%d rows: %d positives, want %d", rows, n, want)
		}
		if slices.Contains(a.X, 0) || math.IsNaN(float64(a.X[len(a.X)-1])) {
			t.Errorf("%d rows: a place was left empty", rows)
		}
	}
	m := MakeMatrix(720, 7)
	if w := m.balanced(); w[0] != 1 || w[1] != 19 {
		t.Errorf("class weights %v, want 1 and 684/36", w)
	}
}

func TestTrainerGoesThroughTheOrder(t *testing.T) {
	o := &kernels.Order{Rows: []int32{5, 0, 3, 1, 4, 2, 6}, Batch: 3}
	all := make([]int32, 7)
	o.Fill(all, 0)
	tr := trainer{order: o}
	for step, want := range [][]int32{all[:3], all[3:6], all[2:5]} {
		if got := tr.batchNext().TableRows(make([]int32, 3)); !slices.Equal(got, want) {
			t.Errorf("step %d: rows %v, want %v", step, got, want)
		}
	}
}

func TestTrainer(t *testing.T) {
	m := MakeMatrix(300, 7)
	rows := m.list()
	for _, n := range networks {
		tr, err := newTrainer(cpu.New(), n, m, rows, 64)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if err := tr.next(); err != nil {
				t.Fatal(err)
			}
		}
		if tr.step != 20 {
			t.Errorf("%d steps", tr.step)
		}
		if err := tr.machine.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := newTrainer(cpu.New(), networks[0], m, rows, 300); err == nil || !strings.Contains(err.Error(), "a batch of 300 needs more rows than the 300") {
		t.Errorf("a batch of all rows: %v", err)
	}
	m.X[5] = float32(math.NaN())
	tr, err := newTrainer(cpu.New(), networks[0], m, []int32{0, 1, 2, 3, 4}, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.machine.Close()
	if err := tr.next(); err == nil || !strings.Contains(err.Error(), "not finite") {
		t.Errorf("a NaN in the data: %v", err)
	}
}

func testSteps() *Steps {
	return &Steps{
		Backend: cpu.New(), Matrix: MakeMatrix(2000, 7), Rounds: 3, During: time.Millisecond,
		Cases: []StepCase{{Network: networks[0], Batch: 32, Threads: 1}, {Network: networks[1], Batch: 64, Threads: 2}},
	}
}

func TestSteps(t *testing.T) {
	s := testSteps()
	s.Cases = append(s.Cases, StepCase{Network: networks[0], Batch: 32, Threads: 1, Processes: 2})
	speeds := []float64{100, 300, 200}
	s.Processes = func(context.Context, StepCase) (rate float64, err error) {
		rate, speeds = speeds[0], speeds[1:]
		return rate, nil
	}
	var seen []string
	s.Progress = func(done, total int, next string) { seen = append(seen, next) }
	results, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 9 || seen[0] != "dnn, batch 32, 1 thread" || seen[8] != "dnn, batch 32, 1 thread, 2 processes" {
		t.Errorf("progress %q", seen)
	}
	for i, r := range results {
		if !(r.Slowest > 0 && r.Slowest <= r.SamplesPerSecond && r.SamplesPerSecond <= r.Fastest) || r.Repeats != 3 || r.Device != cpu.New().Name() {
			t.Errorf("%+v", r)
		}
		if want := r.SamplesPerSecond * s.Cases[i].Network.flops() / 1e9; math.Abs(r.GFlops-want) > 1e-9*want {
			t.Errorf("%+v: want %v GFlop/s", r, want)
		}
		if hasPeak := len(cpu.Levels()) > 1; hasPeak != (r.PeakShare > 0) {
			t.Errorf("%+v: with a limit: %v", r, hasPeak)
		}
	}
	if r := results[2]; r.SamplesPerSecond != 200 || r.Slowest != 100 || r.Fastest != 300 {
		t.Errorf("of 100, 300 and 200 came %+v", r)
	}
	wantSteps(t, results)
}

// wantSteps holds both forms of the output against the results.
func wantSteps(t *testing.T, results []StepResult) {
	t.Helper()
	var out bytes.Buffer
	if err := WriteJSON(&out, results); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var o map[string]any
	if err := json.Unmarshal([]byte(lines[1]), &o); err != nil || len(lines) != 3 || o["work"] != "autoencoder" || o["batch"] != 64.0 || o["threads"] != 2.0 {
		t.Errorf("%v:\n%s", err, out.String())
	}
	out.Reset()
	if err := WriteSteps(&out, results); err != nil || !strings.Contains(out.String(), "dnn, 2 processes at once") || !strings.Contains(out.String(), "medians of 3 rounds on cpu/") {
		t.Errorf("%v:\n%s", err, out.String())
	}
}

func TestStepsEndWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := testSteps()
	s.Progress = func(done, _ int, _ string) {
		if done == 1 {
			cancel()
		}
	}
	if _, err := s.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestGrowth(t *testing.T) {
	s := testSteps()
	s.Rounds, s.Cases = 1, Growth([]int{8, 16}, []int{32, 64, 1024}, 2)
	results, err := s.Run(t.Context())
	if err != nil || len(results) != 6 {
		t.Fatal(len(results), err)
	}
	var out bytes.Buffer
	if err := WriteGrowth(&out, results); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if !strings.Contains(lines[0], "batch 1,024") || !strings.HasPrefix(strings.TrimSpace(lines[1]), "8 ") || !strings.HasPrefix(strings.TrimSpace(lines[2]), "16 ") {
		t.Errorf("table:\n%s", out.String())
	}
	path := filepath.Join(t.TempDir(), "growth.svg")
	if err := PlotGrowth(path, results); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"<svg", "w = 8", "w = 16", "1,024", "samples/s"} {
		if !strings.Contains(string(raw), part) {
			t.Errorf("the plot lacks %q", part)
		}
	}
	if err := PlotGrowth(filepath.Join(t.TempDir(), "no", "growth.svg"), results); err == nil {
		t.Error("a plot in a folder that is not there")
	}
}
