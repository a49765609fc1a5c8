package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInterruptedTrialEndsInTheSameBytes(t *testing.T) {
	interrupt := errors.New("interrupted")
	for _, k := range kinds {
		whole := trial(t, k.kind, k.change)
		run(t, whole)
		broken := trial(t, k.kind, k.change)
		epochs, stops := 0, 0
		broken.OnEpoch = func(EpochMetrics) error {
			if epochs++; epochs%3 == 0 {
				return interrupt
			}
			return nil
		}
		for {
			_, err := broken.Run(context.Background())
			if err == nil {
				break
			}
			if !errors.Is(err, interrupt) {
				t.Fatalf("%s: %v", k.name, err)
			}
			if stops++; stops > 100 {
				t.Fatalf("%s: never ends", k.name)
			}
		}
		if stops == 0 {
			t.Errorf("%s: was not interrupted", k.name)
		}
		if diff := cmp.Diff(files(t, whole.Dir), files(t, broken.Dir)); diff != "" {
			t.Errorf("%s: interrupted %d times (-whole +broken):\n%.2000s", k.name, stops, diff)
		}
	}
}

func TestFinishedTrialIsNotTrainedAgain(t *testing.T) {
	tr := trial(t, "dnn", nil)
	run(t, tr)
	before := files(t, tr.Dir)
	tr.OnEpoch = func(EpochMetrics) error { t.Error("trained again"); return nil }
	run(t, tr)
	if diff := cmp.Diff(before, files(t, tr.Dir)); diff != "" {
		t.Errorf("the folder changed:\n%s", diff)
	}
	tr.Fingerprint = "another"
	if _, err := tr.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "belongs to another trial") {
		t.Errorf("foreign folder: %v", err)
	}
}

// TestCrashBehindTheResultLeavesNoCheckpoint: result.json was written, what it
// makes needless was not yet removed. The folder's name is a broken glob.
func TestCrashBehindTheResultLeavesNoCheckpoint(t *testing.T) {
	tr := trial(t, "dnn", func(c *Config) { c.Model.Ensemble = 2 })
	tr.Dir = filepath.Join(tr.Dir, "a[")
	if err := os.Mkdir(tr.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, tr)
	before := files(t, tr.Dir)
	for _, left := range []string{"checkpoint-member1-7.json", "checkpoint-member1-7.safetensors", "checkpoint-member1-best-3.safetensors"} {
		if err := os.WriteFile(filepath.Join(tr.Dir, left), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, tr)
	if diff := cmp.Diff(before, files(t, tr.Dir)); diff != "" {
		t.Errorf("the folder changed:\n%s", diff)
	}
}

func TestForeignCheckpointsAreRefused(t *testing.T) {
	for kind, series := range map[string]string{"dnn": "checkpoint-member0", "pca": "checkpoint-fit"} {
		tr := trial(t, "dnn", nil)
		if kind != "dnn" {
			tr = detectorTrial(t, kind, detectorKinds[kind])
		}
		ctx, cancel := context.WithCancel(context.Background())
		tr.OnEpoch = func(EpochMetrics) error { cancel(); return nil }
		if kind == "pca" {
			if _, _, err := tr.fittedDetector(ctx); err != nil {
				t.Fatal(err)
			}
		} else if _, err := tr.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		tr.Fingerprint = "another"
		_, err := tr.Run(context.Background())
		if err == nil || !strings.Contains(err.Error(), filepath.Join(tr.Dir, series)+" belongs to another trial") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestScoringHeedsTheContext: the last epoch has ended, and scores of many rows are left.
func TestScoringHeedsTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	tr := trial(t, "dnn", nil)
	tr.OnEpoch = func(m EpochMetrics) error {
		if m.Epoch == tr.Config.Train.Epochs {
			cancel()
		}
		return nil
	}
	if _, err := tr.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestCancelledTrialGoesOn(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	tr := trial(t, "dnn", nil)
	tr.OnEpoch = func(EpochMetrics) error { cancel(); return nil }
	if _, err := tr.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want the context's", err)
	}
	tr.OnEpoch = nil
	if r := run(t, tr); r.State != StateDone || r.Members[0].Epochs != 6 {
		t.Errorf("after cancelling: %+v", r)
	}
}
