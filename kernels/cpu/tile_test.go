package cpu

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// sizes are (samples, inputs, outputs): one, tile and block widths ±1, primes,
// and the sizes that have caught other kernels out.
var sizes = [][3]int{
	{1, 1, 1}, {1, 3, 4}, {2, 4, 5}, {3, 5, 3}, {4, 4, 4}, {7, 8, 9}, {19, 7, 1}, {1, 78, 128},
	{31, 15, 16}, {32, 16, 17}, {33, 17, 15}, {63, 64, 65}, {65, 63, 64}, {99, 78, 19}, {111, 1, 111},
	{112, 2, 63}, {113, 33, 2}, {224, 9, 32}, {225, 31, 33}, {337, 19, 99}, {989, 13, 7},
}

func random(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func newStep(t testing.TB, n, threads int) *step {
	s := &step{rows: make([]int32, n), pool: newPool(threads), training: true, number: 1}
	t.Cleanup(s.pool.close)
	return s
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d of %d is %v, the plain loop gives %v", what, i, len(want), got[i], want[i])
		}
	}
}

// Every product on tiles must equal its plain loop to the bit, for any number of threads.
func TestTilesEqualPlainLoops(t *testing.T) {
	for _, size := range sizes {
		n, in, out := size[0], size[1], size[2]
		rng := rand.New(rand.NewPCG(uint64(n), uint64(in*1000+out)))
		x, w, dy := random(rng, n*in), random(rng, in*out), random(rng, n*out)
		y, dx := make([]float32, n*out), make([]float32, n*in)
		dw, db := make([]float32, in*out), make([]float32, out)
		for _, threads := range []int{1, 3} {
			var c compiler
			forward := &dense{x: samples{x, in}, y: samples{y, out}, w: w, in: in, out: out}
			backward := &denseGrad{x: samples{x, in}, y: samples{y, out}, dy: samples{dy, out}, dx: samples{dx, in},
				w: w, dw: dw, db: db, in: in, out: out}
			backward.prepare.denseGrad, backward.sums.denseGrad, backward.inputs.denseGrad = backward, backward, backward
			c.panels = max(panels(out)*in, panels(in)*out)
			c.gradPanels, c.transposed = blocks(n, sumBlock)*sumBlock*panels(out), blocks(n, sumBlock)*sumBlock*in
			s := newStep(t, n, threads)
			s.scratch = c.scratch()
			for i := range s.scratch.transposed { // what an earlier instruction left behind
				s.scratch.transposed[i] = float32(math.NaN())
			}
			forward.run(s)
			backward.run(s)

			want := make([]float32, max(n*out, n*in, in*out))
			plainProduct(want, x, w, n, in, out)
			sameBits(t, "product", y, want[:n*out])
			plainInputGrad(want, dy, w, n, in, out)
			sameBits(t, "input gradient", dx, want[:n*in])
			plainWeightGrad(want, x, dy, n, in, out)
			sameBits(t, "weight gradient", dw, want[:in*out])
			plainColumnSums(want, dy, n, out)
			sameBits(t, "bias gradient", db, want[:out])
			if s.health.failed() {
				t.Fatalf("%v: finite values taken for others", size)
			}
		}
	}
}

func TestFinite(t *testing.T) {
	huge, nan, inf := float32(math.MaxFloat32), float32(math.NaN()), float32(math.Inf(1))
	for n := range 10 {
		v := make([]float32, n)
		for i := range v {
			v[i] = []float32{huge, -huge, math.SmallestNonzeroFloat32, 0}[i%4]
		}
		if !finite(v) {
			t.Errorf("%v taken for not finite", v)
		}
		for i := range v {
			for _, bad := range []float32{nan, inf, -inf} {
				kept := v[i]
				v[i] = bad
				if finite(v) {
					t.Errorf("%v taken for finite", v)
				}
				v[i] = kept
			}
		}
	}
}

// A pool must run each cell once, whoever is late, and must not start a job's
// successor before it is done.
func TestPoolRunsEachCellOnce(t *testing.T) {
	s := newStep(t, 1, 4)
	for round := range 300 {
		count := round%7 + 1
		j := &countingJob{ran: make([]int, count)}
		s.pool.run(s, j, count, worthWaking)
		for i, n := range j.ran {
			if n != 1 {
				t.Fatalf("round %d: cell %d of %d ran %d times", round, i, count, n)
			}
		}
	}
}

type countingJob struct{ ran []int }

func (j *countingJob) cell(_ *step, index int) {
	runtime.Gosched()
	j.ran[index]++
}

func BenchmarkDot4(b *testing.B) {
	x, panel := make([]float32, 78), make([][panelWidth]float32, 78)
	for b.Loop() {
		dot4(0, 0, 0, 0, x, panel)
	}
	b.ReportMetric(float64(b.N)*78*panelWidth*2/float64(b.Elapsed().Nanoseconds()), "GFlop/s")
}
