package train

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/kernels/cpu"
	"flowbench/train/checkpoint"
)

// detectorKinds are configurations that together use every detector and option
// of a spec.
var detectorKinds = map[string]func(*Config){
	"pca":                    func(c *Config) { c.Model.Variance = 0.5 },
	"pca, mahalanobis":       func(c *Config) { c.Model.Components, c.Model.Variance, c.Model.Score = 3, 0, "mahalanobis" },
	"kmeans":                 func(c *Config) { c.Model.Clusters, c.Model.Silhouette = 8, 100 },
	"kmeans, mini-batch":     func(c *Config) { c.Model.Clusters, c.Model.MiniBatch, c.Model.Score = 8, 32, "spread" },
	"gmm":                    func(c *Config) { c.Model.Components = 2 },
	"gmm, after pca":         func(c *Config) { c.Model.Components, c.Model.PCA, c.Model.Whiten = 2, 3, true },
	"dbscan":                 func(c *Config) { c.Model.MinPoints = 3 },
	"dbscan, eps":            func(c *Config) { c.Model.Eps = 2 },
	"isolation_forest":       nil,
	"nearest_neighbour":      func(c *Config) { c.Model.Neighbours = 2 },
	"logistic":               nil,
	"kmeans, fit.max_rows":   func(c *Config) { c.Model.Clusters, c.Fit.MaxRows = 4, 50 },
	"logistic, fit.max_rows": func(c *Config) { c.Fit.MaxRows = 50 },
}

func detectorTrial(t *testing.T, name string, change func(*Config)) *Trial {
	t.Helper()
	kind, _, _ := strings.Cut(name, ",")
	c := Defaults(kind)
	if change != nil {
		change(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return &Trial{Config: c, Data: flows(), Seed: 3, Backend: cpu.New(), Dir: t.TempDir(), Fingerprint: "trial"}
}

func TestDetectorsDetect(t *testing.T) {
	for name, change := range detectorKinds {
		tr := detectorTrial(t, name, change)
		r := run(t, tr)
		chance := r.Metrics["test.average_precision_chance"]
		if ap := r.Metrics["test.average_precision"]; r.State != StateDone || !(ap > 1.5*chance) {
			t.Errorf("%s: state %s, average precision %.3f, chance %.3f", name, r.State, ap, chance)
		}
		if len(r.Members) != 1 || r.Members[0].Weights == "" || r.Members[0].SHA256 == "" {
			t.Errorf("%s: weights %+v", name, r.Members)
		}
		if _, err := checkpoint.Load(filepath.Join(tr.Dir, r.Members[0].Weights)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFiguresOfAFitAreMetrics(t *testing.T) {
	r := run(t, detectorTrial(t, "kmeans", detectorKinds["kmeans"]))
	for _, name := range []string{"inertia", "iterations", "converged", "silhouette"} {
		if v, ok := r.Fit[name]; !ok || r.Metrics["fit."+name] != v {
			t.Errorf("%s: %v in the fit, %v in the metrics", name, r.Fit, r.Metrics["fit."+name])
		}
	}
}

// A trial that ends after its fit goes on from what was fitted, and ends in the
// same bytes; its warnings are not lost.
func TestFittedDetectorIsTakenUp(t *testing.T) {
	change := func(c *Config) { c.Model.Components, c.Model.Iterations = 3, 1 }
	whole := detectorTrial(t, "gmm", change)
	want := run(t, whole)
	if len(want.Warnings) == 0 || !strings.Contains(want.Warnings[0], "still changes after 1 iterations") {
		t.Fatalf("warnings %q", want.Warnings)
	}
	broken := detectorTrial(t, "gmm", change)
	if _, _, err := broken.fittedDetector(t.Context()); err != nil {
		t.Fatal(err)
	}
	broken.Data = flows() // what is fitted again on other rows is another detector
	for i := range broken.Data.Train {
		clear(broken.Data.row(broken.Data.Train[i]))
	}
	got := run(t, broken)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-whole +broken):\n%s", diff)
	}
	if diff := cmp.Diff(files(t, whole.Dir), files(t, broken.Dir)); diff != "" {
		t.Errorf("files (-whole +broken):\n%.2000s", diff)
	}
}

func TestFitOfAnotherDetectorIsRefused(t *testing.T) {
	tr := detectorTrial(t, "pca", nil)
	if _, _, err := tr.fittedDetector(t.Context()); err != nil {
		t.Fatal(err)
	}
	tr.Config.Model = Defaults("gmm").Model
	if _, err := tr.Run(t.Context()); err == nil || !strings.Contains(err.Error(), `the file holds the detector "pca"`) || !strings.Contains(err.Error(), "remove the trial's folder") {
		t.Errorf("another detector's file: error %v", err)
	}
}

func TestInterruptedFitLeavesNothing(t *testing.T) {
	for name, change := range detectorKinds {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		tr := detectorTrial(t, name, change)
		if _, err := tr.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v", name, err)
		}
		if left := files(t, tr.Dir); len(left) != 0 {
			t.Errorf("%s: left %d files", name, len(left))
		}
	}
}

// Detectors learn from benign rows, a logistic regression from all; a sample
// keeps every attack.
func TestRowsThatDetectorsSee(t *testing.T) {
	for _, c := range []struct {
		name            string
		most            int
		rows, positives int
	}{{"pca", 0, 190, 0}, {"logistic", 0, 200, 10}, {"pca", 60, 60, 0}, {"logistic", 60, 60, 10}, {"pca", 190, 190, 0}} {
		var log strings.Builder
		tr := detectorTrial(t, c.name, func(config *Config) { config.Fit.MaxRows = c.most })
		tr.Log = &log
		data := tr.detectorData()
		positives := 0
		for _, is := range data.Positive {
			if is {
				positives++
			}
		}
		if data.Rows != c.rows || positives != c.positives || len(data.X) != data.Rows*data.Cols {
			t.Errorf("%s, at most %d: %d rows with %d positives, want %d with %d", c.name, c.most, data.Rows, positives, c.rows, c.positives)
		}
		if said := strings.Contains(log.String(), "fit.max_rows: fitting on"); said != (c.most == 60) {
			t.Errorf("%s, at most %d: log %q", c.name, c.most, &log)
		}
		again := tr.detectorData()
		if diff := cmp.Diff(data.X, again.X); diff != "" {
			t.Errorf("%s: another sample of the same seed", c.name)
		}
	}
}

// A fit tells of itself after two seconds, with what is left at the pace so far.
func TestFitProgress(t *testing.T) {
	var log strings.Builder
	tr := detectorTrial(t, "pca", nil)
	tr.Log = &log
	now := time.Unix(0, 0)
	p := tr.fitProgress()
	p.now, p.begun = func() time.Time { return now }, now
	p.hear("moving centroids", 0, 100)
	now = now.Add(time.Second)
	p.hear("moving centroids", 10, 100)
	if got, err := ReadFitProgress(tr.Dir); got != nil || err != nil {
		t.Errorf("after a second: %v, %v", got, err)
	}
	now = now.Add(4 * time.Second)
	p.hear("moving centroids", 50, 100)
	got, err := ReadFitProgress(tr.Dir)
	if err != nil || got == nil || got.String() != "moving centroids 50/100, about 5s left" {
		t.Errorf("after five seconds: %v, %v", got, err)
	}
	p.end()
	if got, err := ReadFitProgress(tr.Dir); got != nil || err != nil {
		t.Errorf("after the end: %v, %v", got, err)
	}
	if want := "moving centroids 50/100, about 5s left\nfitted in 5s\n"; log.String() != want {
		t.Errorf("log %q, want %q", &log, want)
	}
}

func TestValidateDetectors(t *testing.T) {
	for _, kind := range Detectors() {
		if err := Defaults(kind).Validate(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, c := range []struct {
		kind, field, part string
		spoil             func(*Config)
	}{
		{"pca", "model.components", "is missing", func(c *Config) { c.Model.Variance = 0 }},
		{"pca", "model.variance", "leave out one", func(c *Config) { c.Model.Components = 3 }},
		{"pca", "model.variance", "is 1, must be above 0 and below 1", func(c *Config) { c.Model.Variance = 1 }},
		{"pca", "model.pca", "only where", func(c *Config) { c.Model.PCA = 3 }},
		{"pca", "model.hidden", "only where model.kind is dnn or autoencoder", func(c *Config) { c.Model.Hidden = []int{3} }},
		{"pca", "model.score", "no score of a model of kind pca: write reconstruction or mahalanobis", func(c *Config) { c.Model.Score = "spread" }},
		{"autoencoder", "model.score", "no score of a model of kind autoencoder", func(c *Config) { c.Model.Score = "distance" }},
		{"gmm", "model.components", "is missing", func(c *Config) { c.Model.Components = 0 }},
		{"gmm", "model.whiten", "write pca", func(c *Config) { c.Model.Whiten = true }},
		{"gmm", "model.covariance", `"round" is not one of`, func(c *Config) { c.Model.Covariance = "round" }},
		{"gmm", "model.floor", "is -1", func(c *Config) { c.Model.Floor = -1 }},
		{"kmeans", "model.clusters", "is 0", func(c *Config) { c.Model.Clusters = 0 }},
		{"dbscan", "model.eps", "is -1, must be above 0", func(c *Config) { c.Model.Eps = -1 }},
		{"dbscan", "model.min_points", "is 0", func(c *Config) { c.Model.MinPoints = 0 }},
		{"nearest_neighbour", "model.neighbours", "is 0", func(c *Config) { c.Model.Neighbours = 0 }},
		{"isolation_forest", "model.samples", "is 1", func(c *Config) { c.Model.Samples = 1 }},
		{"dnn", "fit.max_rows", "only where", func(c *Config) { c.Fit.MaxRows = 100 }},
		{"pca", "fit.max_rows", "is 1", func(c *Config) { c.Fit.MaxRows = 1 }},
	} {
		config := Defaults(c.kind)
		c.spoil(&config)
		var err *FieldError
		if !errors.As(config.Validate(), &err) {
			t.Errorf("%s %s: no error where %q is wanted", c.kind, c.field, c.part)
			continue
		}
		if err.Field != c.field || !strings.Contains(err.Problem, c.part) {
			t.Errorf("got %q, want %s: ...%s...", err, c.field, c.part)
		}
	}
}
