//go:build emu || gpu

package cuda_test

import (
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cuda"
	"flowbench/kernels/kernelstest"
)

// wide is a network whose products are of so many elements in a batch of 600 that they
// are cut into large tiles, in one of 48 into small ones.
func wide(batch int, precision kernels.Precision) *kernels.Program {
	b := kernelstest.NewBuilder(batch, 19).Dense(901, true, kernels.Epilogue{Activation: kernels.Tanh})
	b.Dense(1, true, kernels.Epilogue{}).Loss(kernels.Loss{Kind: kernels.BCE}, false)
	p := b.Finish(kernelstest.Adam())
	p.Precision = precision
	return p
}

// What is scored must be the same to the bit in tiles of either size.
func TestTilesOfEitherSizeGiveTheSameBits(t *testing.T) {
	d, rows := flows(19), someRows(600)
	for _, precision := range []kernels.Precision{kernels.Float32, kernels.TF32, kernels.BFloat16} {
		onDevice(t, func(t *testing.T, b *cuda.Backend) {
			var scores [2][]float32
			for i, batch := range []int{600, 48} {
				m := trained(t, b, wide(batch, precision), d, 3)
				scores[i] = make([]float32, len(rows))
				if err := m.Predict(rows, scores[i]); err != nil {
					t.Fatal(err)
				}
				closeAll(t, m)
			}
			sameBits(t, scores[0], scores[1])
		})
	}
}

// Steps in large tiles must end where the processor's do.
func TestLargeTilesEqualCPU(t *testing.T) {
	p, d, list := wide(600, kernels.Float32), flows(19), batchesOf(600, 577)
	want := trainedOnCPU(t, p, d, 3, list)
	onDevice(t, func(t *testing.T, b *cuda.Backend) {
		m := trained(t, b, p, d, 3)
		if err := m.(kernels.Sequencer).TrainAll(list, make([]kernels.StepResult, len(list))); err != nil {
			t.Fatal(err)
		}
		if d := distance(parameters(t, p, m), parameters(t, p, want)); !(d <= 1e-5) {
			t.Errorf("parameters differ by %.3g of their norm", d)
		}
		closeAll(t, m)
	})
}
