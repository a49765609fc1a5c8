package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/kernels"
)

// hooked is a backend that calls before at each step and each prediction.
type hooked struct {
	kernels.Backend
	before    func(what string)
	sequences bool // its machines run many steps a launch
}

func (h hooked) Compile(p *kernels.Program) (kernels.Machine, error) {
	m, err := h.Backend.Compile(p)
	if err != nil {
		return nil, err
	}
	machine := &hookedMachine{m, h.before}
	if h.sequences {
		return launches{machine}, nil
	}
	return machine, nil
}

type hookedMachine struct {
	kernels.Machine
	before func(what string)
}

func (m *hookedMachine) Train(b kernels.Batch) (kernels.StepResult, error) {
	m.before("step")
	return m.Machine.Train(b)
}

func (m *hookedMachine) Predict(rows []int32, dst []float32) error {
	m.before("prediction")
	return m.Machine.Predict(rows, dst)
}

// launches is a kernels.Sequencer.
type launches struct{ *hookedMachine }

func (m launches) TrainAll(batches []kernels.Batch, results []kernels.StepResult) error {
	for i, b := range batches {
		var err error
		if results[i], err = m.Train(b); err != nil {
			return err
		}
	}
	return nil
}

// again is the trial as another process would take it up.
func again(tr *Trial) *Trial {
	next := *tr
	next.OnEpoch, next.Warn, next.now = nil, nil, nil
	return &next
}

// wantSameBytes compares what two trials left.
func wantSameBytes(t *testing.T, what string, whole, broken *Trial) {
	t.Helper()
	if diff := cmp.Diff(files(t, whole.Dir), files(t, broken.Dir)); diff != "" {
		t.Errorf("%s (-whole +broken):\n%.2000s", what, diff)
	}
}

// TestWarnedAtEveryStep warns the trial within every step, so that each run of it
// takes one: it leaves a checkpoint and the bytes of a trial that nobody warned.
func TestWarnedAtEveryStep(t *testing.T) {
	for _, k := range kinds {
		for _, sequences := range []bool{false, true} {
			whole := trial(t, k.kind, k.change)
			run(t, whole)
			broken := trial(t, k.kind, k.change)
			stops := 0
			for {
				warn := make(chan struct{})
				next := again(broken)
				next.Warn = warn
				warned := false
				next.Backend = hooked{broken.Backend, func(what string) {
					if what == "step" && !warned {
						warned = true
						close(warn)
					}
				}, sequences}
				_, err := next.Run(context.Background())
				if err == nil {
					break
				}
				if !errors.Is(err, ErrPreempted) {
					t.Fatalf("%s: %v", k.name, err)
				}
				if stops++; stops > 500 {
					t.Fatalf("%s: never ends", k.name)
				}
			}
			if least := 6; stops < least {
				t.Errorf("%s: stopped %d times, want at least %d", k.name, stops, least)
			}
			wantSameBytes(t, fmt.Sprintf("%s, sequences %v, warned %d times", k.name, sequences, stops), whole, broken)
		}
	}
}

// TestCancelledWhereverItLooks cancels the context at each step and prediction in
// turn. None of the steps that were finished is taken again.
func TestCancelledWhereverItLooks(t *testing.T) {
	for _, kind := range []string{"dnn", "autoencoder"} {
		whole := trial(t, kind, nil)
		steps, calls := 0, 0
		count := func(what string) {
			calls++
			if what == "step" {
				steps++
			}
		}
		backend := whole.Backend
		whole.Backend = hooked{backend, count, false}
		run(t, whole)
		for k := 1; k <= calls; k++ {
			broken := trial(t, kind, nil)
			ctx, cancel := context.WithCancel(context.Background())
			seen, taken := 0, 0
			broken.Backend = hooked{backend, func(what string) {
				if seen++; seen == k {
					cancel()
				}
				if what == "step" {
					taken++
				}
			}, false}
			_, err := broken.Run(ctx)
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			run(t, broken)
			if taken != steps {
				t.Errorf("%s, cancelled at call %d: %d steps were taken, %d are needed", kind, k, taken, steps)
			}
			wantSameBytes(t, fmt.Sprintf("%s, cancelled at call %d of %d", kind, k, calls), whole, broken)
		}
	}
}

// TestCheckpointsByTheClock lets a minute pass at each look at the time: a
// checkpoint is due every third. What the clock says changes no byte.
func TestCheckpointsByTheClock(t *testing.T) {
	for _, k := range kinds {
		whole := trial(t, k.kind, k.change)
		run(t, whole)
		broken := trial(t, k.kind, k.change)
		broken.Config.Train.CheckpointMinutes, broken.Config.Train.CheckpointEpochs = 3, 1000
		now := time.Unix(0, 0)
		broken.now = func() time.Time { now = now.Add(time.Minute); return now }
		fault := errors.New("the device is gone")
		steps, written := 0, 0
		broken.Backend = failing{hooked{broken.Backend, func(what string) {
			if what == "step" {
				steps++
			}
			checkpoints, _ := filepath.Glob(filepath.Join(broken.Dir, "checkpoint-*.json"))
			written = max(written, len(checkpoints))
		}, false}, func() error {
			if steps%7 == 6 {
				steps++
				return fault
			}
			return nil
		}}
		for range 1000 {
			_, err := broken.Run(context.Background())
			if err == nil {
				break
			}
			if !errors.Is(err, fault) {
				t.Fatalf("%s: %v", k.name, err)
			}
		}
		if written == 0 {
			t.Errorf("%s: no checkpoint by the clock", k.name)
		}
		wantSameBytes(t, k.name, whole, broken)
	}
}

// failing is a backend whose steps fail as fault says.
type failing struct {
	kernels.Backend
	fault func() error
}

func (f failing) Compile(p *kernels.Program) (kernels.Machine, error) {
	m, err := f.Backend.Compile(p)
	return &failingMachine{m, f.fault}, err
}

type failingMachine struct {
	kernels.Machine
	fault func() error
}

func (m *failingMachine) Train(b kernels.Batch) (kernels.StepResult, error) {
	if err := m.fault(); err != nil {
		return kernels.StepResult{}, err
	}
	return m.Machine.Train(b)
}

// TestSegments pauses after every epoch, or every other, and after all at once.
func TestSegments(t *testing.T) {
	for _, k := range kinds {
		whole := trial(t, k.kind, k.change)
		want := run(t, whole)
		lines, err := ReadMetrics(whole.metricsPath())
		if err != nil {
			t.Fatal(err)
		}
		for _, stride := range []int{1, 2, 5, 100} {
			broken := trial(t, k.kind, k.change)
			var got *Result
			for until := stride; ; until += stride {
				segment := again(broken)
				segment.Until = until
				if got, err = segment.Run(context.Background()); err != nil {
					t.Fatalf("%s: %v", k.name, err)
				}
				if got.State != StatePaused {
					break
				}
				wantPaused(t, segment, got, lines[until-1])
				if until > 100 {
					t.Fatalf("%s: never ends", k.name)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, segments of %d epochs: results (-whole +segments):\n%s", k.name, stride, diff)
			}
			wantSameBytes(t, fmt.Sprintf("%s, segments of %d epochs", k.name, stride), whole, broken)
		}
	}
}

// wantPaused checks the result of a trial that pauses after the epoch of line,
// and that to ask for it again takes no step.
func wantPaused(t *testing.T, tr *Trial, got *Result, line EpochMetrics) {
	t.Helper()
	if line.Member != 0 || line.Epoch != tr.Until {
		t.Fatalf("paused after epoch %d, which is not among the first network's", tr.Until)
	}
	if got.Epoch != tr.Until || !maps.Equal(got.Metrics, line.Values) || !strings.Contains(got.Reason, fmt.Sprintf("paused after epoch %d of", tr.Until)) {
		t.Errorf("paused with %+v, want the figures of %+v", got, line)
	}
	if _, err := ReadResult(tr.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a paused trial has a result (%v)", err)
	}
	asked := again(tr)
	asked.Backend = hooked{tr.Backend, func(what string) { t.Errorf("a %s of a trial that is where it is to be", what) }, false}
	if again, err := asked.Run(context.Background()); err != nil || !cmp.Equal(again, got) {
		t.Errorf("asked again: %+v (%v)", again, err)
	}
}

// TestEarlyStopBeforeUntil ends the trial as if there were no Until.
func TestEarlyStopBeforeUntil(t *testing.T) {
	change := func(c *Config) {
		c.Train.Epochs, c.Train.EarlyStop = 40, EarlyStopConfig{Metric: "validation.average_precision", Patience: 3}
	}
	whole := trial(t, "dnn", change)
	stopped := run(t, whole).Members[0].Epochs
	if stopped == 40 {
		t.Fatal("the trial does not stop early, which shows nothing")
	}
	for _, until := range []int{stopped, stopped + 1, 39} {
		tr := trial(t, "dnn", change)
		tr.Until = until
		if r := run(t, tr); r.State != StateDone {
			t.Errorf("until %d of a trial that stops at %d: %s", until, stopped, r.State)
		}
		wantSameBytes(t, fmt.Sprintf("until %d", until), whole, tr)
	}
}

// TestRemoveCheckpoints leaves of a paused trial what a reader wants, and of one
// that has ended all that its result names.
func TestRemoveCheckpoints(t *testing.T) {
	tr := trial(t, "dnn", func(c *Config) { c.Model.Ensemble = 2 })
	tr.Until = 3
	run(t, tr)
	if err := os.WriteFile(filepath.Join(tr.Dir, ".checkpoint-member0-9.json.123"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := RemoveCheckpoints(tr.Dir); err != nil {
		t.Fatal(err)
	}
	if left := slices.Collect(maps.Keys(files(t, tr.Dir))); !slices.Equal(left, []string{"metrics.jsonl"}) {
		t.Errorf("left of a paused trial: %v", left)
	}
	tr.Until = 0
	run(t, tr)
	before := files(t, tr.Dir)
	if err := RemoveCheckpoints(tr.Dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, files(t, tr.Dir)); diff != "" {
		t.Errorf("of a trial that has ended:\n%s", diff)
	}
}

// slowFits are detectors whose fits go through many states.
var slowFits = map[string]func(*Config){
	"kmeans":             func(c *Config) { c.Model.Clusters, c.Model.Restarts, c.Model.Silhouette = 8, 2, 50 },
	"kmeans, mini-batch": func(c *Config) { c.Model.Clusters, c.Model.MiniBatch, c.Model.Iterations = 8, 32, 6 },
	"gmm":                func(c *Config) { c.Model.Components, c.Model.Restarts, c.Model.Tolerance = 3, 2, 0.01 },
	"gmm, after pca":     func(c *Config) { c.Model.Components, c.Model.PCA, c.Model.Whiten = 2, 3, true },
	"dbscan":             func(c *Config) { c.Model.MinPoints = 3 },
	"isolation_forest":   nil,
	"logistic":           nil,
}

// TestWarnedFits warns a fit between all of its iterations: each run of the trial
// takes one.
func TestWarnedFits(t *testing.T) {
	for name, change := range slowFits {
		whole := detectorTrial(t, name, change)
		run(t, whole)
		broken := detectorTrial(t, name, change)
		stops := 0
		for ; ; stops++ {
			warn := make(chan struct{})
			next := again(broken)
			next.Warn, next.Config.Train.CheckpointMinutes = warn, 1
			looks := 0
			next.now = func() time.Time {
				// A look when the fit begins, one between two iterations.
				if looks++; looks == 4 {
					close(warn)
				}
				return time.Unix(0, 0)
			}
			_, err := next.Run(context.Background())
			if err == nil {
				break
			}
			if !errors.Is(err, ErrPreempted) {
				t.Fatalf("%s: %v", name, err)
			}
			if saved, _ := filepath.Glob(filepath.Join(broken.Dir, "checkpoint-fit-*.json")); len(saved) == 0 {
				t.Fatalf("%s: a warned fit left no checkpoint", name)
			}
			if stops > 500 {
				t.Fatalf("%s: the fit never ends", name)
			}
		}
		if stops == 0 {
			t.Errorf("%s: was not warned", name)
		}
		wantSameBytes(t, fmt.Sprintf("%s, warned %d times", name, stops), whole, broken)
	}
}

// TestFitsCheckpointByTheClock: a fit that is killed goes on from what the clock
// wrote.
func TestFitsCheckpointByTheClock(t *testing.T) {
	for name, change := range slowFits {
		whole := detectorTrial(t, name, change)
		run(t, whole)
		broken := detectorTrial(t, name, change)
		now, most := time.Unix(0, 0), 0
		broken.now = func() time.Time {
			saved, _ := filepath.Glob(filepath.Join(broken.Dir, "checkpoint-fit-*.safetensors"))
			most = max(most, len(saved))
			now = now.Add(10 * time.Minute)
			return now
		}
		run(t, broken)
		if most != 2 {
			t.Errorf("%s: %d checkpoints at a time, want the last two", name, most)
		}
		wantSameBytes(t, name, whole, broken)
	}
}
