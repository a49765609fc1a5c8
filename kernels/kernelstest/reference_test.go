package kernelstest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"flowbench/kernels"
)

// The reference itself is held against central differences of its own loss: its
// gradients share no formula with that.
func TestReferenceGradientsAreDerivatives(t *testing.T) {
	const rows, in = 7, 5
	weights := []float32{0.5, 3, 2}
	for f, name := range activationNames {
		for _, layer := range []string{"dense", "layer_norm", "batch_norm"} {
			for i, l := range []kernels.Loss{
				{Kind: kernels.BCE, ClassWeight: weights[:2]}, {Kind: kernels.BCE, Gamma: 2}, {Kind: kernels.BCE, Gamma: 0.5},
				{Kind: kernels.SoftmaxCE, ClassWeight: weights}, {Kind: kernels.SoftmaxCE, Gamma: 2},
				{Kind: kernels.MSE}, {Kind: kernels.Huber, Delta: 0.7},
			} {
				t.Run(fmt.Sprintf("%s/%s/loss%d", name, layer, i), func(t *testing.T) {
					b := NewBuilder(rows, in).Corrupt(0.3, 0.2)
					b.Dense(6, true, b.Epilogue(kernels.ActivationFunc(f), 0.3))
					switch layer {
					case "layer_norm":
						b.Norm(kernels.LayerNorm, b.Epilogue(kernels.ActivationFunc(f), 0.3))
					case "batch_norm":
						b.Norm(kernels.BatchNorm, b.Epilogue(kernels.ActivationFunc(f), 0.3))
					}
					cols := map[kernels.LossKind]int{kernels.BCE: 1, kernels.SoftmaxCE: 3, kernels.MSE: in, kernels.Huber: in}[l.Kind]
					b.Dense(cols, true, kernels.Epilogue{})
					checkDerivatives(t, b.Loss(l, l.Kind == kernels.MSE).Finish(sgd()), randomData(1, rows, in, classes(cols)))
				})
			}
		}
	}
}

// checkDerivatives moves each parameter by ±h and compares the change of the
// loss with the gradient. A kink (ReLU, Huber) between the two points makes the
// quotient wrong by itself: one such parameter in fifty may be.
func checkDerivatives(t *testing.T, p *kernels.Program, d kernels.Data) {
	t.Helper()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	r := newReference(p, d)
	rng := rand.New(rand.NewPCG(3, 4))
	for i, b := range p.Buffers {
		for j := range r.values[i] {
			if b.Kind == kernels.Parameter || b.Kind == kernels.Constant {
				r.values[i][j] = rng.NormFloat64()
			}
		}
	}
	batch := kernels.Batch{Rows: []int32{0, 1, 2, 3, 4, 5, 6}, Step: 1, Seed: 2}
	const h = 1e-5
	total, wrong, worst := 0, 0, ""
	update := p.Train[len(p.Train)-1].(kernels.Update)
	for k, param := range update.Params {
		r.step(batch)
		grad := append([]float64(nil), r.values[update.Grads[k]]...)
		for i := range grad {
			kept := r.values[param][i]
			r.values[param][i] = kept + h
			up := r.step(batch)
			r.values[param][i] = kept - h
			down := r.step(batch)
			r.values[param][i] = kept
			total++
			if slope := (up - down) / (2 * h); !(math.Abs(slope-grad[i]) <= 1e-6+1e-5*math.Abs(slope)) {
				wrong++
				worst = fmt.Sprintf("%s[%d]: gradient %v, difference quotient %v", p.Buffers[param].Name, i, grad[i], slope)
			}
		}
	}
	if wrong*50 > total {
		t.Errorf("%d of %d gradients are wrong, such as %s", wrong, total, worst)
	}
}
