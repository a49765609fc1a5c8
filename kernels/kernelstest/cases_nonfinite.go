package kernelstest

import (
	"math"
	"testing"

	"flowbench/kernels"
)

// fault is one way to make NaN or infinities, and the buffer to be named.
type fault struct {
	name, want string
	make       func(tr *trial, b *kernels.Batch)
}

// faults are made in a network dense0 (5-8), norm1, dense2 (8-2), whose batch
// holds every table row but the first.
func faults() []fault {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	return []fault{
		{"nothing", "", func(*trial, *kernels.Batch) {}},
		{"NaN in a row that the batch leaves out", "", func(tr *trial, _ *kernels.Batch) { tr.feature(0, nan) }},
		{"NaN in a feature", "x", func(tr *trial, _ *kernels.Batch) { tr.feature(7, nan) }},
		{"infinity in a feature", "x", func(tr *trial, _ *kernels.Batch) { tr.feature(7, inf) }},
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
			tr.features(b, 1e36)
			tr.scale("dense0.weight", 1e-36)
			tr.scale("norm1.gain", 1e4)
		}},
		{"overflow in a second moment", "dense0.weight.m2", func(tr *trial, b *kernels.Batch) {
			tr.features(b, 1e25)
			tr.scale("dense0.weight", 1e-25)
		}},
		{"overflow in the update", "dense0.weight", func(_ *trial, b *kernels.Batch) { b.LearningRate = float32(math.Inf(1)) }},
	}
}

// nonFinite makes NaN and infinities at every stage of a step and wants the
// buffer named where they came in, whether the batch's rows are given or an order's.
func nonFinite(t *testing.T, backend kernels.Backend) {
	const rows, in = 40, 5
	for _, c := range faults() {
		t.Run(c.name, func(t *testing.T) {
			for _, ordered := range []bool{false, true} {
				b := NewBuilder(rows, in)
				b.Dense(8, true, kernels.Epilogue{Activation: kernels.LeakyReLU}).Norm(kernels.LayerNorm, kernels.Epilogue{})
				b.Dense(2, true, kernels.Epilogue{})
				p := b.Loss(classLoss(2), false).Finish(Adam())
				tr := newTrial(t, backend, b, p, randomData(1, rows, in, 2))
				tr.wantFault(rows, ordered, c)
			}
		})
	}
	t.Run("NaN in a feature under noise", func(t *testing.T) {
		for _, ordered := range []bool{false, true} {
			b := NewBuilder(rows, in).Corrupt(0.1, 0)
			p := b.Dense(in, true, kernels.Epilogue{}).Loss(kernels.Loss{Kind: kernels.MSE}, false).Finish(sgd())
			tr := newTrial(t, backend, b, p, randomData(1, rows, in, 0))
			tr.wantFault(rows, ordered, fault{want: "x", make: func(tr *trial, _ *kernels.Batch) { tr.feature(7, float32(math.NaN())) }})
		}
	})
}

func (tr *trial) wantFault(rows int32, ordered bool, f fault) {
	tr.t.Helper()
	batch := kernels.Batch{Step: 1, LearningRate: 0.01}
	for row := int32(1); row < rows; row++ {
		batch.Rows = append(batch.Rows, row)
	}
	f.make(tr, &batch)
	if ordered {
		batch.Order, batch.Count = &kernels.Order{Rows: batch.Rows, Batch: int(rows)}, len(batch.Rows)
		batch.Rows = nil
	}
	if err := tr.machine.Bind(tr.data); err != nil { // a device has a copy of what was bound before
		tr.t.Fatal(err)
	}
	got := ""
	if result := tr.train(batch); result.NonFinite != kernels.None {
		got = tr.program.Buffers[result.NonFinite].Name
	}
	if got != f.want {
		tr.t.Errorf("ordered %v: named %q, want %q", ordered, got, f.want)
	}
}

// feature sets the first feature of a row of the bound data.
func (tr *trial) feature(row int, v float32) { tr.data.X[row*tr.data.Cols] = v }

// features sets the first feature of every row of a batch.
func (tr *trial) features(b *kernels.Batch, v float32) {
	for _, row := range b.Rows {
		tr.feature(int(row), v)
	}
}

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
