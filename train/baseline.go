package train

import (
	"context"
	"slices"

	"flowbench/train/detect"
)

// Baselines returns the ModelConfig.Kind of each trivial detector that stands
// beside every model. They tell the negative class from all others.
func Baselines() []string {
	return []string{"majority", "best_single_feature", "logistic_regression"}
}

// IsBaseline says whether a ModelConfig.Kind is a trivial baseline.
func IsBaseline(kind string) bool { return slices.Contains(Baselines(), kind) }

func newBaseline(kind string) detect.Detector {
	switch kind {
	case "majority":
		return detect.NewMajority()
	case "best_single_feature":
		return detect.NewBestSingleFeature()
	case "logistic_regression":
		return detect.NewLogisticRegression()
	}
	panic("train: no baseline " + kind)
}

// judgeBaseline fits a trivial detector on the train part and judges it like a network.
func (t *Trial) judgeBaseline(ctx context.Context, result *Result) error {
	d := t.Data
	detector := newBaseline(t.Config.Model.Kind)
	err := detector.Fit(ctx, detect.Data{
		X: d.gather(d.Train), Rows: len(d.Train), Cols: d.Cols,
		Positive: d.positive(d.Train), Columns: d.Columns,
	})
	if err != nil {
		return err
	}
	result.Detector = detector.Name()
	if err := t.keepBaseline(detector, result); err != nil {
		return err
	}
	validation, test := make([]float64, len(d.Validation)), make([]float64, len(d.Test))
	if err := detector.Score(d.gather(d.Validation), validation); err != nil {
		return err
	}
	if err := detector.Score(d.gather(d.Test), test); err != nil {
		return err
	}
	return t.evaluate(validation, test, result)
}

// keepBaseline saves what was fitted, for those who use it.
func (t *Trial) keepBaseline(detector detect.Detector, result *Result) error {
	file, err := detector.Save()
	if err != nil {
		return err
	}
	file.Metadata["fingerprint"] = t.Fingerprint
	weights, err := t.keepWeights(0, file)
	if err != nil {
		return err
	}
	result.Members = []MemberResult{{Seed: t.Seed, Weights: weights.File, SHA256: weights.SHA256}}
	return nil
}

// gather copies rows into a matrix of their own.
func (d *Data) gather(rows []int32) []float32 {
	x := make([]float32, 0, len(rows)*d.Cols)
	for _, r := range rows {
		x = append(x, d.row(r)...)
	}
	return x
}
