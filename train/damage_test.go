package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowbench/train/checkpoint"
	"flowbench/train/checkpoint/disktest"
)

// stopped trains a trial to its fourth epoch, one checkpoint each.
func stopped(t *testing.T, disk checkpoint.Disk) *Trial {
	t.Helper()
	tr := trial(t, "dnn", func(c *Config) { c.Train.CheckpointEpochs, c.Model.Dropout = 1, 0.2 })
	stop := errors.New("stop")
	if disk != nil {
		tr.Dir, tr.Disk = "trial", disk
	}
	tr.OnEpoch = func(m EpochMetrics) error {
		if m.Epoch == 4 {
			return stop
		}
		return nil
	}
	if _, err := tr.Run(context.Background()); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	return again(tr)
}

// spoil flips a bit of the named file of the trial.
func spoil(t *testing.T, tr *Trial, name string) {
	t.Helper()
	path := filepath.Join(tr.Dir, name)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/3] ^= 4
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedCheckpointsAreSaidAndNotUsed spoils files of a trial that stands
// after its fourth epoch.
func TestDamagedCheckpointsAreSaidAndNotUsed(t *testing.T) {
	whole := trial(t, "dnn", func(c *Config) { c.Train.CheckpointEpochs, c.Model.Dropout = 1, 0.2 })
	run(t, whole)
	last, before := "checkpoint-member0-4", "checkpoint-member0-3"
	for _, c := range []struct {
		spoiled []string
		first   int // the epoch that is trained first
		says    []string
	}{
		{nil, 5, nil},
		{[]string{last + ".json"}, 4, []string{last + ".json is damaged", "member 0 goes on from the checkpoint before"}},
		{[]string{last + ".safetensors"}, 4, []string{last + ".safetensors is damaged: its SHA-256", "goes on from"}},
		{[]string{before + ".json"}, 5, nil},
		{[]string{last + ".safetensors", before + ".safetensors"}, 1, []string{last, before, "no checkpoint of member 0 is whole: it starts again from the beginning"}},
		{[]string{"metrics.jsonl"}, 1, []string{"metrics.jsonl is damaged", "starts again from the beginning"}},
	} {
		tr := stopped(t, nil)
		for _, name := range c.spoiled {
			spoil(t, tr, name)
		}
		var log strings.Builder
		first := 0
		tr.Log = &log
		tr.OnEpoch = func(m EpochMetrics) error {
			if first == 0 {
				first = m.Epoch
			}
			return nil
		}
		run(t, tr)
		if first != c.first {
			t.Errorf("%v spoiled: goes on with epoch %d, want %d", c.spoiled, first, c.first)
		}
		if c.says == nil && log.Len() > 0 {
			t.Errorf("%v spoiled: log %q", c.spoiled, &log)
		}
		for _, part := range c.says {
			if !strings.Contains(log.String(), part) {
				t.Errorf("%v spoiled: log %q does not say %q", c.spoiled, &log, part)
			}
		}
		wantSameBytes(t, fmt.Sprintf("%v spoiled", c.spoiled), whole, tr)
	}
}

// TestBestWeightsAreCheckedToo spoils the best weights of a trial whose last
// checkpoints share them.
func TestBestWeightsAreCheckedToo(t *testing.T) {
	change := func(c *Config) {
		c.Train.CheckpointEpochs, c.Train.Epochs, c.Optimizer.LearningRate = 1, 12, 0.05
		c.Train.EarlyStop = EarlyStopConfig{Metric: "validation.loss", Patience: 8}
	}
	whole := trial(t, "dnn", change)
	best := run(t, whole).Members[0].BestEpoch
	if best > 9 {
		t.Fatalf("the best epoch is %d: no two checkpoints follow it", best)
	}
	tr := trial(t, "dnn", change)
	tr.Until = best + 2
	run(t, tr)
	spoil(t, tr, fmt.Sprintf("checkpoint-member0-best-%d.safetensors", best))
	var log strings.Builder
	tr.Until, tr.Log = 0, &log
	run(t, tr)
	if !strings.Contains(log.String(), fmt.Sprintf("best-%d.safetensors is damaged", best)) {
		t.Errorf("log %q", &log)
	}
	wantSameBytes(t, "best weights spoiled", whole, tr)
}

func TestWeightsAreCheckedWhenTheyAreRead(t *testing.T) {
	tr := trial(t, "dnn", nil)
	r := run(t, tr)
	f, err := r.OpenWeights(tr.Dir, 0)
	if err != nil || len(f.Tensors) == 0 {
		t.Fatalf("whole weights: %v", err)
	}
	spoil(t, tr, r.Members[0].Weights)
	var damage *checkpoint.DamageError
	if _, err := r.OpenWeights(tr.Dir, 0); !errors.As(err, &damage) || damage.Path != tr.weightsPath(0) {
		t.Errorf("spoiled weights: %v", err)
	}
}

// TestSpoiledFitIsFittedAgain spoils what was fitted before the trial was judged.
func TestSpoiledFitIsFittedAgain(t *testing.T) {
	whole := detectorTrial(t, "gmm", slowFits["gmm"])
	run(t, whole)
	for bit := range 50 {
		tr := detectorTrial(t, "gmm", slowFits["gmm"])
		if _, _, err := tr.fittedDetector(t.Context()); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(tr.Dir, "checkpoint-fit-best-1.safetensors")
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		raw[rand.New(rand.NewPCG(uint64(bit), 1)).IntN(len(raw))] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		tr.Log = &log
		run(t, tr)
		if !strings.Contains(log.String(), "is damaged") || !strings.Contains(log.String(), "no checkpoint of the fit is whole") {
			t.Errorf("log %q", &log)
		}
		wantSameBytes(t, "a spoiled fit", whole, tr)
	}
}

// faulted are trials small enough to be run with every operation of the disk
// failing.
var faulted = map[string]func(t *testing.T) *Trial{
	"dnn, early stop": func(t *testing.T) *Trial {
		return trial(t, "dnn", func(c *Config) {
			c.Model.Hidden, c.Train.Epochs, c.Train.CheckpointEpochs = []int{3}, 4, 1
			c.Train.EarlyStop = EarlyStopConfig{Metric: "validation.loss", Patience: 2}
		})
	},
	"autoencoder, ensemble": func(t *testing.T) *Trial {
		return trial(t, "autoencoder", func(c *Config) {
			c.Model.Hidden, c.Model.Ensemble, c.Train.Epochs, c.Train.CheckpointEpochs = []int{2}, 2, 2, 1
		})
	},
	"gmm": func(t *testing.T) *Trial {
		return detectorTrial(t, "gmm", func(c *Config) { c.Model.Components, c.Model.Iterations, c.Train.CheckpointMinutes = 1, 2, 1e-9 })
	},
}

// TestEveryFaultOfTheDisk lets the k-th operation of a trial fail, for every k, in
// every way, and loses what a power failure may. The trial is then gone on with:
// it repeats no epoch that a checkpoint had, and ends in the same bytes.
func TestEveryFaultOfTheDisk(t *testing.T) {
	for name, make := range faulted {
		whole := make(t)
		whole.Dir = "trial"
		memory := disktest.NewMemory()
		count := &disktest.Faulty{Disk: memory}
		whole.Disk = count
		run(t, whole)
		want := memory.Files()
		for _, fault := range disktest.Faults() {
			losses := disktest.Losses()
			if fault != disktest.Crash {
				losses = losses[:1] // the machine goes on
			}
			for _, loss := range losses {
				for k := 1; k <= count.Operations(); k++ {
					what := fmt.Sprintf("%s: operation %d of %d, %v, losing %v", name, k, count.Operations(), fault, loss)
					wantWhole(t, what, make(t), k, fault, loss, want)
					if t.Failed() {
						return
					}
				}
			}
		}
		t.Logf("%s: %d operations", name, count.Operations())
	}
}

func wantWhole(t *testing.T, what string, tr *Trial, k int, fault disktest.Fault, loss disktest.Loss, want map[string]string) {
	t.Helper()
	memory := disktest.NewMemory()
	done := map[int]int{} // epochs that were told of, by member
	tr.Dir, tr.Disk = "trial", &disktest.Faulty{Disk: memory, At: k, Fault: fault}
	tr.OnEpoch = func(m EpochMetrics) error { done[m.Member] = m.Epoch; return nil }
	_, err := tr.Run(context.Background())
	if err != nil && !errors.Is(err, disktest.ErrFault) && !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%s: %v", what, err)
	}
	if err != nil && fault == disktest.NoSpace && !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%s: %v does not say that the disk is full", what, err)
	}
	memory.Lose(loss)
	next := again(tr)
	next.Disk = memory
	next.OnEpoch = func(m EpochMetrics) error {
		if m.Epoch <= done[m.Member] {
			t.Errorf("%s: epoch %d of member %d is trained again, after a checkpoint of epoch %d", what, m.Epoch, m.Member, done[m.Member])
		}
		return nil
	}
	run(t, next)
	got := memory.Files()
	if !maps.Equal(got, want) {
		t.Errorf("%s: files %v, want %v (-want +got):\n%.2000s", what, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)), cmp.Diff(want, got))
	}
}
