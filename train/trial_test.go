package train

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
)

// flows is a small task: 600 rows of 6 columns, 30 attacks that lie apart in two
// columns and overlap a little.
func flows() *Data {
	d := &Data{
		Rows: 600, Cols: 6, Columns: []string{"a", "b", "c", "d", "e", "f"},
		Classes: []string{"BENIGN", "Bot"}, Labels: []string{"BENIGN", "Bot"},
		FlowsPerDay: 1000, Fingerprint: "flows",
	}
	for i := range int32(d.Rows) {
		class := int32(0)
		if i%20 == 0 {
			class = 1
		}
		for j := range uint64(d.Cols) {
			v := kernels.Normal(1, 1, uint32(i), j)
			if class == 1 && j < 2 {
				v += 2.5
			}
			d.X = append(d.X, v)
		}
		d.Class, d.Label = append(d.Class, class), append(d.Label, class)
		switch i / 20 % 3 {
		case 0:
			d.Train = append(d.Train, i)
		case 1:
			d.Validation = append(d.Validation, i)
		default:
			d.Test = append(d.Test, i)
		}
	}
	return d
}

func newTestBackend() kernels.Backend { return cpu.New() }

func trial(t *testing.T, kind string, change func(*Config)) *Trial {
	t.Helper()
	c := Defaults(kind)
	c.Model.Hidden = []int{8, 4}
	if kind == "autoencoder" {
		c.Model.Hidden = []int{8, 3, 8}
	}
	c.Train.Batch, c.Train.Epochs, c.Train.EarlyStop = 32, 6, EarlyStopConfig{}
	c.Train.CheckpointEpochs, c.Optimizer.LearningRate = 2, 0.01
	if change != nil {
		change(&c)
	}
	return &Trial{Config: c, Data: flows(), Seed: 3, Backend: cpu.New(), Dir: t.TempDir(), Fingerprint: "trial"}
}

func run(t *testing.T, tr *Trial) *Result {
	t.Helper()
	r, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// kinds are configurations that together use every path of a trial.
var kinds = []struct {
	name, kind string
	change     func(*Config)
}{
	{"dnn", "dnn", func(c *Config) { c.Model.Dropout = 0.2 }},
	{"dnn, ensemble, batch norm, stratified", "dnn", func(c *Config) {
		c.Model.Ensemble, c.Model.Norm, c.Train.Stratified = 3, "batch", true
	}},
	{"dnn, focal, clipped SGD", "dnn", func(c *Config) {
		c.Loss.Kind, c.Optimizer.Kind, c.Optimizer.Momentum, c.Optimizer.ClipNorm = "focal", "sgd", 0.9, 1
	}},
	{"dnn, early stop", "dnn", func(c *Config) {
		c.Train.Epochs = 40
		c.Train.EarlyStop = EarlyStopConfig{Metric: "validation.average_precision", Patience: 3}
	}},
	{"autoencoder, two passes", "autoencoder", func(c *Config) { c.Model.Noise, c.Model.Mask, c.Model.Passes = 0.3, 0.1, 2 }},
	{"autoencoder, ensemble, early stop on loss", "autoencoder", func(c *Config) {
		c.Model.Ensemble, c.Loss.Kind, c.Loss.Delta = 2, "huber", 1
		c.Train.EarlyStop = EarlyStopConfig{Metric: "validation.loss", Patience: 2}
	}},
}

func TestTrialLearns(t *testing.T) {
	for _, k := range kinds {
		tr := trial(t, k.kind, func(c *Config) {
			k.change(c)
			c.Train.Epochs = 40
		})
		r := run(t, tr)
		chance := r.Metrics["test.average_precision_chance"]
		if ap := r.Metrics["test.average_precision"]; r.State != StateDone || !(ap > 3*chance) {
			t.Errorf("%s: state %s, average precision %.3f, chance %.3f", k.name, r.State, ap, chance)
		}
		if len(r.Members) != tr.Config.Model.Ensemble {
			t.Errorf("%s: %d members, want %d", k.name, len(r.Members), tr.Config.Model.Ensemble)
		}
	}
}

// files reads what a trial leaves behind, by name.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		content[e.Name()] = string(raw)
	}
	return content
}

func TestThreadsDoNotChangeTheBytes(t *testing.T) {
	for _, k := range kinds {
		var first map[string]string
		for _, threads := range []int{1, 2, 5} {
			before := runtime.GOMAXPROCS(threads)
			tr := trial(t, k.kind, k.change)
			run(t, tr)
			runtime.GOMAXPROCS(before)
			got := files(t, tr.Dir)
			if first == nil {
				first = got
			}
			if diff := cmp.Diff(first, got); diff != "" {
				t.Errorf("%s: %d threads (-1 thread +%d):\n%.2000s", k.name, threads, threads, diff)
			}
		}
	}
}

func TestSeedsChangeTheWeights(t *testing.T) {
	a, b := trial(t, "dnn", nil), trial(t, "dnn", nil)
	b.Seed++
	if run(t, a).Members[0].SHA256 == run(t, b).Members[0].SHA256 {
		t.Error("two seeds gave the same weights")
	}
}

// finiteOnly is a hook that fails the test where it sees what no hook should.
func finiteOnly(t *testing.T) func(EpochMetrics) error {
	return func(m EpochMetrics) error {
		for name, v := range m.Values {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("hook sees %s = %v", name, v)
			}
		}
		return nil
	}
}

func TestDivergenceIsAResultThatNoHookSees(t *testing.T) {
	tr := trial(t, "dnn", func(c *Config) { c.Optimizer.Kind, c.Optimizer.LearningRate = "sgd", 1e38 })
	tr.OnEpoch = finiteOnly(t)
	r := run(t, tr)
	if r.State != StateDiverged || !strings.Contains(r.Reason, "step ") || !strings.Contains(r.Reason, "layer dense") {
		t.Errorf("state %s, reason %q; want diverged with step and layer", r.State, r.Reason)
	}
	if again := run(t, tr); again.Reason != r.Reason {
		t.Errorf("the second run says %q", again.Reason)
	}
}

func TestOverflowOnJudgedRowsIsADivergence(t *testing.T) {
	for _, kind := range []string{"dnn", "autoencoder"} {
		for part, epoch := range map[string]string{"validation": "(epoch ", "test": "(epoch 6,"} {
			tr := trial(t, kind, nil)
			rows := tr.Data.Validation
			if part == "test" {
				rows = tr.Data.Test
			}
			row := tr.Data.row(rows[3])
			for j := range row {
				row[j] = 3e38 // finite, and no sum of products of it is
			}
			tr.OnEpoch = finiteOnly(t)
			r := run(t, tr)
			if r.State != StateDiverged || !strings.Contains(r.Reason, "of layer dense") || !strings.Contains(r.Reason, epoch) {
				t.Errorf("%s, %s: state %s, reason %q", kind, part, r.State, r.Reason)
			}
			if len(r.Members) > 0 || len(r.Metrics) > 0 || r.Test != nil {
				t.Errorf("%s, %s: figures of a trial that diverged: %+v", kind, part, r)
			}
		}
	}
}

func TestBaselinesAreJudgedLikeModels(t *testing.T) {
	want := map[string]float64{"majority": 0.06, "best_single_feature": 0.3, "logistic_regression": 0.6}
	for _, kind := range Baselines() {
		tr := trial(t, "dnn", func(c *Config) { c.Model.Kind = kind })
		r := run(t, tr)
		if ap := r.Metrics["test.average_precision"]; !(ap >= want[kind]-0.02) {
			t.Errorf("%s: average precision %.3f, want at least %.2f", kind, ap, want[kind])
		}
	}
}

func TestPartsWithoutPositivesSayNotEvaluable(t *testing.T) {
	tr := trial(t, "dnn", func(c *Config) {
		c.Train.EarlyStop = EarlyStopConfig{Metric: "validation.average_precision", Patience: 2}
	})
	tr.Data.Validation = tr.Data.negatives(tr.Data.Validation)
	tr.Data.Test = tr.Data.negatives(tr.Data.Test)
	r := run(t, tr)
	if _, ok := r.Metrics["test.average_precision"]; ok || r.Test.AveragePrecision.OK {
		t.Error("average precision without a positive")
	}
	if why := r.Test.NotEvaluable["average_precision"]; !strings.Contains(why, "no positives in test") {
		t.Errorf("reason %q", why)
	}
	if r.Members[0].Epochs != tr.Config.Train.Epochs {
		t.Error("an early stop that cannot be evaluated ended the training")
	}
}

func TestPartsWithoutRowsSayNotEvaluable(t *testing.T) {
	for _, kind := range []string{"dnn", "autoencoder", "best_single_feature"} {
		tr := trial(t, "dnn", nil)
		if kind == "autoencoder" {
			tr = trial(t, kind, nil)
		}
		tr.Config.Model.Kind = kind
		tr.Data.Validation, tr.Data.Test = nil, nil
		r := run(t, tr)
		if r.State != StateDone || r.Test.Rows != 0 || r.Test.AveragePrecision.OK || r.Test.Threshold.OK {
			t.Errorf("%s: %+v", kind, r.Test)
		}
		if _, ok := r.Metrics["validation.loss"]; ok {
			t.Errorf("%s: a validation loss without a row", kind)
		}
	}
}

// TestLossesAreThoseOfTheBestEpochs: a study may rank by them.
func TestLossesAreThoseOfTheBestEpochs(t *testing.T) {
	tr := trial(t, "dnn", func(c *Config) {
		c.Model.Ensemble, c.Train.Epochs, c.Optimizer.LearningRate = 2, 40, 0.05
		c.Train.EarlyStop = EarlyStopConfig{Metric: "validation.loss", Patience: 3}
	})
	want := map[string]float64{}
	best := map[int]EpochMetrics{}
	tr.OnEpoch = func(m EpochMetrics) error {
		if b, ok := best[m.Member]; !ok || m.Values["validation.loss"] < b.Values["validation.loss"] {
			best[m.Member] = m
		}
		return nil
	}
	r := run(t, tr)
	for i := range 2 {
		if best[i].Epoch == r.Members[i].Epochs {
			t.Fatalf("the last epoch of member %d is the best one, which shows nothing", i)
		}
		want["train.loss"] += best[i].Values["train.loss"] / 2
		want["validation.loss"] += best[i].Values["validation.loss"] / 2
	}
	for name, v := range want {
		if got := r.Metrics[name]; got != v {
			t.Errorf("%s %v, want %v", name, got, v)
		}
	}
}

// TestEveryEarlyStopMetricIsRecorded: a metric that no epoch has would never stop
// a trial, and a study that ranks by one that no result has would rank nothing.
func TestEveryEarlyStopMetricIsRecorded(t *testing.T) {
	for _, kind := range []string{"dnn", "autoencoder"} {
		tr := trial(t, kind, func(c *Config) { c.Train.Epochs = 1 })
		tr.OnEpoch = func(m EpochMetrics) error {
			for _, name := range EarlyStopMetrics() {
				if _, ok := m.Values[name]; !ok {
					t.Errorf("%s: an epoch has no %s", kind, name)
				}
			}
			return nil
		}
		r := run(t, tr)
		for _, name := range EarlyStopMetrics() {
			if _, ok := r.Metrics[name]; !ok {
				t.Errorf("%s: the result has no %s", kind, name)
			}
		}
	}
}

func TestMulticlassTrial(t *testing.T) {
	tr := trial(t, "dnn", func(c *Config) { c.Train.Epochs = 30 })
	d := tr.Data
	d.Classes = append(d.Classes, "DDoS")
	d.Labels = d.Classes
	for i := range d.Class {
		if i%7 == 0 && d.Class[i] == 0 {
			d.Class[i], d.Label[i] = 2, 2
			d.X[i*d.Cols+4] -= 4
		}
	}
	r := run(t, tr)
	if ap := r.Metrics["test.macro_average_precision"]; !(ap > 0.7) {
		t.Errorf("macro average precision %.3f", ap)
	}
	if ap := r.Metrics["test.average_precision"]; !(ap > 0.7) {
		t.Errorf("average precision of attacks against benign %.3f", ap)
	}
}
