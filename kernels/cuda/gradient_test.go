//go:build emu || gpu

package cuda_test

import (
	"math"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/kernels/cuda"
	"flowbench/kernels/kernelstest"
)

// batchesOf are steps of so many rows each.
func batchesOf(sizes ...int) []kernels.Batch {
	list := make([]kernels.Batch, len(sizes))
	for i, n := range sizes {
		list[i] = kernels.Batch{Rows: someRows(n), Step: uint64(i + 1), Seed: 4, LearningRate: 1e-3}
	}
	return list
}

// clipped is the DNN for batches of three parts of a gradient, with clipping or not.
func clipped(clip bool) *kernels.Program {
	b := kernelstest.NewBuilder(170, 78)
	for _, width := range []int{128, 64, 32} {
		b.Dense(width, true, b.Epilogue(kernels.GELU, 0.1))
	}
	b.Dense(1, true, kernels.Epilogue{}).Loss(kernels.Loss{Kind: kernels.BCE}, false)
	if clip {
		b.Clip(0.05)
	}
	return b.Finish(kernelstest.Adam())
}

// Gradients that come in several parts, of which the last is not whole or not there,
// must be the processor's, and their bits the same whichever block comes first.
func TestGradientInParts(t *testing.T) {
	list, d := batchesOf(170, 130, 128, 65, 64, 1, 170), flows(78)
	for _, clip := range []bool{false, true} {
		p := clipped(clip)
		want := trained(t, cpu.New(), p, d, 3)
		for _, b := range list {
			if _, err := want.Train(b); err != nil {
				t.Fatal(err)
			}
		}
		sums := map[string]bool{}
		onDevice(t, func(t *testing.T, b *cuda.Backend) {
			m := trained(t, b, p, d, 3)
			if err := m.(kernels.Sequencer).TrainAll(list, make([]kernels.StepResult, len(list))); err != nil {
				t.Fatal(err)
			}
			if d := distance(parameters(t, p, m), parameters(t, p, want)); !(d <= 1e-5) {
				t.Errorf("clipping %v: parameters differ by %.3g of their norm", clip, d)
			}
			sums[digest(t, p, m)] = true
			closeAll(t, m)
		})
		if len(sums) != 1 {
			t.Errorf("clipping %v: %d different results", clip, len(sums))
		}
	}
}

// A gradient that overflows only when its parts are added up is named, with clipping
// and without, and its parameter stays.
func TestSumOfPartsOverflows(t *testing.T) {
	const rows = 128
	d := kernels.Data{X: make([]float32, rows), Rows: rows, Cols: 1}
	batch := kernels.Batch{Step: 1, LearningRate: 1}
	for i := range d.X {
		d.X[i] = 1.6e19 // a part of 64 rows is its square, 2.56e38
		batch.Rows = append(batch.Rows, int32(i))
	}
	for _, clip := range []bool{false, true} {
		b := kernelstest.NewBuilder(rows, 1).Dense(1, true, kernels.Epilogue{}).Loss(kernels.Loss{Kind: kernels.MSE}, false)
		if clip {
			b.Clip(1)
		}
		p := b.Finish(kernels.Update{Kind: kernels.SGD})
		onDevice(t, func(t *testing.T, b *cuda.Backend) {
			m := trained(t, b, p, d, 3)
			for i, buf := range p.Buffers {
				if buf.Kind == kernels.Parameter {
					if err := m.Write(kernels.Buf(i), []float32{0}); err != nil {
						t.Fatal(err)
					}
				}
			}
			r, err := m.Train(batch)
			if err != nil {
				t.Fatal(err)
			}
			if name := p.Buffers[max(r.NonFinite, 0)].Name; r.NonFinite == kernels.None || name != "dense0.weight.grad" {
				t.Errorf("clipping %v: named %q, want the weight's gradient; loss %v", clip, name, r.Loss)
			}
			if w := parameters(t, p, m)[0]; w != 0 {
				t.Errorf("clipping %v: the weight has become %v", clip, w)
			}
			if math.IsNaN(r.Loss) {
				t.Error("the loss was computed, but is not reported")
			}
			closeAll(t, m)
		})
	}
}
