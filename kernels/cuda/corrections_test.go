package cuda_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"flowbench/kernels"
	"flowbench/kernels/cuda"
)

// numbered are batches with the steps from first on, each so many after the other.
func numbered(n int, first, apart uint64) []kernels.Batch {
	list := make([]kernels.Batch, n)
	for i := range list {
		list[i] = kernels.Batch{Rows: []int32{0}, Step: first + uint64(i)*apart, LearningRate: 1e-3 / float32(i+1)}
	}
	return list
}

// Corrections that trials share must be those of the formula, to the bit, wherever
// their steps begin, end and lie.
func TestCorrectionsEqualFormula(t *testing.T) {
	betas := rapid.SampledFrom([]float32{0, 0.5, 0.9, 0.99, 0.999, math.Nextafter32(1, 0)})
	firsts := rapid.SampledFrom([]uint64{1, 2, 90, 260, 1 << 20, math.MaxUint64 - 5000})
	rapid.Check(t, func(t *rapid.T) {
		machines := rapid.IntRange(1, 6).Draw(t, "machines")
		optimizers, batches := make([]kernels.Update, machines), make([][]kernels.Batch, machines)
		for i := range machines {
			optimizers[i] = kernels.Update{Beta1: betas.Draw(t, "beta1"), Beta2: betas.Draw(t, "beta2")}
			batches[i] = numbered(rapid.IntRange(1, 600).Draw(t, "steps"), firsts.Draw(t, "first"), rapid.Uint64Range(0, 3).Draw(t, "apart"))
			if rapid.Bool().Draw(t, "leaps") {
				batches[i] = append(batches[i], numbered(2, 1, 1<<40)...)
			}
		}
		sent, _ := cuda.Corrections(optimizers, batches)
		for i, u := range optimizers {
			for s, b := range batches[i] {
				step := float64(b.Step)
				want := [2]float32{
					float32(float64(b.LearningRate) / (1 - math.Pow(float64(u.Beta1), step))),
					float32(1 / math.Sqrt(1-math.Pow(float64(u.Beta2), step))),
				}
				for k, v := range sent[i][s] {
					if math.Float32bits(v) != math.Float32bits(want[k]) {
						t.Fatalf("betas %v and %v, step %d, machine %d: %v, want %v", u.Beta1, u.Beta2, b.Step, i, sent[i][s], want)
					}
				}
			}
		}
	})
}

// What the corrections take is computed once for all trials that have their betas and
// steps in common, and for no step that nobody takes.
func TestCorrectionsAreShared(t *testing.T) {
	adam := kernels.Update{Beta1: 0.9, Beta2: 0.999}
	other := kernels.Update{Beta1: 0.8, Beta2: 0.999}
	for _, c := range []struct {
		name       string
		optimizers []kernels.Update
		batches    [][]kernels.Batch
		computed   int
	}{
		{"in step", []kernels.Update{adam, adam, adam}, [][]kernels.Batch{numbered(300, 1, 1), numbered(300, 1, 1), numbered(200, 1, 1)}, 300},
		{"one ahead", []kernels.Update{adam, adam}, [][]kernels.Batch{numbered(300, 101, 1), numbered(300, 1, 1)}, 400},
		{"far ahead", []kernels.Update{adam, adam}, [][]kernels.Batch{numbered(300, 1, 1), numbered(300, 9001, 1)}, 600},
		{"other betas", []kernels.Update{adam, other, adam}, [][]kernels.Batch{numbered(300, 1, 1), numbered(300, 1, 1), numbered(300, 1, 1)}, 600},
		{"leaps", []kernels.Update{adam}, [][]kernels.Batch{numbered(300, 1, 2)}, 0},
	} {
		if _, computed := cuda.Corrections(c.optimizers, c.batches); computed != c.computed {
			t.Errorf("%s: the biases of %d steps are computed ahead, want %d", c.name, computed, c.computed)
		}
	}
}
