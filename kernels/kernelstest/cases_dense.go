package kernelstest

import (
	"fmt"
	"math"
	"testing"

	"flowbench/kernels"
)

var activationNames = []string{"identity", "relu", "leaky_relu", "gelu", "tanh", "sigmoid"}

// hardSizes are (rows, inputs, outputs): one, the sizes that have caught kernels
// out before, and vector and tile widths ±1.
var hardSizes = [][3]int{
	{1, 1, 1}, {1, 19, 1}, {19, 1, 19}, {2, 3, 15}, {15, 16, 17}, {17, 15, 16}, {31, 33, 32}, {33, 31, 31},
	{63, 65, 64}, {65, 64, 63}, {8, 111, 9}, {7, 8, 127}, {99, 7, 1}, {111, 19, 99}, {113, 78, 129}, {989, 19, 7},
}

// denseSizes trains one layer on every size: a full batch, a part of one, one
// row; input from the table and from an activation, with and without bias.
func denseSizes(t *testing.T, backend kernels.Backend) {
	for i, size := range hardSizes {
		rows, in, out := size[0], size[1], size[2]
		t.Run(fmt.Sprintf("%dx%dx%d", rows, in, out), func(t *testing.T) {
			b := NewBuilder(rows, in)
			if i%2 == 0 {
				b.Corrupt(0, 0)
			}
			b.Dense(out, i%3 != 0, kernels.Epilogue{Activation: kernels.ActivationFunc(i % 6)})
			p := b.Loss(classLoss(out), false).Finish(sgd())
			tr := newTrial(t, backend, b, p, randomData(uint64(i), 2*rows, in, classes(out)))
			for step, n := range []int{rows, (rows + 1) / 2, 1} {
				batch := kernels.Batch{Rows: someRows(uint64(step), n, 2*rows), Step: uint64(step + 1), Seed: 5, LearningRate: 0.1}
				tr.step(batch, sums)
			}
		})
	}
}

// denseExact passes hard values through an identity matrix: a product with one
// term that is not zero has no rounding, so the result is exact.
func denseExact(t *testing.T, backend kernels.Backend) {
	hard := []float32{0, float32(math.Copysign(0, -1)), 1e-9, 1e9, -1e9, -1e-9, math.MaxFloat32, -math.MaxFloat32,
		1.1754944e-38, -1.1754944e-38, 1, -1, 3, 1 + 0x1p-23, 1 - 0x1p-24, 16777217, 0.1}
	n := len(hard)
	b := NewBuilder(n, n)
	p := b.Dense(n, false, kernels.Epilogue{}).Loss(kernels.Loss{Kind: kernels.SoftmaxCE}, false).Finish(sgd())
	d := randomData(1, n, n, n)
	for i := range n {
		for j := range n {
			d.X[i*n+j] = hard[(i+j)%n]
		}
	}
	tr := newTrial(t, backend, b, p, d)
	identity := make([]float32, n*n)
	for i := range n {
		identity[i*n+i] = 1
	}
	tr.set("dense0.weight", identity...)
	rows := someRows(3, n, n)
	got, want := make([]float32, n*n), make([]float64, 0, n*n)
	if err := tr.machine.Predict(rows, got); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		for j := range n {
			want = append(want, float64(d.X[int(r)*n+j]))
		}
	}
	if fault := compare(got, want, tolerance{}); fault != "" {
		t.Error(fault)
	}
}

// activationValues passes values from far below to far above zero through an
// identity matrix and each activation, and the gradient back. The absolute part
// of the tolerance leaves room for a float32 error function.
func activationValues(t *testing.T, backend kernels.Backend) {
	var x []float32
	for i := -300; i <= 300; i++ {
		x = append(x, float32(i)*0.0371)
	}
	x = append(x, 0, 1e-30, -1e-30, 1e-5, -1e-5, 30, -30, 89, -89, 1e4, -1e4)
	tol := tolerance{relative: elementwise.relative, absolute: 2e-7}
	for f, name := range activationNames {
		t.Run(name, func(t *testing.T) {
			b := NewBuilder(len(x), 1).Corrupt(0, 0)
			p := b.Dense(1, false, kernels.Epilogue{Activation: kernels.ActivationFunc(f)}).
				Loss(kernels.Loss{Kind: kernels.Huber, Delta: float32(len(x))}, false).Finish(sgd())
			tr := newTrial(t, backend, b, p, kernels.Data{X: x, Rows: len(x), Cols: 1})
			tr.set("dense1.weight", 1)
			order := make([]int32, len(x))
			for i := range order {
				order[i] = int32(i)
			}
			batch := kernels.Batch{Rows: order, Step: 1}
			tr.train(batch)
			tr.ref.step(batch)
			for _, name := range []string{"dense1.output", "dense1.output.grad"} {
				buf := tr.buf(name)
				if fault := compare(tr.read(buf), tr.ref.values[buf], tol); fault != "" {
					t.Errorf("%s: %s", name, fault)
				}
			}
		})
	}
}

// activations runs every epilogue, with and without dropout, after a Dense and
// after both norms, with values from far below to far above zero.
func activations(t *testing.T, backend kernels.Backend) {
	const rows, in, out = 37, 11, 13
	for f, name := range activationNames {
		for _, rate := range []float32{0, 0.3} {
			for _, layer := range []string{"dense", "layer_norm", "batch_norm"} {
				t.Run(fmt.Sprintf("%s/%v/%s", name, rate, layer), func(t *testing.T) {
					b := NewBuilder(rows, in).Corrupt(0, 0)
					e := b.Epilogue(kernels.ActivationFunc(f), rate)
					switch layer {
					case "dense":
						b.Dense(out, true, e)
					case "layer_norm":
						b.Norm(kernels.LayerNorm, e)
					case "batch_norm":
						b.Norm(kernels.BatchNorm, e)
					}
					p := b.Dense(3, true, kernels.Epilogue{}).Loss(classLoss(3), false).Finish(sgd())
					d := randomData(uint64(f), rows, in, 3)
					for i := range d.X {
						d.X[i] *= 3
					}
					tr := newTrial(t, backend, b, p, d)
					for step := range uint64(2) {
						tr.step(kernels.Batch{Rows: someRows(step, rows, rows), Step: step + 1, Seed: 9, LearningRate: 0.1}, sums)
					}
					tr.predict(someRows(4, rows, rows), sums)
				})
			}
		}
	}
}

// networks trains whole models: what a trial runs.
func networks(t *testing.T, backend kernels.Backend) {
	const batch, rows, in = 111, 300, 19
	dnn := func() (*Builder, *kernels.Program) {
		b := NewBuilder(batch, in)
		b.Dense(32, true, b.Epilogue(kernels.ReLU, 0.1)).Norm(kernels.BatchNorm, kernels.Epilogue{})
		b.Dense(17, true, b.Epilogue(kernels.GELU, 0.2)).Norm(kernels.LayerNorm, kernels.Epilogue{})
		b.Dense(1, true, kernels.Epilogue{})
		b.Loss(kernels.Loss{Kind: kernels.BCE, ClassWeight: []float32{1, 50}, Gamma: 2}, false).Clip(0.5)
		return b, b.Finish(kernels.Update{Kind: kernels.SGD, Momentum: 0.9, WeightDecay: 0.01})
	}
	autoencoder := func() (*Builder, *kernels.Program) {
		b := NewBuilder(batch, in).Corrupt(0.5, 0.1)
		b.Dense(16, true, kernels.Epilogue{Activation: kernels.Tanh}).Dense(5, true, kernels.Epilogue{Activation: kernels.LeakyReLU})
		b.Dense(16, true, kernels.Epilogue{Activation: kernels.Sigmoid}).Dense(in, true, kernels.Epilogue{})
		return b, b.Loss(kernels.Loss{Kind: kernels.Huber, Delta: 1}, true).Finish(Adam())
	}
	for name, build := range map[string]func() (*Builder, *kernels.Program){"dnn": dnn, "autoencoder": autoencoder} {
		t.Run(name, func(t *testing.T) {
			b, p := build()
			tr := newTrial(t, backend, b, p, randomData(6, rows, in, 2))
			for step, n := range []int{batch, batch, 50, batch} {
				tr.step(kernels.Batch{Rows: someRows(uint64(step), n, rows), Step: uint64(step + 1), Seed: 2, LearningRate: 0.01}, drift)
			}
			tr.predict(someRows(1, 2*batch+7, rows), drift)
		})
	}
}

// drift is the tolerance after a few steps of a whole network, whose roundings
// add up; Adam divides gradients by their own size, small ones too.
var drift = tolerance{scaled: 2e-4, relative: 2e-4, absolute: 1e-37}
