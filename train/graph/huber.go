package graph

import (
	"fmt"
	"math"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
)

// Huber is MeanSquaredError with ½d² for a residual |d| <= delta and
// delta·(|d|-½delta) beyond (Huber 1964): an outlier pulls with a bounded force.
func Huber(pred, target, featureWeight *gorgonia.Node, delta float32) (*gorgonia.Node, error) {
	if !(delta > 0) || math.IsInf(float64(delta), 1) {
		return nil, fmt.Errorf("graph: huber delta %v: want a finite number above 0", delta)
	}
	return applyRegression(huber{regression{featureWeight != nil}, delta}, pred, target, featureWeight)
}

type huber struct {
	regression
	delta float32
}

func (l huber) label() string {
	return l.weightedLabel(fmt.Sprintf("huber (delta %v)", l.delta))
}

func (l huber) row(in []matrix, i int, grad []float64) (float64, error) {
	delta := float64(l.delta)
	return l.mean(in, i, grad, func(d float64) (float64, float64) {
		if math.Abs(d) <= delta {
			return d * d / 2, d
		}
		return delta * (math.Abs(d) - delta/2), math.Copysign(delta, d)
	}), nil
}

func (l huber) attributes() kernels.Loss { return kernels.Loss{Kind: kernels.Huber, Delta: l.delta} }
