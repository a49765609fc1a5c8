package kernelstest

import (
	"fmt"
	"math"
	"testing"

	"flowbench/kernels"
)

// clipping has a joint norm, over several buffers, that is a given multiple of
// the limit: far above, just above, just below, far below.
func clipping(t *testing.T, backend kernels.Backend) {
	for _, multiple := range []float64{1e6, 10, 1.25, 0.8, 1e-9} {
		t.Run(fmt.Sprint(multiple), func(t *testing.T) {
			limit := float32(1e30)
			for range 2 { // the first round finds the norm
				const rows, in = 19, 7
				b := NewBuilder(rows, in)
				b.Dense(9, true, kernels.Epilogue{Activation: kernels.Tanh}).Dense(1, true, kernels.Epilogue{})
				p := b.Loss(kernels.Loss{Kind: kernels.BCE, ClassWeight: []float32{30, 3}}, false).Clip(limit).Finish(sgd())
				tr := newTrial(t, backend, b, p, randomData(4, rows, in, 2))
				tr.step(kernels.Batch{Rows: someRows(1, rows, rows), Step: 1, LearningRate: 0.1}, sums)
				norm := 0.0
				for _, g := range b.grads {
					for _, v := range tr.ref.values[g] {
						norm += v * v
					}
				}
				limit = float32(math.Sqrt(norm) / multiple)
			}
		})
	}
}

// rules are the optimisers with every option.
func rules() []kernels.Update {
	const b1, b2, eps = 0.9, 0.999, 1e-8
	return []kernels.Update{
		{Kind: kernels.SGD},
		{Kind: kernels.SGD, WeightDecay: 0.1},
		{Kind: kernels.SGD, Momentum: 0.9},
		{Kind: kernels.SGD, Momentum: 0.5, WeightDecay: 0.1},
		{Kind: kernels.Adam, Beta1: b1, Beta2: b2, Epsilon: eps},
		{Kind: kernels.Adam, Beta1: 0, Beta2: 0.5, Epsilon: 1e-3},
		{Kind: kernels.Adam, Beta1: b1, Beta2: b2, Epsilon: eps, WeightDecay: 0.1},
		{Kind: kernels.AdamW, Beta1: b1, Beta2: b2, Epsilon: eps},
		{Kind: kernels.AdamW, Beta1: b1, Beta2: b2, Epsilon: eps, WeightDecay: 0.1},
	}
}

func ruleName(u kernels.Update) string {
	return fmt.Sprintf("%s/decay=%v/momentum=%v/beta1=%v",
		[]string{"", "sgd", "adam", "adamw"}[u.Kind], u.WeightDecay, u.Momentum, u.Beta1)
}

// updateTrial is one layer (weights that decay and a bias that does not) whose
// gradients are far from zero, so that Adam's division has something to divide.
func updateTrial(t *testing.T, backend kernels.Backend, u kernels.Update, out int) *trial {
	t.Helper()
	const rows, in = 8, 5
	b := NewBuilder(rows, in)
	p := b.Dense(out, true, kernels.Epilogue{}).Loss(classLoss(out), false).Finish(u)
	return newTrial(t, backend, b, p, randomData(uint64(out), rows, in, classes(out)))
}

// updateRules runs every rule from several step counts, the first and one where
// the bias corrections are 1 among them, with parameters from one to many.
func updateRules(t *testing.T, backend kernels.Backend) {
	for _, u := range rules() {
		t.Run(ruleName(u), func(t *testing.T) {
			for _, out := range []int{1, 19, 99, 989} {
				tr := updateTrial(t, backend, u, out)
				for i, step := range []uint64{1, 2, 3, 1000, 1 << 40} {
					tr.step(kernels.Batch{Rows: someRows(uint64(i), 8, 8), Step: step, LearningRate: 1e-3 * float32(i+1)}, sums)
				}
			}
		})
	}
}

// updateHundredSteps follows the reference for a hundred steps.
func updateHundredSteps(t *testing.T, backend kernels.Backend) {
	for _, u := range rules() {
		t.Run(ruleName(u), func(t *testing.T) {
			tr := updateTrial(t, backend, u, 3)
			rows := someRows(1, 8, 8)
			for step := uint64(1); step <= 100; step++ {
				b := kernels.Batch{Rows: rows, Step: step, LearningRate: 0.01}
				tr.train(b)
				tr.ref.step(b)
			}
			tr.compareAll(8, drift)
		})
	}
}
