package main

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowbench/experiments/bench"
)

func TestRulersLines(t *testing.T) {
	const torch = `dnn batch 256: 1 thread 114260, 2 threads 35527, best 114260 samples/s
dnn batch 1024: 1 thread 174464, 2 threads 268804, best 268804 samples/s
dnn batch 8192: 1 thread 221420, 2 threads 118330, best 221420 samples/s
ae batch 256: 1 thread 103391, 2 threads 40003, best 103391 samples/s
ae batch 1024: 1 thread 144359, 2 threads 62068, best 144359 samples/s
ae batch 8192: 1 thread 206888, 2 threads 91992, best 206888 samples/s
dnn batch 1024: two processes of one thread, sum 173724 samples/s
`
	want := map[string]map[string]float64{
		torch: {
			"dnn/256": 114260, "dnn/1024": 268804, "dnn/8192": 221420, "dnn/1024/processes": 173724,
			"autoencoder/256": 103391, "autoencoder/1024": 144359, "autoencoder/8192": 206888,
		},
		"BenchmarkTapeMachine-2   \t      79\t  31647323 ns/op\t     32357 samples/s\nPASS\n": {"dnn/1024": 32357},
		"[1] 818520     79\nTime difference of 1.218131 secs\n":                               {"csv": 1.218131},
		"pandas (818520, 79) 10.89 s\n":                                                       {"csv": 10.89},
	}
	parsers := rulers("python3")
	for i, text := range []string{
		torch, "BenchmarkTapeMachine-2   \t      79\t  31647323 ns/op\t     32357 samples/s\nPASS\n",
		"[1] 818520     79\nTime difference of 1.218131 secs\n", "pandas (818520, 79) 10.89 s\n",
	} {
		got, err := parsers[i].parse(text)
		if diff := cmp.Diff(want[text], got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", parsers[i].name, err, diff)
		}
		if _, err := parsers[i].parse("Killed\n"); err == nil {
			t.Errorf("%s: figures in nothing", parsers[i].name)
		}
	}
	if _, err := parseTorch(strings.Replace(torch, "ae batch 256", "ae batch none", 1)); err == nil || !strings.Contains(err.Error(), "6 figures of PyTorch, want 7") {
		t.Errorf("a line is missing: %v", err)
	}
	if got, err := parseFread("Time difference of 1.5 mins\n"); err != nil || got["csv"] != 90 {
		t.Errorf("minutes: %v, %v", got, err)
	}
}

const topText = `File: flowbench
Type: cpu
      flat  flat%   sum%        cum   cum%
     400ms 40.00% 40.00%      400ms 40.00%  flowbench/kernels/cpu.product8x32AVX512
     300ms 30.00% 70.00%      300ms 30.00%  flowbench/kernels/cpu.outer32AVX512
     100ms 10.00% 80.00%      100ms 10.00%  math.log1p
      50ms  5.00% 85.00%       50ms  5.00%  flowbench/kernels/cpu.adamAVX512
      50ms  5.00% 90.00%      150ms 15.00%  flowbench/kernels/cpu.(*loss).bce
     100ms 10.00%   100%      100ms 10.00%  runtime.asyncPreempt
         0     0%   100%     1000ms   100%  main.main
`

func testStep() bench.StepResult {
	return bench.StepResult{
		Work: "dnn", Hidden: []int{128, 64, 32}, Cols: 78, Batch: 1000, Threads: 1, Device: "cpu/avx512",
		SamplesPerSecond: 1e6, GFlops: 101.568, PeakGFlops: 203.136, PeakShare: 0.5,
	}
}

func TestProfile(t *testing.T) {
	p, err := parseProfile(topText, testStep())
	if err != nil {
		t.Fatal(err)
	}
	want := []part{{products, 0.4}, {outers, 0.3}, {"the loss and its gradient", 0.15}, {others, 0.1}, {"Adam", 0.05}}
	if diff := cmp.Diff(want, p.parts, cmp.AllowUnexported(part{}), cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// Both kinds of products are all operations of the step.
	if got, all := p.floating(products)+p.floating(outers), 101.568e6; math.Abs(got-all) > 1 {
		t.Errorf("%v operations in products, want %v", got, all)
	}
	lines := p.lines()
	for i, part := range []string{
		"at batch 1000 takes 1000 µs on one thread of cpu/avx512: 101.6 GFlop/s",
		"limit of 203.1 GFlop/s its products alone would take 500 µs; what is left between them is 500 µs",
		"400 µs (40.0 %), of which 301 µs at the limit and 99 µs beyond",
	} {
		if !strings.Contains(lines[i], part) {
			t.Errorf("line %d lacks %q: %s", i+1, part, lines[i])
		}
	}
	if len(lines) > 10 {
		t.Errorf("%d lines", len(lines))
	}
	if _, err := parseProfile("File: flowbench\n", testStep()); err == nil {
		t.Error("an empty profile")
	}
}

func TestFallOff(t *testing.T) {
	// 100 µs a step and 1 µs a sample, and a largest batch at half speed.
	row := []bench.StepResult{}
	for _, batch := range []int{100, 400, 1000, 100_000} {
		g := testStep()
		g.Width, g.Hidden, g.Batch = 32, []int{32, 32, 32}, batch
		g.SamplesPerSecond = float64(batch) / (100 + float64(batch)) * 1e6
		row = append(row, g)
	}
	row[3].SamplesPerSecond = row[2].SamplesPerSecond / 2
	got := fallOff(row)
	for _, part := range []string{
		"w = 32 (4,673 parameters): best at batch 1,000 with 50 % of the limit.",
		"Batch 100 has 55 % of that speed: 100 µs of its step's 200 do not depend on the batch",
		"Batch 100,000 has 50 %: its rows, activations and their gradients are 108 MB",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("it lacks %q:\n%s", part, got)
		}
	}
	row[1].SamplesPerSecond = row[0].SamplesPerSecond / 2
	if got := fallOff(row); !strings.Contains(got, "cannot be told from noise") {
		t.Errorf("a cost below nothing: %s", got)
	}
}

// A ruler that was not measured must show as such, and never as a figure.
func TestMarkdown(t *testing.T) {
	g := testStep()
	g.Width = 32
	r := &report{
		settings: settings{repeats: 5, python: "python3"}, figures: figures{}, peaks: map[int]float64{1: 100, 2: 180},
		missing: map[string]string{"pandas": "it is not installed"}, versions: map[string]string{"PyTorch": "1.13"},
		csv:    []bench.CSVResult{{Rows: 10, Cols: 78, Bytes: 3e8, Seconds: 0.5, PreparedBytes: 2e8, PeakMemory: 1e8, OpenSeconds: 0.002}},
		growth: []bench.StepResult{g}, profile: profile{step: g, parts: []part{{products, 1}}, samples: 1000},
	}
	for _, key := range []string{"dnn/256", "dnn/1024", "dnn/8192", "autoencoder/256", "autoencoder/1024", "autoencoder/8192"} {
		for _, v := range []float64{2e6, 1e6, 3e6} {
			r.figures.add(ours, key+" threads=2", v)
			r.figures.add(ours, key+" threads=1", v/4)
			r.figures.add("PyTorch", key, v/8)
		}
	}
	r.figures.add(ours, "dnn/1024/processes", 3e6)
	r.figures.add(ours, csvKey, 0.5)
	r.figures.add("data.table fread", csvKey, 1)
	text, err := r.markdown()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| DNN step, batch 256 | 2,000,000 (threads: 2) | PyTorch | 250,000 | 8.00 | 3 |",
		"| two processes of one thread at once, DNN, batch 1,024 | 3,000,000 | PyTorch | not measured |  | 3 |",
		"| CSV into a prepared set (the rulers: into memory) | 0.500 s | data.table fread | 1.000 s | 2.00 | 1.5 |",
		"| CSV into a prepared set (the rulers: into memory) | 0.500 s | pandas | not measured |  | 6 |",
		"| pandas | not measured: it is not installed |",
		"| limit of multiply-adds, measured | 100.0 GFlop/s with 1 thread, 180.0 with 2 |",
		"| peak memory, mapped files included | 100.0 MB, 0.50 of the prepared set | below 1.3 |",
		"| to open the prepared set | 2.00 ms | below 50 ms |",
		"| 32 | 1,000,000 (50 %) |",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s in:\n%s", line, text)
		}
	}
	delete(r.figures, ours+" "+csvKey)
	if _, err := r.markdown(); err == nil {
		t.Error("a table without a figure of ours")
	}
}

func TestMissingRulersAreNamed(t *testing.T) {
	s := settings{python: "/nowhere/python3", work: t.TempDir()}
	for _, c := range []struct{ peers, want string }{{"", "PEERS is not set"}, {t.TempDir(), "/nowhere/python3 is not installed"}} {
		s.peers = c.peers
		if _, why := rulers(s.python)[0].version(t.Context(), s); why != c.want {
			t.Errorf("PEERS=%s: PyTorch is missing because %q, want %q", c.peers, why, c.want)
		}
	}
	s.peers = ""
	if version, why := rulers(s.python)[1].version(t.Context(), s); version == "" || why != "" {
		t.Errorf("gorgonia, which needs no PEERS: %q, %q", version, why)
	}
	s.python = "go" // is installed, and its probe is made to succeed
	torch := rulers(s.python)[0]
	torch.probe = []string{"go", "version"}
	s.peers = t.TempDir()
	if _, why := torch.version(t.Context(), s); why != "PEERS has no mlp_torch.py" {
		t.Errorf("without its script: %q", why)
	}
}

func TestSettings(t *testing.T) {
	get := func(values map[string]string) func(string) string {
		return func(name string) string { return values[name] }
	}
	if s, err := readSettings(get(nil)); err != nil || s.repeats != 5 || s.python != "/usr/bin/python3" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []map[string]string{{"REPEATS": "0"}, {"REPEATS": "many"}, {"DURING": "long"}} {
		if _, err := readSettings(get(bad)); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}
