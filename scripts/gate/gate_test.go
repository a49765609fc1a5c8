package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flowbench/experiments/bench"
)

// TestCommittedPage: what is committed says that nothing was measured, in the words
// of this program, or names the device that it was measured on.
func TestCommittedPage(t *testing.T) {
	got, err := os.ReadFile("../../kernels/cuda/BENCH.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := markdown(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) && !strings.Contains(string(got), "Measured by `scripts/gpu-gate.sh` on ") {
		t.Error("kernels/cuda/BENCH.md is neither measured nor what go run ./scripts/gate writes")
	}
}

// madeUp is a gate whose figures nobody measured.
func madeUp() gate {
	return gate{
		Commit: "made-up-commit", Device: "MADE UP, NO DEVICE", Driver: "0.0", UUID: "GPU-made-up", Steps: 200, Others: 131,
		Parts: []part{{"conformance", "ok", 12, ""}, {"sanitizer", "not measured", 0, "no compute-sanitizer here"}},
		Bench: []bench.GPUResult{
			{Work: "dnn", Batch: 1024, Trials: 1, Plan: "layers", SamplesPerSecond: 6e6, StepMicroseconds: 170},
			{Work: "dnn", Batch: 1024, Trials: 1, Plan: "fleet", SamplesPerSecond: 2e6, StepMicroseconds: 512},
			{Work: "dnn", Batch: 1024, Trials: 132, Plan: "fleet", SamplesPerSecond: 264e6, StepMicroseconds: 512, StepFlops: 12.8e9, StepBytes: 64e6},
			{Work: "autoencoder", Batch: 1024, Trials: 1, Plan: "layers", SamplesPerSecond: 5e6, StepMicroseconds: 204},
		},
		Ceilings: []string{"copy: 4e+12 bytes/s", "product: 5e+13 flop/s"},
		Ruler: []string{
			"2.0 MADE UP", "eager batch 1024: 5e+05 samples/s", "graph batch 1024: 1.5e+06 samples/s",
			"ensemble 132 batch 1024: 8.8e+07 samples/s summed over trials", "ensemble 16 batch 1024: failed: out of memory",
		},
	}
}

func write(t *testing.T, g any) string {
	t.Helper()
	raw, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "gate.json")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMadeUpGateIsWritten(t *testing.T) {
	out := filepath.Join(t.TempDir(), "BENCH.md")
	if err := run([]string{write(t, madeUp())}, out); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"on MADE UP, NO DEVICE (GPU-made-up), driver 0.0, at commit made-up-commit.",
		"| conformance | ok | 12 s |",
		"| sanitizer | not measured | no compute-sanitizer here |",
		"| dnn | 1024 | 132 | fleet | 264 million | 512.0 µs | 0 |",
		"| 1024 | 1 | 6.0 million (layers) | its CUDA graph | 1.5 million | 4.0 | 3 |",
		"| 1024 | 1 | 6.0 million (layers) | eager | 500,000 | 12.0 | 10 |",
		"| 1024 | 132 | 264 million (fleet) | its ensemble graph | 88 million | 3.0 | 3 |",
		"| 1024 | 132 | 264 million (fleet) | its CUDA graph, trials one by one | 1.5 million | 176.0 | 15 |",
		"moves 4e+12 bytes/s and a large float32 product does 5e+13 flop/s here",
		"| dnn | 1024 | 132 | fleet | 512.0 µs | 16.0 µs | 256.0 µs | 2.0 |",
		"On paper, for the DNN",
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("lacks %q:\n%s", want, raw)
		}
	}
	if strings.Contains(string(raw), "Not measured: no GPU") {
		t.Error("a measured page says that there was no GPU")
	}
}

func TestAbsentPartsAreNotMeasured(t *testing.T) {
	g := madeUp()
	g.Bench, g.Ruler, g.Ceilings = nil, nil, nil
	text, err := markdown(&g)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"The speed of a step: not measured.", "PyTorch on the same device: not measured.", "floors of its bytes and operations: not measured."} {
		if !strings.Contains(string(text), want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}

func TestRefusedGates(t *testing.T) {
	dry, bare, strange, low := madeUp(), madeUp(), madeUp(), madeUp()
	low.Ceilings = low.Ceilings[:1]
	dry.Emulated, bare.Driver, strange.Ruler = true, "", []string{"Traceback (most recent call last):"}
	for want, g := range map[string]any{
		"nothing in it was measured on a GPU":          dry,
		"lacks its commit, device, driver or parts":    bare,
		"no figure in 1 lines of the ruler":            strange,
		"said nothing of copy or product in 1 lines":   low,
		"is it of scripts/gpu-gate.sh of this commit?": map[string]int{"speed": 1},
	} {
		out := filepath.Join(t.TempDir(), "BENCH.md")
		if err := run([]string{write(t, g)}, out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%q: a page was written", want)
		}
	}
}
