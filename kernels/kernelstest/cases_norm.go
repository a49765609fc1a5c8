package kernelstest

import (
	"fmt"
	"testing"

	"flowbench/kernels"
)

var normNames = map[kernels.NormKind]string{kernels.LayerNorm: "layer", kernels.BatchNorm: "batch"}

// normSizes trains a norm of every hard shape, on the table and on an activation.
func normSizes(t *testing.T, backend kernels.Backend) {
	for i, size := range hardSizes {
		rows, cols := size[0], size[1]
		for kind, name := range normNames {
			t.Run(fmt.Sprintf("%s/%dx%d", name, rows, cols), func(t *testing.T) {
				b := NewBuilder(rows, cols)
				if i%2 == 0 {
					b.Corrupt(0, 0)
				}
				b.Norm(kind, kernels.Epilogue{Activation: kernels.Tanh})
				p := b.Loss(kernels.Loss{Kind: kernels.MSE}, true).Finish(sgd())
				tr := newTrial(t, backend, b, p, randomData(uint64(i), 2*rows, cols, 0))
				for step, n := range []int{rows, (rows + 1) / 2} {
					tr.step(kernels.Batch{Rows: someRows(uint64(step), n, 2*rows), Step: uint64(step + 1), LearningRate: 0.1}, sums)
				}
				tr.predict(someRows(8, rows, 2*rows), sums)
			})
		}
	}
}

// normEdges has groups without variance (x̂ is then 0, not NaN), and a mean that
// dwarfs the variance: a one-pass variance fails there.
func normEdges(t *testing.T, backend kernels.Backend) {
	const rows, cols = 21, 21
	for kind, name := range normNames {
		t.Run(name, func(t *testing.T) {
			b := NewBuilder(rows, cols)
			p := b.Norm(kind, kernels.Epilogue{}).Loss(classLoss(cols), false).Finish(sgd())
			d := randomData(3, rows, cols, cols)
			for i := range rows {
				for j := range cols {
					switch {
					case i < 7 && kind == kernels.LayerNorm || j < 7 && kind == kernels.BatchNorm:
						d.X[i*cols+j] = 2.5
					default:
						d.X[i*cols+j] += 1000
					}
				}
			}
			tr := newTrial(t, backend, b, p, d)
			tr.step(kernels.Batch{Rows: someRows(1, rows, rows), Step: 1, LearningRate: 1e-6}, sums)
		})
	}
}

// batchNormStatistics checks the running statistics over steps of several sizes,
// one row among them, and that scoring uses them and not the batch's own.
func batchNormStatistics(t *testing.T, backend kernels.Backend) {
	const batch, rows, cols = 32, 64, 5
	b := NewBuilder(batch, cols)
	p := b.Norm(kernels.BatchNorm, kernels.Epilogue{}).Loss(kernels.Loss{Kind: kernels.MSE}, false).Finish(sgd())
	tr := newTrial(t, backend, b, p, randomData(12, rows, cols, 0))
	for step, n := range []int{batch, 17, 1, 2, batch} {
		tr.step(kernels.Batch{Rows: someRows(uint64(step), n, rows), Step: uint64(step + 1), LearningRate: 0.01}, sums)
	}
	before := tr.read(tr.buf("norm0.running_variance"))
	tr.predict([]int32{3}, sums)
	tr.predict(someRows(5, 2*batch, rows), sums)
	if fault := sameBits(tr.read(tr.buf("norm0.running_variance")), before); fault != "" {
		t.Errorf("scoring moved the running variance: %s", fault)
	}
}
