package kernelstest

import (
	"math"
	"testing"

	"flowbench/kernels"
)

// nonFinite makes NaN and infinities at every stage of a step and wants the
// buffer named where they came in.
func nonFinite(t *testing.T, backend kernels.Backend) {
	const rows, in = 40, 5
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, c := range []struct {
		name, want string
		spoil      func(tr *trial, b *kernels.Batch)
	}{
		{"good", "", func(*trial, *kernels.Batch) {}},
		{"NaN in a row that the batch leaves out", "", func(tr *trial, b *kernels.Batch) { tr.feature(0, nan) }},
		{"NaN in a feature", "x", func(tr *trial, b *kernels.Batch) { tr.feature(7, nan) }},
		{"infinity in a feature", "x", func(tr *trial, b *kernels.Batch) { tr.feature(7, inf) }},
		{"NaN in a weight", "dense0.weight", func(tr *trial, _ *kernels.Batch) { tr.element("dense0.weight", nan) }},
		{"NaN in a bias", "dense2.bias", func(tr *trial, _ *kernels.Batch) { tr.element("dense2.bias", nan) }},
		{"infinity in a gain", "norm1.gain", func(tr *trial, _ *kernels.Batch) { tr.element("norm1.gain", inf) }},
		{"overflow in the first layer", "dense0.output", func(tr *trial, _ *kernels.Batch) {
			tr.feature(7, 1e30)
			tr.scale("dense0.weight", 1e30)
		}},
		{"overflow in the last layer", "dense2.output", func(tr *trial, _ *kernels.Batch) {
			tr.scale("norm1.gain", 1e20)
			tr.scale("dense2.weight", 1e20)
		}},
		{"overflow in a gradient", "dense0.weight.grad", func(tr *trial, b *kernels.Batch) {
			for row := int32(1); row < rows; row++ {
				tr.feature(int(row), 1e36)
			}
			tr.scale("dense0.weight", 1e-36)
			tr.scale("norm1.gain", 1e4)
		}},
		{"overflow in the update", "dense0.weight", func(_ *trial, b *kernels.Batch) { b.LearningRate = float32(math.Inf(1)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewBuilder(rows, in)
			b.Dense(8, true, kernels.Epilogue{Activation: kernels.LeakyReLU}).Norm(kernels.LayerNorm, kernels.Epilogue{})
			b.Dense(2, true, kernels.Epilogue{})
			p := b.Loss(classLoss(2), false).Finish(Adam())
			tr := newTrial(t, backend, b, p, randomData(1, rows, in, 2))
			batch := kernels.Batch{Step: 1, LearningRate: 0.01}
			for row := int32(1); row < rows; row++ {
				batch.Rows = append(batch.Rows, row)
			}
			c.spoil(tr, &batch)
			got := ""
			if result := tr.train(batch); result.NonFinite != kernels.None {
				got = p.Buffers[result.NonFinite].Name
			}
			if got != c.want {
				t.Errorf("named %q, want %q", got, c.want)
			}
		})
	}
}

// feature sets the first feature of a row of the bound data.
func (tr *trial) feature(row int, v float32) { tr.data.X[row*tr.data.Cols] = v }

// element sets the last element of a buffer of the machine.
func (tr *trial) element(name string, v float32) {
	b := tr.buf(name)
	values := tr.read(b)
	values[len(values)-1] = v
	tr.write(b, values)
}

// scale multiplies a buffer of the machine.
func (tr *trial) scale(name string, by float32) {
	b := tr.buf(name)
	values := tr.read(b)
	for i := range values {
		values[i] *= by
	}
	tr.write(b, values)
}
