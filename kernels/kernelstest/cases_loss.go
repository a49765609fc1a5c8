package kernelstest

import (
	"fmt"
	"math"
	"testing"

	"flowbench/kernels"
)

// logits are hard ones: around zero, where a naive exponential overflows
// (88.7), where a float64 one does (709.8), and as large as float32 goes.
var logits = []float32{0, float32(math.Copysign(0, -1)), 1e-30, -1e-30, 1e-9, 1, -1, 5, -5, 16, -16, 17, -17,
	40, -40, 88, -88, 89, -89, 104, -104, 709, -709, 710, -710, 1e4, -1e4, 1e9, -1e9, 3e38, -3e38}

// lossTrial compares a loss of the given logits (rows×cols, written as the
// table, through an identity matrix) with its reference, element by element.
func lossTrial(t *testing.T, backend kernels.Backend, l kernels.Loss, x []float32, y []float32, cols int) {
	t.Helper()
	rows := len(x) / cols
	b := NewBuilder(rows, cols)
	p := b.Dense(cols, false, kernels.Epilogue{}).Loss(l, false).Finish(sgd())
	tr := newTrial(t, backend, b, p, kernels.Data{X: x, Y: y, Rows: rows, Cols: cols})
	identity := make([]float32, cols*cols)
	for j := range cols {
		identity[j*cols+j] = 1
	}
	tr.set("dense0.weight", identity...)
	order := make([]int32, rows)
	for i := range order {
		order[i] = int32(rows - 1 - i)
	}
	result := tr.train(kernels.Batch{Rows: order, Step: 1, LearningRate: 0})
	want := tr.ref.step(kernels.Batch{Rows: order, Step: 1, LearningRate: 0})
	if d := deviation(result.Loss, want, elementwise.relative*math.Abs(want)+elementwise.absolute); !(d <= 1) {
		t.Errorf("loss %v, want %v (%.3g times the tolerance)", result.Loss, want, d)
	}
	grad := tr.buf("dense0.output.grad")
	if fault := compare(tr.read(grad), tr.ref.values[grad], elementwise); fault != "" {
		t.Errorf("gradient: %s", fault)
	}
}

// bceLogits runs every hard logit with both targets, alone and in one batch.
func bceLogits(t *testing.T, backend kernels.Backend) {
	for _, gamma := range []float32{0, 0.5, 1, 2, 5} {
		for _, weights := range [][]float32{nil, {0.5, 500}, {0, 1}} {
			t.Run(fmt.Sprintf("gamma=%v/weights=%v", gamma, weights), func(t *testing.T) {
				l := kernels.Loss{Kind: kernels.BCE, Gamma: gamma, ClassWeight: weights}
				var x, y []float32
				for _, z := range logits {
					for class := range 2 {
						x, y = append(x, z), append(y, float32(class))
					}
				}
				lossTrial(t, backend, l, x, y, 1)
				for i := range x {
					lossTrial(t, backend, l, x[i:i+1], y[i:i+1], 1)
				}
			})
		}
	}
}

// softmaxLogits puts every hard logit beside small ones, as the true class and not.
func softmaxLogits(t *testing.T, backend kernels.Backend) {
	for _, cols := range []int{2, 3, 15, 17} {
		for _, gamma := range []float32{0, 0.5, 2} {
			t.Run(fmt.Sprintf("classes=%d/gamma=%v", cols, gamma), func(t *testing.T) {
				weights := make([]float32, cols)
				for j := range weights {
					weights[j] = float32(j%4) * 0.75
				}
				var x, y []float32
				for i, z := range logits {
					for j := range cols {
						v := float32(j-cols/2) * 0.5
						if j == i%cols {
							v = z
						}
						x = append(x, v)
					}
					y = append(y, float32((i+i/cols%2)%cols))
				}
				lossTrial(t, backend, kernels.Loss{Kind: kernels.SoftmaxCE, Gamma: gamma, ClassWeight: weights}, x, y, cols)
				for i := range y {
					l := kernels.Loss{Kind: kernels.SoftmaxCE, Gamma: gamma}
					lossTrial(t, backend, l, x[i*cols:(i+1)*cols], y[i:i+1], cols)
				}
			})
		}
	}
}

// regressionLosses covers MSE and Huber, with and without feature weights, with
// the table and with an activation as the target.
func regressionLosses(t *testing.T, backend kernels.Backend) {
	for _, l := range []kernels.Loss{
		{Kind: kernels.MSE}, {Kind: kernels.Huber, Delta: 0.5}, {Kind: kernels.Huber, Delta: 100},
	} {
		for _, weighted := range []bool{false, true} {
			for _, activation := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d/%v/weighted=%v/activation=%v", l.Kind, l.Delta, weighted, activation), func(t *testing.T) {
					const rows, cols = 33, 19
					b := NewBuilder(rows, cols).Corrupt(1, 0.2)
					target := b.Output()
					p := b.Dense(cols, true, kernels.Epilogue{}).Loss(l, weighted).Finish(sgd())
					if activation {
						in := p.Train[2].(kernels.Loss)
						in.Target = target
						p.Train[2] = in
					}
					tr := newTrial(t, backend, b, p, randomData(9, rows, cols, 0))
					for step, n := range []int{rows, 7} {
						tr.step(kernels.Batch{Rows: someRows(uint64(step), n, rows), Step: uint64(step + 1), LearningRate: 0.1}, sums)
					}
				})
			}
		}
	}
}
