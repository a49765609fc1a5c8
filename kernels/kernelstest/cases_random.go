package kernelstest

import (
	"math"
	"testing"

	"flowbench/kernels"
)

// ones is data whose every feature is 1.
func ones(rows, cols int) kernels.Data {
	d := kernels.Data{X: make([]float32, rows*cols), Rows: rows, Cols: cols}
	for i := range d.X {
		d.X[i] = 1
	}
	return d
}

// dropTrial is a network whose layer output shows its mask: ones through an
// identity matrix and dropout.
func dropTrial(t *testing.T, backend kernels.Backend, f kernels.ActivationFunc, rate float32, rows, cols int) (*trial, kernels.Epilogue) {
	t.Helper()
	b := NewBuilder(rows, cols).Corrupt(0, 0)
	b.stream() // so that the site's stream is not the first
	e := b.Epilogue(f, rate)
	p := b.Dense(cols, false, e).Loss(kernels.Loss{Kind: kernels.MSE}, false).Finish(sgd())
	tr := newTrial(t, backend, b, p, ones(rows, cols))
	identity := make([]float32, cols*cols)
	for j := range cols {
		identity[j*cols+j] = 1
	}
	tr.set("dense1.weight", identity...)
	return tr, e
}

// dropoutMask checks that forward and backward drop exactly what kernels.Keep
// says for (seed, step, stream, row·cols+col), whichever table rows the batch
// holds, in a partial batch too, and that scoring drops nothing.
func dropoutMask(t *testing.T, backend kernels.Backend) {
	const rows = 33
	for f, name := range activationNames {
		cols := []int{19, 130}[f%2]
		t.Run(name, func(t *testing.T) {
			tr, e := dropTrial(t, backend, kernels.ActivationFunc(f), 0.4, rows, cols)
			for _, b := range []kernels.Batch{
				{Rows: someRows(1, rows, rows), Step: 1, Seed: 3},
				{Rows: someRows(2, rows, rows), Step: 2, Seed: 3},
				{Rows: someRows(1, rows, rows), Step: 1, Seed: 3 << 40},
				{Rows: someRows(3, 5, rows), Step: 1 << 33, Seed: 3},
			} {
				tr.train(b)
				y, dz := tr.read(tr.buf("dense1.output")), tr.read(tr.buf("dense1.output.grad"))
				for i := range len(b.Rows) * cols {
					kept := kernels.Keep(b.Seed, b.Step, e.Stream, uint64(i), e.DropRate)
					if (y[i] != 0) != kept || (dz[i] != 0) != kept {
						t.Fatalf("step %d, element %d: output %v, gradient %v, but Keep says %v", b.Step, i, y[i], dz[i], kept)
					}
				}
			}
			tr.predict(someRows(4, rows, rows), elementwise)
		})
	}
}

// dropoutShare checks the share of zeros and that the mean is kept.
func dropoutShare(t *testing.T, backend kernels.Backend) {
	const rows, cols = 256, 64
	for _, rate := range []float32{0.1, 0.5, 0.9} {
		tr, _ := dropTrial(t, backend, kernels.Identity, rate, rows, cols)
		tr.train(kernels.Batch{Rows: someRows(1, rows, rows), Step: 5, Seed: 11})
		zeros, sum, n := 0.0, 0.0, float64(rows*cols)
		for _, v := range tr.read(tr.buf("dense1.output")) {
			sum += float64(v)
			if v == 0 {
				zeros++
			}
		}
		p := float64(rate)
		five := 5 * math.Sqrt(p*(1-p)/n)
		if !(math.Abs(zeros/n-p) <= five) || !(math.Abs(sum/n-1) <= five/(1-p)) {
			t.Errorf("rate %v: %v zeros, mean %v of ones; want within %v of the rate and of 1", rate, zeros/n, sum/n, five)
		}
	}
}

// corruptNoise checks every element against kernels.Normal and kernels.Keep,
// and that scoring copies.
func corruptNoise(t *testing.T, backend kernels.Backend) {
	const rows, cols = 21, 19
	for _, c := range []struct{ sigma, mask float32 }{{0, 0}, {0.5, 0}, {0, 0.3}, {2, 0.3}} {
		b := NewBuilder(rows, cols).Corrupt(c.sigma, c.mask)
		p := b.Dense(cols, false, kernels.Epilogue{}).Loss(kernels.Loss{Kind: kernels.MSE}, false).Finish(sgd())
		tr := newTrial(t, backend, b, p, randomData(2, rows, cols, 0))
		for step := range uint64(3) {
			tr.step(kernels.Batch{Rows: someRows(step, rows-int(step), rows), Step: step + 1, Seed: 77, LearningRate: 0.1}, sums)
		}
		tr.predict(someRows(5, rows, rows), sums)
	}
}

// corruptMoments checks the noise as a distribution.
func corruptMoments(t *testing.T, backend kernels.Backend) {
	const rows, cols, sigma = 256, 64, 0.5
	b := NewBuilder(rows, cols).Corrupt(sigma, 0)
	p := b.Dense(cols, false, kernels.Epilogue{}).Loss(kernels.Loss{Kind: kernels.MSE}, false).Finish(sgd())
	tr := newTrial(t, backend, b, p, ones(rows, cols))
	tr.train(kernels.Batch{Rows: someRows(1, rows, rows), Step: 9, Seed: 4})
	mean, square, n := 0.0, 0.0, float64(rows*cols)
	for _, v := range tr.read(tr.buf("corrupt0.output")) {
		e := (float64(v) - 1) / sigma
		mean += e / n
		square += e * e / n
	}
	if !(math.Abs(mean) <= 5/math.Sqrt(n)) || !(math.Abs(square-1) <= 5*math.Sqrt(2/n)) {
		t.Errorf("noise of mean %v and mean square %v, want 0 and 1", mean, square)
	}
}
