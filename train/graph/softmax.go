package graph

import (
	"fmt"
	"math"
	"slices"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
)

// SoftmaxCrossEntropy is the mean over the rows of weight·(-log p), p the
// softmax probability that the n×classes logits give the row's class, target
// the n×1 class indices and weight = classWeight[class] (nil: all ones). gamma
// above 0 makes it the focal loss weight·(1-p)^gamma·(-log p).
func SoftmaxCrossEntropy(logits, target *gorgonia.Node, classWeight []float32, gamma float32) (*gorgonia.Node, error) {
	if logits == nil {
		return nil, fmt.Errorf("graph: softmax cross-entropy: operand logits is missing")
	}
	shape, err := extentOf(logits.Shape())
	if err != nil {
		return nil, fmt.Errorf("graph: softmax cross-entropy: logits: %w", err)
	}
	if err := checkClasses(classWeight, shape.cols, gamma); err != nil {
		return nil, err
	}
	return apply(meanLoss{softmax{slices.Clone(classWeight), gamma}}, logits, target)
}

type softmax struct {
	weights []float32
	gamma   float32
}

func (l softmax) label() string    { return classLabel("softmax cross-entropy", l.weights, l.gamma) }
func (softmax) operands() []string { return []string{"logits", "target"} }

func (softmax) check(in []extent) error {
	logits, target := in[0], in[1]
	if logits.cols < 2 {
		return fmt.Errorf("logits are %v: want a column for each of at least two classes", logits)
	}
	if want := (extent{logits.rows, 1}); target != want {
		return fmt.Errorf("logits are %v and target is %v: target must be %v", logits, target, want)
	}
	return nil
}

// row takes 1-p as the sum of the other classes' probabilities, which is exact
// where p is near 1. The pull on the right class's logit is shared out among
// the others by their probabilities.
func (l softmax) row(in []matrix, i int, grad []float64) (float64, error) {
	z := in[0].row(i)
	class, err := classOf(in[1], i, len(z))
	if err != nil {
		return 0, err
	}
	top := slices.Max(z)
	others, sum := 0.0, 0.0
	for j, v := range z {
		grad[j] = math.Exp(v - top)
		sum += grad[j]
		if j != class {
			others += grad[j]
		}
	}
	surprise := math.Log(sum) + top - z[class]
	p, miss := grad[class]/sum, others/sum
	scale := weightOf(l.weights, class) * math.Pow(miss, float64(l.gamma))
	slope := scale * (miss + float64(l.gamma)*p*surprise)
	for j := range grad {
		switch {
		case j == class:
			grad[j] = -slope
		case others > 0:
			grad[j] *= slope / others
		}
	}
	return scale * surprise, nil
}

func (l softmax) attributes() kernels.Loss {
	return kernels.Loss{Kind: kernels.SoftmaxCE, ClassWeight: slices.Clone(l.weights), Gamma: l.gamma}
}
