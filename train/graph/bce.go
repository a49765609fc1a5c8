package graph

import (
	"fmt"
	"math"
	"slices"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
)

// BinaryCrossEntropy is the mean over the rows of
// weight·(max(z,0) - z·y + log1p(e^-|z|)), z an n×1 logit, y its n×1 target 0
// or 1 and weight = classWeight[y] (nil: all ones). gamma above 0 makes it the
// focal loss weight·(1-p)^gamma·(-log p), p the probability of the right class
// (Lin et al. 2017).
func BinaryCrossEntropy(logits, target *gorgonia.Node, classWeight []float32, gamma float32) (*gorgonia.Node, error) {
	if err := checkClasses(classWeight, 2, gamma); err != nil {
		return nil, err
	}
	return apply(meanLoss{bce{slices.Clone(classWeight), gamma}}, logits, target)
}

type bce struct {
	weights []float32
	gamma   float32
}

func (l bce) label() string    { return classLabel("binary cross-entropy", l.weights, l.gamma) }
func (bce) operands() []string { return []string{"logits", "target"} }

func (bce) check(in []extent) error {
	if logits := in[0]; logits.cols != 1 || in[1] != logits {
		return fmt.Errorf("logits are %v and target is %v: want both n×1", logits, in[1])
	}
	return nil
}

// row works on the logit s of the right class, so that p = sigmoid(s) and
// -log p = softplus(-s) are exact at both ends.
func (l bce) row(in []matrix, i int, grad []float64) (float64, error) {
	class, err := classOf(in[1], i, 2)
	if err != nil {
		return 0, err
	}
	sign := 1.0
	if class == 0 {
		sign = -1
	}
	s := sign * in[0].data[i]
	p, miss, surprise := sigmoid(s), sigmoid(-s), softplus(-s)
	scale := weightOf(l.weights, class) * math.Pow(miss, float64(l.gamma))
	grad[0] = -sign * scale * (miss + float64(l.gamma)*p*surprise)
	return scale * surprise, nil
}

func (l bce) attributes() kernels.Loss {
	return kernels.Loss{Kind: kernels.BCE, ClassWeight: slices.Clone(l.weights), Gamma: l.gamma}
}
