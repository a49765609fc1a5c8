package detect

import (
	"context"
	"fmt"

	"flowbench/data/parallel"
	"flowbench/train/checkpoint"
	"flowbench/train/metric"
)

// BestSingleFeature scores a row by one of its columns, or by the negative of
// one: that which has the highest average precision on the training rows, then
// the highest AUROC, then the lowest number; a column itself comes before its
// negative. A model that does not beat it has learned nothing worth its cost.
type BestSingleFeature struct {
	shape   shape
	feature Feature
}

// Feature is a column and a direction, with what they reached in training.
type Feature struct {
	Column           int
	Name             string  // of the column, or its number where it has none
	Sign             float64 // 1 where high values are suspicious, -1 where low ones are
	AveragePrecision float64
	AUROC            float64
}

// NewBestSingleFeature returns an unfitted BestSingleFeature.
func NewBestSingleFeature() *BestSingleFeature { return &BestSingleFeature{} }

// Name is "best_single_feature", and after Fit which one and its direction:
// "best_single_feature (high fwd_iat_total)".
func (b *BestSingleFeature) Name() string {
	switch b.feature.Sign {
	case 1:
		return "best_single_feature (high " + b.feature.Name + ")"
	case -1:
		return "best_single_feature (low " + b.feature.Name + ")"
	}
	return "best_single_feature"
}

// Chosen is the feature that Fit picked; ok is false before.
func (b *BestSingleFeature) Chosen() (feature Feature, ok bool) {
	return b.feature, b.shape.cols > 0
}

// Fit ranks the training rows by every column. It needs both classes, and 48
// bytes a row for each thread.
func (b *BestSingleFeature) Fit(ctx context.Context, data Data) error {
	*b = BestSingleFeature{}
	if err := firstError(ctx.Err(), data.check(), data.checkBoth()); err != nil {
		return fmt.Errorf("best_single_feature: %w", err)
	}
	candidates := make([]Feature, data.Cols)
	parallel.Each(data.Cols, func(col int) {
		if ctx.Err() == nil {
			candidates[col] = bestDirection(data, col)
		}
	})
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("best_single_feature: %w", err)
	}
	best := candidates[0]
	for _, c := range candidates[1:] {
		if c.beats(best) {
			best = c
		}
	}
	b.shape = data.shape()
	best.Name = b.shape.name(best.Column)
	b.feature = best
	return nil
}

// bestDirection judges one column both ways.
func bestDirection(data Data, col int) Feature {
	values := make([]float64, data.Rows)
	for i := range values {
		values[i] = float64(data.X[i*data.Cols+col])
	}
	ranking, err := metric.Rank(values, data.Positive)
	if err != nil {
		panic("detect: NaN in checked data")
	}
	judge := func(r *metric.Ranking, sign float64) Feature {
		return Feature{Column: col, Sign: sign, AveragePrecision: r.AveragePrecision().V, AUROC: r.AUROC().V}
	}
	high, low := judge(ranking, 1), judge(ranking.Reverse(), -1)
	if low.beats(high) {
		return low
	}
	return high
}

func (f Feature) beats(other Feature) bool {
	if f.AveragePrecision != other.AveragePrecision {
		return f.AveragePrecision > other.AveragePrecision
	}
	return f.AUROC > other.AUROC
}

// Score writes the chosen column times its sign.
func (b *BestSingleFeature) Score(x []float32, dst []float64) error {
	if err := b.shape.checkScore(x, dst); err != nil {
		return fmt.Errorf("best_single_feature: %w", err)
	}
	for i := range dst {
		dst[i] = b.feature.Sign * float64(x[i*b.shape.cols+b.feature.Column])
	}
	return nil
}

// Save keeps the feature.
func (b *BestSingleFeature) Save() (*checkpoint.File, error) {
	return newState("best_single_feature", b.shape, b.feature)
}

// Load takes a saved feature.
func (b *BestSingleFeature) Load(f *checkpoint.File) error {
	*b = BestSingleFeature{}
	var feature Feature
	s, err := readState(f, "best_single_feature", &feature)
	if err != nil {
		return err
	}
	if feature.Column < 0 || feature.Column >= s.cols || feature.Sign != 1 && feature.Sign != -1 {
		return fmt.Errorf("best_single_feature: the file chooses column %d of %d times %v", feature.Column, s.cols, feature.Sign)
	}
	b.shape, b.feature = s, feature
	return nil
}
