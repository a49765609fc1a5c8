package kernelstest

import (
	"math"
	"slices"

	"flowbench/kernels"
)

func (r *reference) lossAndGrad(in kernels.Loss) {
	pred, dpred := r.matrix(in.Pred), r.matrix(in.DPred)
	n := float64(len(r.rows))
	var target matrix
	if in.Kind == kernels.MSE || in.Kind == kernels.Huber {
		target = r.matrix(in.Target)
	}
	r.loss = 0
	for i, row := range r.rows {
		var value float64
		var grad []float64
		switch in.Kind {
		case kernels.BCE:
			value, grad = bce(in, pred.at(i, 0), int(r.data.Y[row]))
		case kernels.SoftmaxCE:
			value, grad = softmaxCE(in, pred.row(i), int(r.data.Y[row]))
		default:
			value, grad = r.regression(in, pred.row(i), target.row(i))
		}
		r.loss += value / n
		for j, g := range grad {
			dpred.set(i, j, g/n)
		}
	}
}

func classWeight(in kernels.Loss, class int) float64 {
	if in.ClassWeight == nil {
		return 1
	}
	return float64(in.ClassWeight[class])
}

// bce follows the words of kernels.BCE: w·(max(z,0) - z·y + log1p(exp(-|z|))).
// The focal factor is (1-p_t)^γ, with 1-p_t = σ(∓z); its gradient is the
// product rule in plain.
func bce(in kernels.Loss, z float64, class int) (float64, []float64) {
	y := float64(class)
	cross := math.Max(z, 0) - z*y + math.Log1p(math.Exp(-math.Abs(z)))
	miss, slope := 1/(1+math.Exp(-z)), 1.0 // 1-p_t and the sign of its derivative in z
	if class == 1 {
		miss, slope = 1/(1+math.Exp(z)), -1.0
	}
	crossSlope := slope * miss // d cross/dz = σ(z) - y
	w, gamma := classWeight(in, class), float64(in.Gamma)
	if gamma == 0 {
		return w * cross, []float64{w * crossSlope}
	}
	focus := math.Pow(miss, gamma)
	focusSlope := gamma * focus * slope * (1 - miss) // d miss/dz = slope·miss·(1-miss)
	return w * focus * cross, []float64{w * (focusSlope*cross + focus*crossSlope)}
}

func softmaxCE(in kernels.Loss, z []float64, class int) (float64, []float64) {
	rest := 0.0 // Σ over the other classes of exp(z_j - z_t): -log p_t = log1p(rest)
	for j, v := range z {
		if j != class {
			rest += math.Exp(v - z[class])
		}
	}
	cross, hit, miss := math.Log1p(rest), 1/(1+rest), rest/(1+rest)
	if math.IsInf(rest, 1) { // the true class is hopeless: compare with the best one instead
		top, sum := slices.Max(z), 0.0
		for _, v := range z {
			sum += math.Exp(v - top)
		}
		cross, hit, miss = top+math.Log(sum)-z[class], 0, 1
	}
	w, gamma := classWeight(in, class), float64(in.Gamma)
	focus, inner := 1.0, 1.0
	if gamma > 0 {
		focus = math.Pow(miss, gamma)
		inner = focus
		if miss > 0 {
			inner += gamma * focus / miss * hit * cross
		}
	}
	grad := softmax(z)
	for j := range grad {
		grad[j] *= w * inner
	}
	grad[class] = -w * inner * miss
	return w * focus * cross, grad
}

func softmax(z []float64) []float64 {
	top := slices.Max(z)
	p, sum := make([]float64, len(z)), 0.0
	for j, v := range z {
		p[j] = math.Exp(v - top)
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
	return p
}

func (r *reference) regression(in kernels.Loss, pred, target []float64) (float64, []float64) {
	value, grad := 0.0, make([]float64, len(pred))
	cols, delta := float64(len(pred)), float64(in.Delta)
	for j := range pred {
		w := 1.0
		if in.FeatureWeight != kernels.None {
			w = r.values[in.FeatureWeight][j]
		}
		d := pred[j] - target[j]
		switch {
		case in.Kind == kernels.MSE:
			value += w * d * d / cols
			grad[j] = 2 * w * d / cols
		case math.Abs(d) <= delta:
			value += w * d * d / 2 / cols
			grad[j] = w * d / cols
		default:
			value += w * delta * (math.Abs(d) - delta/2) / cols
			grad[j] = w * math.Copysign(delta, d) / cols
		}
	}
	return value, grad
}
