package graph

import (
	"flowbench/kernels"

	"gorgonia.org/gorgonia"
)

// MeanSquaredError is the mean over the rows of the mean over the columns of
// featureWeight_j·(pred-target)². featureWeight is 1×cols, or nil for all ones.
func MeanSquaredError(pred, target, featureWeight *gorgonia.Node) (*gorgonia.Node, error) {
	return applyRegression(mse{regression{featureWeight != nil}}, pred, target, featureWeight)
}

type mse struct{ regression }

func (l mse) label() string { return l.weightedLabel("mean squared error") }

func (l mse) row(in []matrix, i int, grad []float64) (float64, error) {
	return l.mean(in, i, grad, func(d float64) (float64, float64) { return d * d, 2 * d }), nil
}

func (mse) attributes() kernels.Loss { return kernels.Loss{Kind: kernels.MSE} }
