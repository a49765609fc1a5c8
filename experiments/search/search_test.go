package search

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"flowbench/experiments/spec"
)

var update = flag.Bool("update", false, "rewrite the golden plans; read the diff")

const head = "name: a\ndata: {source: flows.csv, positive: [Infiltration]}\nmodel: {kind: dnn}\n"

func mustSpec(t testing.TB, sweep string, set ...string) *spec.Spec {
	t.Helper()
	s, err := spec.Parse("a.yaml", []byte(head+"sweep:\n"+sweep), set...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustPlan(t testing.TB, s *spec.Spec) *Plan {
	t.Helper()
	p, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func words(p *Plan) []string {
	all := make([]string, len(p.Configurations))
	for i, params := range p.Configurations {
		all[i] = params.String()
	}
	return all
}

const gridSweep = `  method: grid
  replicates: 2
  parameters:
    train.batch: {values: [32, 64]}
    optimizer.learning_rate: {values: [1e-3, 1e-2]}
  variants:
    - name: deep
      set: {model.hidden: [8, 8]}
      parameters: {loss.class_weight: {values: [none, balanced]}}
    - name: coder
      set: {model.kind: autoencoder}
`

func TestGridOrder(t *testing.T) {
	p := mustPlan(t, mustSpec(t, gridSweep))
	want := []string{
		"variant=deep train.batch=32 optimizer.learning_rate=0.001 loss.class_weight=none",
		"variant=deep train.batch=32 optimizer.learning_rate=0.001 loss.class_weight=balanced",
		"variant=deep train.batch=32 optimizer.learning_rate=0.01 loss.class_weight=none",
		"variant=deep train.batch=32 optimizer.learning_rate=0.01 loss.class_weight=balanced",
		"variant=deep train.batch=64 optimizer.learning_rate=0.001 loss.class_weight=none",
		"variant=deep train.batch=64 optimizer.learning_rate=0.001 loss.class_weight=balanced",
		"variant=deep train.batch=64 optimizer.learning_rate=0.01 loss.class_weight=none",
		"variant=deep train.batch=64 optimizer.learning_rate=0.01 loss.class_weight=balanced",
		"variant=coder train.batch=32 optimizer.learning_rate=0.001",
		"variant=coder train.batch=32 optimizer.learning_rate=0.01",
		"variant=coder train.batch=64 optimizer.learning_rate=0.001",
		"variant=coder train.batch=64 optimizer.learning_rate=0.01",
	}
	if diff := cmp.Diff(want, words(p)); diff != "" {
		t.Error(diff)
	}
	if len(p.Seeds) != 2 || p.Seeds[0] == p.Seeds[1] {
		t.Errorf("seeds %v, want two different ones", p.Seeds)
	}
	if want := (spec.Metric{Name: "validation.average_precision", Goal: "maximize"}); p.Study != "a" || p.Metric != want {
		t.Errorf("study %s, metric %+v", p.Study, p.Metric)
	}
}

// TestConfigurationsResolve: what a plan lists, the spec makes a run of.
func TestConfigurationsResolve(t *testing.T) {
	s := mustSpec(t, gridSweep, "data.split.per_replicate=true")
	p := mustPlan(t, s)
	last, err := s.With(p.Configurations[11])
	if err != nil {
		t.Fatal(err)
	}
	run := last.Replicate(1, p.Seeds[1])
	if run.Model.Kind != "autoencoder" || run.Train.Batch != 64 || run.Seed != p.Seeds[1] || run.Data.Split.Seed != 2 {
		t.Errorf("%+v", run)
	}
}

const randomSweep = `  method: random
  trials: 40
  replicates: 3
  seed: 11
  parameters:
    optimizer.learning_rate: {distribution: log_uniform, min: 1e-4, max: 1e-2}
    model.dropout: {distribution: uniform, min: 0, max: 0.5, step: 0.1}
    optimizer.clip_norm: {distribution: uniform, min: 0.5, max: 2}
    train.batch: {distribution: int_log_uniform, min: 16, max: 1024}
    train.epochs: {distribution: int_uniform, min: 5, max: 25, step: 5}
    model.hidden: {values: [[64, 32], [128]]}
`

// TestGoldenPlan pins the draws: a plan must be the same next year and on every machine.
func TestGoldenPlan(t *testing.T) {
	p := mustPlan(t, mustSpec(t, randomSweep))
	goldenLines(t, "random.plan.txt", append([]string{fmt.Sprintf("seeds %d", p.Seeds)}, words(p)...))
}

// TestGoldenSobolPlan pins the sequence, its scrambling, and how words of random
// bits become values.
func TestGoldenSobolPlan(t *testing.T) {
	sweep := strings.Replace(randomSweep, "random", "sobol", 1) + "    train.checkpoint_epochs: {distribution: int_log_uniform, min: 1, max: 8, when: {train.epochs: [5, 10]}}\n"
	goldenLines(t, "sobol.plan.txt", words(mustPlan(t, mustSpec(t, sweep))))
}

// goldenLines compares lines with a file in testdata, or writes it where -update is given.
func goldenLines(t *testing.T, name string, lines []string) {
	t.Helper()
	got := strings.Join(lines, "\n") + "\n"
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-golden +now)\n%s", diff)
	}
}

// TestAddedParameterLeavesOthersAlone: a study that varies one thing more keeps its other values.
func TestAddedParameterLeavesOthersAlone(t *testing.T) {
	before := mustPlan(t, mustSpec(t, randomSweep))
	after := mustPlan(t, mustSpec(t, randomSweep+"    model.norm: {values: [none, layer]}\n"))
	for i, params := range before.Configurations {
		if got := after.Configurations[i][:len(params)].String(); got != params.String() {
			t.Errorf("configuration %d was %s, is %s", i, params, got)
		}
	}
}

func TestSeedsMatter(t *testing.T) {
	a, b := mustPlan(t, mustSpec(t, randomSweep)), mustPlan(t, mustSpec(t, randomSweep, "sweep.seed=12"))
	if a.Seeds[0] == b.Seeds[0] || a.Configurations[0].String() == b.Configurations[0].String() {
		t.Error("two seeds make one plan")
	}
}

func TestSeedsAreDistinct(t *testing.T) {
	seen := map[uint64]bool{}
	all := seeds(5, 1000)
	for _, s := range all {
		if seen[s] || s >= 1<<32 {
			t.Errorf("seed %d", s)
		}
		seen[s] = true
	}
	if diff := cmp.Diff(all[:3], seeds(5, 3)); diff != "" {
		t.Errorf("more replicates change the seeds of the first ones: %s", diff)
	}
}

// TestRandomFindsAllOfASmallSpace wants each of 12 configurations once, and a word on the rest.
func TestRandomFindsAllOfASmallSpace(t *testing.T) {
	p := mustPlan(t, mustSpec(t, "  method: random\n  trials: 64\n  parameters:\n    train.batch: {values: [1, 2, 3, 4]}\n    train.epochs: {distribution: int_uniform, min: 1, max: 3}\n"))
	seen := map[string]bool{}
	for _, w := range words(p) {
		seen[w] = true
	}
	if len(p.Configurations) != 12 || len(seen) != 12 {
		t.Errorf("%d configurations, %d different", len(p.Configurations), len(seen))
	}
	if want := []string{"the search space has no more different configurations: 52 of those asked for would repeat one and are left out"}; cmp.Diff(want, p.Notes) != "" {
		t.Errorf("notes %q", p.Notes)
	}
}

func TestRandomTakesTurnsBetweenVariants(t *testing.T) {
	p := mustPlan(t, mustSpec(t, "  method: random\n  trials: 6\n  variants:\n    - name: one\n    - name: many\n      parameters: {optimizer.learning_rate: {distribution: log_uniform, min: 1e-4, max: 1}}\n"))
	var names []string
	for _, params := range p.Configurations {
		name, _ := params.Get(spec.VariantKey)
		names = append(names, name.(string))
	}
	if diff := cmp.Diff([]string{"one", "many", "many", "many"}, names); diff != "" {
		t.Error(diff)
	}
	if len(p.Notes) != 1 || !strings.HasPrefix(p.Notes[0], "variant one") {
		t.Errorf("notes %q", p.Notes)
	}
}

func TestErrors(t *testing.T) {
	values := make([]string, 60)
	for i := range values {
		values[i] = fmt.Sprint(i + 1)
	}
	list := strings.Join(values, ", ")
	for part, sweep := range map[string]string{
		"1.296e+07 configurations × 1 replicates are more than the 100000 trials": "  method: grid\n  parameters:\n    train.batch: {values: [" + list + "]}\n    train.epochs: {values: [" + list +
			"]}\n    model.ensemble: {values: [" + list + "]}\n    train.checkpoint_epochs: {values: [" + list + "]}\n",
		"5000 configurations × 30 replicates": "  method: random\n  trials: 5000\n  replicates: 30\n  parameters: {train.batch: {values: [1]}}\n",
		// Neither value alone is wrong: the pair is, and only the plan tries it.
		"a.yaml:8:32: train.batch: is 1, but model.norm batch needs a variance": "  method: grid\n  parameters:\n    model.norm: {values: [none, batch]}\n    train.batch: {values: [64, 1]}\n",
	} {
		s, err := spec.Parse("a.yaml", []byte(head+"sweep:\n"+sweep))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(s); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want ...%s...", err, part)
		}
	}
	s, err := spec.Parse("a.yaml", []byte(head))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(s); err == nil || !strings.Contains(err.Error(), "no section sweep") {
		t.Errorf("got %v", err)
	}
}

// TestDrawsStayInRange: whatever the range and the bits, the value lies in it and on its steps.
func TestDrawsStayInRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := spec.Parameter{Distribution: rapid.SampledFrom(spec.Distributions()).Draw(t, "distribution")}
		integer := strings.HasPrefix(p.Distribution, "int_")
		if integer {
			p.Min = float64(rapid.IntRange(1, 1000).Draw(t, "min"))
			p.Max = p.Min + float64(rapid.IntRange(1, 1_000_000).Draw(t, "span"))
		} else {
			p.Min = rapid.Float64Range(1e-9, 1e6).Draw(t, "min")
			p.Max = p.Min * rapid.Float64Range(1.0000001, 1e9).Draw(t, "ratio")
		}
		word := rapid.OneOf(rapid.Uint64(), rapid.Just(uint64(0)), rapid.Just(uint64(math.MaxUint64))).Draw(t, "word")
		v := pickNumber(p, word)
		if !(v >= p.Min && v <= p.Max) || integer && v != math.Trunc(v) {
			t.Fatalf("%v from %+v", v, p)
		}
	})
}

// TestDistributions counts 20,000 draws. A share is off by 5 standard errors once in 10⁶ runs of other seeds.
func TestDistributions(t *testing.T) {
	const n = 20_000
	share := func(p spec.Parameter, hit func(float64) bool) float64 {
		hits := 0
		for i := range n {
			if hit(pickNumber(p, draw(3, i, 0, p.Distribution))) {
				hits++
			}
		}
		return float64(hits) / n
	}
	for _, tc := range []struct {
		p    spec.Parameter
		hit  func(float64) bool
		want float64
	}{
		{spec.Parameter{Distribution: "uniform", Min: 2, Max: 6}, func(v float64) bool { return v < 3 }, 0.25},
		{spec.Parameter{Distribution: "uniform", Min: 0, Max: 0.5, Step: 0.1}, func(v float64) bool { return v == 0.3 }, 1.0 / 6},
		{spec.Parameter{Distribution: "uniform", Min: 0, Max: 0.5, Step: 0.1}, func(v float64) bool { return v == 0.5 }, 1.0 / 6},
		{spec.Parameter{Distribution: "log_uniform", Min: 1e-4, Max: 1}, func(v float64) bool { return v < 1e-3 }, 0.25},
		{spec.Parameter{Distribution: "int_uniform", Min: 1, Max: 6}, func(v float64) bool { return v == 6 }, 1.0 / 6},
		{spec.Parameter{Distribution: "int_uniform", Min: 5, Max: 24, Step: 5}, func(v float64) bool { return v == 20 }, 0.25},
		{spec.Parameter{Distribution: "int_log_uniform", Min: 1, Max: 7}, func(v float64) bool { return v == 1 }, math.Log(2) / math.Log(8)},
		{spec.Parameter{Distribution: "int_log_uniform", Min: 1, Max: 7}, func(v float64) bool { return v >= 4 }, math.Log(2) / math.Log(8)},
	} {
		got := share(tc.p, tc.hit)
		if !(math.Abs(got-tc.want) <= 5*math.Sqrt(tc.want*(1-tc.want)/n)) {
			t.Errorf("%+v: share %v, want %v", tc.p, got, tc.want)
		}
	}
}

// TestShippedPlans plans every shipped spec.
func TestShippedPlans(t *testing.T) {
	paths, err := filepath.Glob("../*.yaml")
	if err != nil || len(paths) < 5 {
		t.Fatalf("%d specs: %v", len(paths), err)
	}
	for _, path := range paths {
		s, err := spec.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		p := mustPlan(t, s)
		if len(p.Notes) > 0 {
			t.Errorf("%s: %q", path, p.Notes)
		}
		t.Logf("%s: %d configurations, %d replicates", path, len(p.Configurations), len(p.Seeds))
	}
}
