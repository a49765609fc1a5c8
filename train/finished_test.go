package train

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowbench/data/scale"
	"flowbench/kernels/cpu"
	"flowbench/train/detect"
	"flowbench/train/metric"
)

// prepared says that the trial's matrix came from raw flows that were scaled by
// one: raw and scaled values are the same.
func prepared(tr *Trial) *Trial {
	cols := tr.Data.Cols
	s := &scale.Scaler{Columns: tr.Data.Columns, Func: scale.Identity, Fill: make([]float32, cols), Mean: make([]float32, cols), InvStd: make([]float32, cols)}
	for i := range s.InvStd {
		s.InvStd[i] = 1
	}
	tr.Data.Preparation = &Preparation{Flows: "raw", Scaler: s, LabelClass: []int32{0, 1}}
	return tr
}

// everyKind is a trial of every kind of model and option.
func everyKind(t *testing.T) map[string]*Trial {
	trials := map[string]*Trial{}
	for _, k := range kinds {
		trials[k.name] = prepared(trial(t, k.kind, k.change))
	}
	for _, score := range scores["autoencoder"] {
		trials["autoencoder, "+score] = prepared(trial(t, "autoencoder", func(c *Config) { c.Model.Score = score }))
	}
	for _, activation := range []string{"leaky_relu", "gelu", "tanh", "sigmoid"} {
		trials["dnn, "+activation] = prepared(trial(t, "dnn", func(c *Config) { c.Model.Activation, c.Model.Norm = activation, "layer" }))
	}
	for name, change := range detectorKinds {
		trials[name] = prepared(detectorTrial(t, name, change))
	}
	trials["nearest_neighbour, residual"] = prepared(detectorTrial(t, "nearest_neighbour", func(c *Config) { c.Model.Score = "residual" }))
	for _, covariance := range []string{"tied", "diag", "spherical"} {
		trials["gmm, "+covariance] = prepared(detectorTrial(t, "gmm", func(c *Config) { c.Model.Components, c.Model.Covariance = 2, covarianceNamed(covariance) }))
	}
	for _, kind := range Baselines() {
		tr := prepared(trial(t, "dnn", nil))
		tr.Config = Config{Model: ModelConfig{Kind: kind}, Threshold: tr.Config.Threshold}
		trials[kind] = tr
	}
	return trials
}

func covarianceNamed(prefix string) string {
	for _, r := range detectorRules() {
		if r.Field == "model.covariance" {
			for _, word := range r.OneOf {
				if strings.HasPrefix(word, prefix) {
					return word
				}
			}
		}
	}
	panic("no covariance " + prefix)
}

// opened scores rows of a finished trial's data with the model that it left.
func opened(t *testing.T, tr *Trial) (*Finished, *Scorer) {
	t.Helper()
	f, err := OpenFinished(tr.Dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Scorer(cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return f, s
}

func TestAFinishedTrialScoresAsItWasJudged(t *testing.T) {
	for name, tr := range everyKind(t) {
		r := run(t, tr)
		f, s := opened(t, tr)
		x := tr.Data.gather(tr.Data.Test)
		scores, raw := make([]float64, len(tr.Data.Test)), make([]float64, len(tr.Data.Test))
		if err := s.Score(context.Background(), x, scores); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := s.ScoreRaw(context.Background(), x, raw); err != nil || !cmp.Equal(raw, scores) {
			t.Errorf("%s: raw rows score otherwise than scaled ones: %v", name, err)
		}
		for i := range 3 { // a row's score is its own
			one := make([]float64, 1)
			if err := s.Score(context.Background(), x[i*tr.Data.Cols:(i+1)*tr.Data.Cols], one); err != nil || one[0] != scores[i] {
				t.Errorf("%s: row %d scores %v alone and %v among others: %v", name, i, one[0], scores[i], err)
			}
		}
		again, err := tr.report("test", tr.Data.Test, scores, f.Model.Threshold)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Test, again); diff != "" {
			t.Errorf("%s: the trial was judged otherwise:\n%s", name, diff)
		}
	}
}

func TestPartsOfAScore(t *testing.T) {
	without := map[string]bool{"isolation_forest": true, "majority": true, "gmm, after pca": true}
	for name, tr := range everyKind(t) {
		run(t, tr)
		f, s := opened(t, tr)
		x := tr.Data.gather(tr.Data.Test)
		parts, scores := make([]float32, len(x)), make([]float64, len(tr.Data.Test))
		if s.members != nil && !strings.HasPrefix(name, "autoencoder") {
			s.fineSteps(t)
		}
		err := s.Explain(context.Background(), x, parts)
		if without[name] {
			if !errors.Is(err, ErrNoExplanation) || s.Method() != "" {
				t.Errorf("%s: %v, method %q", name, err, s.Method())
			}
			continue
		}
		if err != nil || s.Method() == "" {
			t.Errorf("%s: %v, method %q", name, err, s.Method())
			continue
		}
		if err := s.Score(context.Background(), x, scores); err != nil {
			t.Fatal(err)
		}
		want := wantSum(t, f, s, tr, x, scores)
		for i := range scores {
			sum, size := 0.0, 0.0
			for _, v := range parts[i*tr.Data.Cols : (i+1)*tr.Data.Cols] {
				sum += float64(v)
				size += math.Abs(float64(v))
			}
			limit := 1e-4 * (size + 1)
			if f.Model.Config.Model.Kind == "dnn" {
				limit = 5e-3 * (size + 0.1)
			}
			if got := want(i); !(math.Abs(sum-got) <= limit) {
				t.Errorf("%s: the parts of row %d sum to %v, want %v within %v", name, i, sum, got, limit)
				break
			}
		}
	}
}

// wantSum is what the parts of a row sum to, by the definition of the kind.
func wantSum(t *testing.T, f *Finished, s *Scorer, tr *Trial, x []float32, scores []float64) func(i int) float64 {
	c := f.Model.Config.Model
	switch {
	case c.Kind == "dnn":
		at, start := memberMean(t, s, x), memberMean(t, s, f.Model.Reference)[0]
		return func(i int) float64 { return at[i] - start }
	case c.Kind == "logistic" || c.Kind == "logistic_regression":
		zero := make([]float64, 1)
		if err := s.Score(context.Background(), make([]float32, tr.Data.Cols), zero); err != nil {
			t.Fatal(err)
		}
		return func(i int) float64 { return scores[i] - zero[0] }
	case c.Kind == "kmeans" && c.Score == "spread", c.Kind == "gmm":
		return func(i int) float64 { return positiveSum(t, s, x, i, tr.Data.Cols) }
	case c.Kind == "kmeans", c.Kind == "nearest_neighbour" && c.Score != "residual":
		return func(i int) float64 { return scores[i] * scores[i] }
	case c.Kind == "nearest_neighbour":
		return func(i int) float64 { return scores[i] * float64(tr.Data.Cols) }
	case c.Kind == "dbscan":
		return func(i int) float64 {
			eps := 1.0
			if found, ok := epsOf(s); ok {
				eps = found
			}
			return scores[i] * scores[i] * eps * eps
		}
	}
	return func(i int) float64 { return scores[i] }
}

// positiveSum holds that a sum of squares, of which there is no score to compare
// with, is not negative: it is its own want.
func positiveSum(t *testing.T, s *Scorer, x []float32, i, cols int) float64 {
	parts := make([]float32, cols)
	if err := s.Explain(context.Background(), x[i*cols:(i+1)*cols], parts); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, v := range parts {
		sum += float64(v)
	}
	if !(sum >= 0) {
		t.Errorf("a squared distance is %v", sum)
	}
	return sum
}

// memberMean is the mean of the members' own scores.
func memberMean(t *testing.T, s *Scorer, x []float32) []float64 {
	t.Helper()
	rows := len(x) / s.members[0].network.data.Cols
	if err := s.look(x, rows); err != nil {
		t.Fatal(err)
	}
	mean, one := make([]float64, rows), make([]float64, rows)
	for _, m := range s.members {
		if err := m.scores(context.Background(), s.every, one); err != nil {
			t.Fatal(err)
		}
		for i, v := range one {
			mean[i] += v / float64(len(s.members))
		}
	}
	return mean
}

func TestOpenFinishedSaysWhatIsWrong(t *testing.T) {
	whole := prepared(trial(t, "dnn", nil))
	run(t, whole)
	weights := filepath.Join(whole.Dir, "checkpoint-member0-best.safetensors")
	change := func(path string, to func(raw []byte) []byte) func() {
		return func() {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if raw = to(raw); raw == nil {
				os.Remove(path)
			} else if err := os.WriteFile(path, raw, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	gone := func([]byte) []byte { return nil }
	model, result := filepath.Join(whole.Dir, modelName), filepath.Join(whole.Dir, resultName)
	for name, c := range map[string]struct {
		spoil func()
		want  []string
	}{
		"a bit of the weights": {change(weights, func(raw []byte) []byte { raw[len(raw)-1] ^= 1; return raw }), []string{"damaged", "SHA-256", weights}},
		"no weights":           {change(weights, gone), []string{"weights", "remove the trial's folder"}},
		"no model.json":        {change(model, gone), []string{modelName, "train it again"}},
		"half a model.json":    {change(model, func(raw []byte) []byte { return raw[:len(raw)/2] }), []string{modelName, "train it again"}},
		"another model.json": {change(model, func(raw []byte) []byte {
			return []byte(strings.Replace(string(raw), `"fingerprint": "trial"`, `"fingerprint": "other"`, 1))
		}), []string{"different trials"}},
		"unfinished": {func() {
			change(result, gone)()
			os.WriteFile(filepath.Join(whole.Dir, "spec.yaml"), nil, 0o644)
		}, []string{"has not finished"}},
		"no trial": {change(result, gone), []string{"is no trial"}},
		"diverged": {change(result, func(raw []byte) []byte {
			return []byte(strings.Replace(string(raw), `"state": "done"`, `"state": "diverged"`, 1))
		}), []string{"diverged", "no model"}},
	} {
		before := files(t, whole.Dir)
		c.spoil()
		_, err := OpenFinished(whole.Dir)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q in it", name, err, want)
			}
		}
		os.Remove(filepath.Join(whole.Dir, "spec.yaml"))
		for file, content := range before {
			os.WriteFile(filepath.Join(whole.Dir, file), []byte(content), 0o644)
		}
	}
	if _, err := OpenFinished(whole.Dir); err != nil {
		t.Error(err)
	}
}

func TestThresholdAtKeepsTheRate(t *testing.T) {
	scores, positive := make([]float64, 5000), make([]bool, 5000)
	for i := range scores {
		scores[i] = float64(i * 7919 % 5000 / 2) // every value twice
		positive[i] = i%50 == 0
	}
	m := &ModelFile{Tail: tail(scores, positive), ThresholdOn: "validation", Parts: map[string]PartCount{"validation": {5000, 100}}}
	for _, limit := range []float64{0.0001, 0.001, 0.01, 0.1, 0.5, 0.99} {
		got, err := m.ThresholdAt(limit)
		if err != nil {
			t.Fatal(err)
		}
		exact, err := metric.ChooseThreshold(scores, positive, metric.Rule{MaxFalsePositiveRate: limit})
		if err != nil {
			t.Fatal(err)
		}
		c, err := metric.Confuse(scores, positive, got)
		if err != nil {
			t.Fatal(err)
		}
		rate := float64(c.FP) / 4900
		if rate > limit || got < exact.V || rate < 0.985*limit-2.0/4900 {
			t.Errorf("limit %v: threshold %v has the rate %v; the lowest is %v", limit, got, rate, exact.V)
		}
	}
	for _, limit := range []float64{0, 1, math.NaN()} {
		if _, err := m.ThresholdAt(limit); err == nil {
			t.Errorf("a rate of %v is none", limit)
		}
	}
}

// epsOf is the radius of a DBSCAN.
func epsOf(s *Scorer) (float64, bool) {
	d, ok := s.detector.(*detect.DBSCAN)
	if !ok {
		return 0, false
	}
	c, ok := d.Clustering()
	return c.Eps, ok
}

// fineSteps takes paths of so many steps that the midpoint rule's error, which is
// one of 32 steps across the kinks of a few units, does not hide one of the gradient.
func (s *Scorer) fineSteps(t *testing.T) {
	t.Helper()
	if err := s.addGradients(context.Background(), nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range s.paths {
		p.steps = 2048
	}
}
