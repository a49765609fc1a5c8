package train

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"flowbench/train/detect"
)

// newDetector is the unfitted detector of a configuration.
func newDetector(m ModelConfig, seed uint64) detect.Detector {
	d := newBareDetector(m, seed)
	if m.PCA == 0 {
		return d
	}
	return detect.NewProjected(detect.PCAOptions{Components: m.PCA, Whiten: m.Whiten}, d)
}

func newBareDetector(m ModelConfig, seed uint64) detect.Detector {
	switch m.Kind {
	case "pca":
		return detect.NewPCA(detect.PCAOptions{Components: m.Components, Variance: m.Variance, Score: m.Score})
	case "kmeans":
		return detect.NewKMeans(detect.KMeansOptions{
			Clusters: m.Clusters, Seed: seed, Start: m.Start, Iterations: m.Iterations, Tolerance: m.Tolerance, Restarts: m.Restarts,
			Batch: m.MiniBatch, Spread: m.Score == "spread", Silhouette: m.Silhouette,
		})
	case "gmm":
		return detect.NewGMM(detect.GMMOptions{
			Components: m.Components, Covariance: m.Covariance, Seed: seed, Iterations: m.Iterations, Tolerance: m.Tolerance,
			Floor: m.Floor, Restarts: m.Restarts,
		})
	case "dbscan":
		o := detect.DBSCANOptions{MinPoints: m.MinPoints}
		if m.Eps != 0 {
			o.Eps = &m.Eps
		}
		return detect.NewDBSCAN(o)
	case "isolation_forest":
		return detect.NewIsolationForest(detect.IsolationForestOptions{Trees: m.Trees, Samples: m.Samples, Seed: seed})
	case "nearest_neighbour":
		return detect.NewNearest(detect.NearestOptions{K: m.Neighbours, Score: m.Score})
	case "logistic":
		return detect.NewLogisticRegression()
	}
	panic("train: no detector " + m.Kind)
}

// judgeDetector fits a detector, or takes up one that was fitted before the trial
// was interrupted, and judges it like a network.
func (t *Trial) judgeDetector(ctx context.Context, result *Result) error {
	detector, kept, err := t.fittedDetector(ctx)
	if err != nil {
		return err
	}
	result.Detector = detector.Name()
	if d, ok := describer(detector); ok {
		result.Fit = d.Figures()
	}
	if err := json.Unmarshal([]byte(kept.Metadata["warnings"]), &result.Warnings); err != nil {
		return fmt.Errorf("warnings of the fit: %w; remove the trial's folder to fit the detector again", err)
	}
	for _, w := range result.Warnings {
		t.logf("warning: %s", w)
	}
	weights, err := t.keepWeights(0, kept)
	if err != nil {
		return err
	}
	result.Members = []MemberResult{{Seed: t.Seed, Weights: weights.File, SHA256: weights.SHA256}}
	validation, err := t.detectorScores(ctx, detector, t.Data.Validation)
	if err != nil {
		return err
	}
	test, err := t.detectorScores(ctx, detector, t.Data.Test)
	if err != nil {
		return err
	}
	if err := t.evaluate(validation, test, result); err != nil {
		return err
	}
	for name, v := range result.Fit {
		result.Metrics["fit."+name] = v
	}
	return nil
}

// describer is the detector itself, or the one behind a PCA.
func describer(d detect.Detector) (detect.Describer, bool) {
	if p, ok := d.(*detect.Projected); ok {
		d = p.Then()
	}
	describer, ok := d.(detect.Describer)
	return describer, ok
}

func warnings(d detect.Detector) []string {
	if p, ok := d.(*detect.Projected); ok {
		d = p.Then()
	}
	if w, ok := d.(detect.Warner); ok {
		return w.Warnings()
	}
	return nil
}

// detectorData is what a detector learns from: the benign rows of the train part,
// of which a logistic regression needs the others as well; as many as the
// configuration lets it see.
func (t *Trial) detectorData() detect.Data {
	d := t.Data
	rows := d.negatives(d.Train)
	if t.Config.Model.Kind == "logistic" {
		rows = d.Train
	}
	if most := t.Config.Fit.MaxRows; most > 0 && most < len(rows) {
		drawn := d.sample(rows, most, t.Seed)
		t.logf("fit.max_rows: fitting on %d of %d training rows, drawn with seed %d", len(drawn), len(rows), t.Seed)
		rows = drawn
	}
	return detect.Data{X: d.gather(rows), Rows: len(rows), Cols: d.Cols, Positive: d.positive(rows), Columns: d.Columns}
}

// sampleStream keeps the draw of rows apart from other uses of a trial's seed.
const sampleStream = 0x666974 // "fit"

// sample draws n of rows without replacement, in their order, but keeps every row
// of a class other than the negative one: there are too few to lose any.
func (d *Data) sample(rows []int32, n int, seed uint64) []int32 {
	var kept, others []int32
	for _, r := range rows {
		if d.Class[r] != 0 {
			kept = append(kept, r)
		} else {
			others = append(others, r)
		}
	}
	random := rand.New(rand.NewPCG(seed, sampleStream))
	order := random.Perm(len(others))
	for _, i := range order[:max(0, min(n-len(kept), len(others)))] {
		kept = append(kept, others[i])
	}
	slices.Sort(kept)
	return kept
}

// detectorScores scores rows, a part at a time so that ctx or Warn can end it.
func (t *Trial) detectorScores(ctx context.Context, detector detect.Detector, rows []int32) ([]float64, error) {
	const part = 1 << 15
	scores := make([]float64, len(rows))
	for lo := 0; lo < len(rows); lo += part {
		if err := t.ended(ctx); err != nil {
			return nil, err
		}
		hi := min(lo+part, len(rows))
		if err := detector.Score(t.Data.gather(rows[lo:hi]), scores[lo:hi]); err != nil {
			return nil, err
		}
	}
	return scores, nil
}
