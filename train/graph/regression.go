package graph

import (
	"fmt"

	"gorgonia.org/gorgonia"
)

// regression is what MSE and Huber share: the mean over the columns of
// weight_j·f(pred-target), with a function f of the residual.
type regression struct{ weighted bool }

func (r regression) operands() []string {
	if r.weighted {
		return []string{"pred", "target", "feature weight"}
	}
	return []string{"pred", "target"}
}

func (r regression) check(in []extent) error {
	pred, target := in[0], in[1]
	if target != pred {
		return fmt.Errorf("pred is %v and target is %v: want one shape", pred, target)
	}
	if r.weighted && in[2] != pred.row() {
		return fmt.Errorf("pred is %v and feature weight is %v: it must be %v", pred, in[2], pred.row())
	}
	return nil
}

// mean is the row loss of f, which returns the value and the slope at a residual.
func (r regression) mean(in []matrix, i int, grad []float64, f func(residual float64) (value, slope float64)) float64 {
	pred, target := in[0].row(i), in[1].row(i)
	sum, n := 0.0, float64(len(pred))
	for j := range pred {
		value, slope := f(pred[j] - target[j])
		weight := 1.0
		if r.weighted {
			weight = in[2].data[j]
		}
		sum += weight * value
		grad[j] = weight * slope / n
	}
	return sum / n
}

// applyRegression adds the feature weights to the operands where there are some.
func applyRegression(l rowLoss, pred, target, featureWeight *gorgonia.Node) (*gorgonia.Node, error) {
	if featureWeight == nil {
		return apply(meanLoss{l}, pred, target)
	}
	return apply(meanLoss{l}, pred, target, featureWeight)
}

// weightedLabel tells a weighted loss from a plain one.
func (r regression) weightedLabel(name string) string {
	if r.weighted {
		return name + " (feature weights)"
	}
	return name
}
