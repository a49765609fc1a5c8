package train

import (
	"context"
	"slices"
)

// Baselines returns the ModelConfig.Kind of each trivial detector that stands
// beside every model. They tell the negative class from all others.
func Baselines() []string {
	return []string{"majority", "best_single_feature", "logistic_regression"}
}

// IsBaseline says whether a ModelConfig.Kind is a trivial baseline.
func IsBaseline(kind string) bool { return slices.Contains(Baselines(), kind) }

func (t *Trial) judgeBaseline(ctx context.Context, result *Result) error { panic("train: no baselines yet") }
