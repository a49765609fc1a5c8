package spec

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const adaptive = plainDNN + `sweep:
  method: tpe
  trials: 64
  early_terminate: {type: asha}
  parameters: {model.dropout: {distribution: uniform, min: 0, max: 0.5}}
`

func TestAdaptiveDefaults(t *testing.T) {
	s := mustParse(t, adaptive).Sweep
	if s.Concurrency != 8 || s.Retries != 2 || s.MaxFailed != 10 || s.Slurm != nil || s.Budget != (Budget{}) {
		t.Errorf("%+v", s)
	}
	if *s.TPE != DefaultTPE() {
		t.Errorf("%+v", s.TPE)
	}
	if diff := cmp.Diff(&EarlyTerminate{Type: "asha", MinEpochs: 1, Eta: 3}, s.EarlyTerminate); diff != "" {
		t.Error(diff)
	}
	s = mustParse(t, adaptive, "sweep.early_terminate.type=median", "sweep.tpe.gamma=0.3", "sweep.retries=0", "sweep.slurm.gpus=2").Sweep
	if diff := cmp.Diff(&EarlyTerminate{Type: "median", MinEpochs: 1, Every: 1, Startup: 5}, s.EarlyTerminate); diff != "" {
		t.Error(diff)
	}
	if want := (TPE{Startup: 10, Candidates: 24, Gamma: 0.3}); *s.TPE != want || s.Retries != 0 {
		t.Errorf("%+v, %d retries", s.TPE, s.Retries)
	}
	if diff := cmp.Diff(&Slurm{GPUs: 2, CPUs: 1, Workers: 1, Warn: Duration(2 * time.Minute)}, s.Slurm); diff != "" {
		t.Error(diff)
	}
	random := mustParse(t, strings.Replace(adaptive, "tpe", "random", 1)).Sweep
	if random.TPE != nil || random.Concurrency != 0 {
		t.Errorf("%+v", random)
	}
}

func TestLimits(t *testing.T) {
	s := mustParse(t, adaptive+`  retries: 1
  max_failed: 3
  budget: {trials: 200, wall: 1d8h, gpu_hours: 1.5, min_free_disk: 2GB}
  slurm: {partition: gpu, gpus: 1, cpus: 8, memory: 32GiB, time: 4h, workers: 16, throttle: 8, warn: 90s, extra: ["--account=x", --exclusive]}
`).Sweep
	if want := (Budget{200, Duration(32 * time.Hour), 1.5, 2e9}); s.Budget != want || s.Retries != 1 || s.MaxFailed != 3 {
		t.Errorf("%+v, %d retries, %d failed", s.Budget, s.Retries, s.MaxFailed)
	}
	want := &Slurm{"gpu", 1, 8, 32 << 30, Duration(4 * time.Hour), 16, 8, Duration(90 * time.Second), []string{"--account=x", "--exclusive"}}
	if diff := cmp.Diff(want, s.Slurm); diff != "" {
		t.Error(diff)
	}
}

// TestCanonicalHoldsWhatDecides: two specs are the same study where they differ
// in nothing that decides a result.
func TestCanonicalHoldsWhatDecides(t *testing.T) {
	plain := string(mustParse(t, adaptive).Canonical())
	for _, set := range []string{
		"sweep.retries=5", "sweep.max_failed=5", "sweep.budget.wall=8h", "sweep.budget.trials=9", "sweep.budget.min_free_disk=1GB", "sweep.slurm.gpus=1",
		"sweep.concurrency=8", "sweep.early_terminate.eta=3", "sweep.tpe.startup=10",
	} {
		if string(mustParse(t, adaptive, set).Canonical()) != plain {
			t.Errorf("%s makes another study", set)
		}
	}
	for _, set := range []string{
		"sweep.concurrency=9", "sweep.early_terminate.eta=4", "sweep.early_terminate.min_epochs=2", "sweep.early_terminate.type=hyperband",
		"sweep.tpe.startup=11", "sweep.tpe.gamma=0.2", "sweep.tpe.candidates=25",
	} {
		if string(mustParse(t, adaptive, set).Canonical()) == plain {
			t.Errorf("%s changes nothing", set)
		}
	}
	when := "    train.batch: {values: [32, 64], when: {model.norm: [layer]}}\n    model.norm: {values: [none, layer]}\n"
	block := strings.Replace(adaptive, "parameters: {model.dropout: {distribution: uniform, min: 0, max: 0.5}}", "parameters:\n"+when, 1)
	if string(mustParse(t, block).Canonical()) == string(mustParse(t, strings.Replace(block, "[layer]", "[none]", 1)).Canonical()) {
		t.Error("another condition makes no other study")
	}
}

func TestDurationsAndSizes(t *testing.T) {
	for word, want := range map[string]time.Duration{"8h": 8 * time.Hour, "1h30m": 90 * time.Minute, "120s": 2 * time.Minute, "2d1s": 48*time.Hour + time.Second} {
		var d Duration
		if err := d.read(value{kind: text, text: word, at: place{&source{}, 1, 1}}, "x"); err != nil || time.Duration(d) != want {
			t.Errorf("%s is %v (%v)", word, d, err)
		}
	}
	for word, want := range map[string]Size{"2GB": 2e9, "1.5KB": 1500, "512MiB": 512 << 20, "7B": 7, "1TiB": 1 << 40, "0.5KiB": 512} {
		var s Size
		if err := s.read(value{kind: text, text: word, at: place{&source{}, 1, 1}}, "x"); err != nil || s != want {
			t.Errorf("%s is %d (%v)", word, s, err)
		}
	}
	for _, word := range []string{"", "h", "8", "-8h", "8.5h", "8h ", "1s1m", "1h1h", "100000d", "8H", "1ms", "GB", "2gb", "2 GB", "-2GB", "1e3MB", "2G", "1.MB"} {
		var d Duration
		var s Size
		at := value{kind: text, text: word, at: place{&source{}, 1, 1}}
		if d.read(at, "x") == nil || s.read(at, "x") == nil {
			t.Errorf("%q was read as %v or %v", word, d, s)
		}
	}
}

// TestQuantitiesReadBack: what String writes is read as the same.
func TestQuantitiesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := place{&source{}, 1, 1}
		d := Duration(rapid.Int64Range(1, 1e8).Draw(t, "seconds")) * Duration(time.Second)
		var again Duration
		if err := again.read(value{kind: text, text: d.String(), at: at}, "x"); err != nil || again != d {
			t.Fatalf("%v is read as %v (%v)", d, again, err)
		}
		s := Size(rapid.OneOf(rapid.Int64Range(1, 1e15-1), rapid.Map(rapid.Int64Range(1, 9000), func(n int64) int64 { return n << 30 })).Draw(t, "bytes"))
		var same Size
		if err := same.read(value{kind: text, text: s.String(), at: at}, "x"); err != nil || same != s {
			t.Fatalf("%v is read as %v (%v)", s, same, err)
		}
	})
	if Duration(0).String() != "0s" || Size(0).String() != "0B" {
		t.Errorf("%v, %v", Duration(0), Size(0))
	}
}

// TestMaxEpochs counts the first network of an ensemble, and what the sweep varies.
func TestMaxEpochs(t *testing.T) {
	for want, text := range map[int]string{
		20: plainDNN,
		7:  plainDNN + "train: {epochs: 7}\n",
		9:  plainDNN + "train: {epochs: 7}\nsweep: {method: grid, parameters: {train.epochs: {values: [3, 9]}, model.ensemble: {values: [1, 4]}}}\n",
		30: plainDNN + "sweep: {method: random, trials: 3, parameters: {train.epochs: {distribution: int_uniform, min: 5, max: 30}}}\n",
		0:  head + "model: {kind: pca}\n",
		50: head + "sweep: {method: grid, variants: [{name: a, set: {model.kind: pca}}, {name: b, set: {model.kind: dnn, train.epochs: 50}}]}\n",
	} {
		if got := mustParse(t, text).MaxEpochs(); got != want {
			t.Errorf("%d epochs, want %d:\n%s", got, want, text)
		}
	}
}
