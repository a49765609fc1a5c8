package study

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"flowbench/kernels/cpu"
	"flowbench/train"
)

// TestEqualBytesForAnyThreadsAndWorkers sweeps three epochs with one and two
// threads and one and two workers, flows prepared anew each time: everything
// that is kept must be equal, weights first.
func TestEqualBytesForAnyThreadsAndWorkers(t *testing.T) {
	spec, set := oneReplicate(t), []string{"train.epochs=3"}
	var want map[string]string
	for _, threads := range []int{1, 2} {
		for _, workers := range []int{1, 2} {
			dir := filepath.Join(t.TempDir(), "study")
			runSweep(t, spec, dir, workers, set, fmt.Sprintf("GOMAXPROCS=%d", threads))
			got := kept(t, dir)
			if want == nil {
				want = got
				wantWeights(t, dir, got)
				continue
			}
			wantSame(t, fmt.Sprintf("%d threads, %d workers", threads, workers), got, want)
		}
	}
}

// TestEqualBytesForAnySlots trains several trials at once in one process.
func TestEqualBytesForAnySlots(t *testing.T) {
	var want map[string]string
	for _, slots := range []int{1, 3} {
		dir := filepath.Join(t.TempDir(), "study")
		sweep, _ := tinySweep(t, dir, 1)
		w := &Worker{Study: sweep.Study, Name: "slots", Backend: cpu.New(), Slots: slots}
		if err := w.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := sweep.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := kept(t, dir)
		delete(got, "study.json") // says when it was made
		if want == nil {
			want = got
		}
		wantSame(t, fmt.Sprintf("%d slots", slots), got, want)
	}
}

// wantWeights makes sure that a sweep kept weights of every network and baseline, and that
// each result names the SHA-256 of its own.
func wantWeights(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	found := 0
	plan := openStudy(t, dir).Plan
	for i, trial := range plan.Trials {
		baseline := plan.Configurations[trial.Configuration].Baseline
		folder := filepath.Join("trials", fmt.Sprintf("%04d", i))
		r, err := train.ReadResult(filepath.Join(dir, folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range r.Members {
			sum := sha256.Sum256([]byte(files[filepath.Join(folder, m.Weights)]))
			if m.SHA256 != hex.EncodeToString(sum[:]) {
				t.Errorf("trial %d, seed %d: result.json says that %s has SHA-256 %s, it has %x", i, trial.Seed, m.Weights, m.SHA256, sum)
			}
			if !baseline && m.Epochs != 3 {
				t.Errorf("trial %d: %s was trained for %d epochs, want 3", i, m.Weights, m.Epochs)
			}
		}
		found += len(r.Members)
	}
	kept := 0
	for name := range files {
		if strings.HasSuffix(name, "-best.safetensors") {
			kept++
		}
	}
	if want := 1 + 2 + 1 + len(train.Baselines()); found != want || kept != want {
		t.Errorf("%d models in the results, %d files of weights, want %d", found, kept, want)
	}
}
