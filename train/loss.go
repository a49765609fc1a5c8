package train

import (
	"context"
	"math"

	"flowbench/kernels"
	"flowbench/train/graph"
)

// meanLoss is the mean over rows of the training objective, without dropout or
// noise, computed in float64 in row order from the network's outputs. It is
// what validation.loss says; the formulas are those of kernels.Loss.
func meanLoss(ctx context.Context, n *network, o graph.Objective, rows []int32) (float64, error) {
	sum := 0.0
	err := n.predict(ctx, rows, func(chunk []int32, out []float32) error {
		width := len(out) / len(chunk)
		for i, r := range chunk {
			sum += rowLoss(o, out[i*width:(i+1)*width], n.data.row(r), int(n.data.Class[r]))
		}
		return nil
	})
	return sum / float64(len(rows)), err
}

func rowLoss(o graph.Objective, out, x []float32, class int) float64 {
	switch o.Kind {
	case kernels.MSE, kernels.Huber:
		return reconstructionLoss(o, out, x)
	case kernels.SoftmaxCE:
		p := math.Exp(float64(out[class]) - logSumExp(out))
		return weightOf(o, class) * math.Pow(1-p, o.Gamma) * (logSumExp(out) - float64(out[class]))
	default:
		z := float64(out[0])
		if class == 0 {
			z = -z
		}
		// z is now the logit of the true class: -log p = log1p(exp(-z)).
		surprise := math.Max(-z, 0) + math.Log1p(math.Exp(-math.Abs(z)))
		return weightOf(o, class) * math.Pow(-math.Expm1(-surprise), o.Gamma) * surprise
	}
}

func weightOf(o graph.Objective, class int) float64 {
	if o.ClassWeight == nil {
		return 1
	}
	return float64(o.ClassWeight[class])
}

func reconstructionLoss(o graph.Objective, out, x []float32) float64 {
	sum := 0.0
	for j, v := range out {
		d := math.Abs(float64(v) - float64(x[j]))
		switch {
		case o.Kind == kernels.MSE:
			sum += d * d
		case d <= o.Delta:
			sum += d * d / 2
		default:
			sum += o.Delta * (d - o.Delta/2)
		}
	}
	return sum / float64(len(out))
}

// logSumExp is log Σ exp(z), shifted so that it neither overflows nor vanishes.
func logSumExp(z []float32) float64 {
	top := math.Inf(-1)
	for _, v := range z {
		top = math.Max(top, float64(v))
	}
	if math.IsInf(top, -1) {
		return top
	}
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}
