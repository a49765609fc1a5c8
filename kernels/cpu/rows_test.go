package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// rowsCase is a routine on rows of cols elements. Its runs are, in order, those
// it writes (n×cols), those it reads (n×cols), and those with one row (1×cols).
type rowsCase struct {
	name                  string
	written, read, single int
	run                   func(l level, n int, v [][]float32, rows []float64) bool
}

var rowsCases = []rowsCase{
	{"mse", 1, 2, 1, func(l level, n int, v [][]float32, rows []float64) bool {
		return l.mse(v[0], v[1], v[2], v[3], rows, 0.125)
	}},
	{"huber", 1, 2, 1, func(l level, n int, v [][]float32, rows []float64) bool {
		return l.huber(v[0], v[1], v[2], v[3], rows, 0.125, 1)
	}},
	{"layerNorm", 2, 1, 2, func(l level, n int, v [][]float32, rows []float64) bool {
		invStd := make([]float32, n)
		ok := l.layerNorm(v[0], v[1], v[2], v[3], v[4], invStd, 1e-5)
		for i, f := range invStd {
			rows[i] = float64(f)
		}
		return ok
	}},
	{"layerNorm without invStd", 2, 1, 2, func(l level, n int, v [][]float32, rows []float64) bool {
		return l.layerNorm(v[0], v[1], v[2], v[3], v[4], nil, 1e-5)
	}},
	{"layerNorm in one place", 1, 1, 2, func(l level, n int, v [][]float32, rows []float64) bool {
		return l.layerNorm(v[0], v[0], v[1], v[2], v[3], nil, 1e-5)
	}},
	{"layerNormGrad", 1, 2, 1, func(l level, n int, v [][]float32, rows []float64) bool {
		invStd := make([]float32, n)
		for i := range invStd {
			invStd[i] = float32(i+1) * 0.7
		}
		return l.layerNormGrad(v[0], v[1], v[2], v[3], invStd)
	}},
	{"batchNorm", 2, 1, 2, func(l level, n int, v [][]float32, rows []float64) bool {
		return l.batchNorm(v[0], v[1], v[2], v[3], v[4], widened(v[3]), widened(v[4]))
	}},
	{"batchNorm in one place", 1, 1, 2, func(l level, n int, v [][]float32, rows []float64) bool {
		return l.batchNorm(v[0], v[0], v[1], v[2], v[3], widened(v[2]), widened(v[3]))
	}},
	{"batchNormGrad", 1, 2, 3, func(l level, n int, v [][]float32, rows []float64) bool {
		return l.batchNormGrad(v[0], v[1], v[2], widened(v[3]), widened(v[4]), widened(v[5]))
	}},
}

// widened is a number a column in float64, with a NaN wherever none may be used.
func widened(v []float32) []float64 {
	d := doubles(len(v))
	for i := range d[:cap(d)] {
		d[:cap(d)][i] = math.NaN()
	}
	for i, x := range v {
		d[i] = float64(x) * 1.000000123
	}
	return d
}

func (c rowsCase) check(t testing.TB, l level, n, cols int, inputs [][]float32) {
	t.Helper()
	what := fmt.Sprintf("%v %s of %d×%d", l, c.name, n, cols)
	run := func(l level) ([][]float32, []float64, []fenced, bool) {
		var runs [][]float32
		var fences []fenced
		for range c.written {
			fences = append(fences, newFenced(n*cols))
		}
		for _, v := range inputs {
			fences = append(fences, fencedCopy(v))
		}
		for _, f := range fences {
			runs = append(runs, f.v)
		}
		rows := slices.Repeat([]float64{-7}, n+8)
		ok := c.run(l, n, runs, rows[:n:n])
		return runs, rows, fences, ok
	}
	want, wantRows, _, wantOK := run(plain)
	got, gotRows, fences, ok := run(l)
	for i := range want {
		sameBits(t, what, got[i], want[i])
		fences[i].check(t, what)
	}
	for i, v := range inputs {
		sameBits(t, what+": an input afterwards", got[c.written+i], v)
	}
	for i, w := range wantRows {
		if g := gotRows[i]; math.Float64bits(g) != math.Float64bits(w) && !(g != g && w != w) {
			t.Fatalf("%s: row %d is %v, the plain loop gives %v", what, i, g, w)
		}
	}
	if ok != wantOK {
		t.Fatalf("%s: finite is %v, want %v", what, ok, wantOK)
	}
}

func (c rowsCase) inputs(n, cols int, next func(int) []float32) [][]float32 {
	var inputs [][]float32
	for range c.read {
		inputs = append(inputs, next(n*cols))
	}
	for range c.single {
		inputs = append(inputs, next(cols))
	}
	return inputs
}

func TestRowsEqualPlainLoops(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	for _, l := range vectorLevels(t) {
		for _, c := range rowsCases {
			for i, cols := range append(widths, 48, 49, 63, 64, 65, 99, 111) {
				n := []int{1, 2, 5, 64}[i%4]
				inputs := c.inputs(n, cols, func(n int) []float32 { return normals(rng, n) })
				c.check(t, l, n, cols, inputs)
				inputs[0][rng.IntN(n*cols)] = 1e9 // cancels what stands beside it
				inputs[0][rng.IntN(n*cols)] = 1e-9
				c.check(t, l, n, cols, inputs)
				for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), math.MaxFloat32} {
					inputs[0][rng.IntN(n*cols)] = bad
					c.check(t, l, n, cols, inputs)
				}
			}
		}
	}
}

func FuzzRows(f *testing.F) {
	f.Add(uint8(0), uint8(3), uint8(17), []byte{0, 0, 128, 63, 0, 0, 0, 192})
	f.Add(uint8(2), uint8(1), uint8(33), []byte{0, 0, 192, 127, 1, 0, 0, 0, 0, 0, 128, 255, 9})
	f.Fuzz(func(t *testing.T, which, n, cols uint8, data []byte) {
		c, rows, columns := rowsCases[int(which)%len(rowsCases)], int(n)%9+1, int(cols)%100+1
		inputs := c.inputs(rows, columns, numbers(data))
		stride := max(columns, normCols)
		a, b := numbers(data)(rows*stride), numbers(data)(rows*stride)
		for _, l := range vectorLevels(t) {
			c.check(t, l, rows, columns, inputs)
			checkColumns(t, l, rows, stride, min(columns, normCols), a, b)
			checkProductSums(t, l, rows, stride, a, b)
		}
	})
}

func checkColumns(t testing.TB, l level, n, stride, cols int, a, b []float32) {
	t.Helper()
	what := fmt.Sprintf("%v: %d of %d columns of %d rows", l, cols, stride, n)
	a, b = withMargin(a), withMargin(b)
	for name, run := range map[string]func(l level, sums []float64){
		"totals":  func(l level, sums []float64) { l.columnTotals(sums, a, stride, n) },
		"squares": func(l level, sums []float64) { l.columnSquares(sums, widened(b[:cols]), a, stride, n) },
		"dots":    func(l level, sums []float64) { l.columnDots(sums, a, b, stride, n) },
	} {
		got, want := slices.Repeat([]float64{-7}, normCols+1), make([]float64, cols)
		run(l, got[:cols])
		run(plain, want)
		for j, w := range want {
			if g := got[j]; math.Float64bits(g) != math.Float64bits(w) && !(g != g && w != w) {
				t.Fatalf("%s: %s of column %d are %v, the plain loop gives %v", what, name, j, g, w)
			}
		}
		if got[normCols] != -7 {
			t.Fatalf("%s: %s were written beyond their room", what, name)
		}
	}
}

func TestColumnsEqualPlainLoops(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	for _, l := range vectorLevels(t) {
		for _, n := range sampleCounts {
			for cols := 1; cols <= normCols; cols++ {
				stride := cols + n%3*normCols
				a, b := normals(rng, n*stride), normals(rng, n*stride)
				checkColumns(t, l, n, stride, cols, a, b)
				a[rng.IntN(len(a))], a[rng.IntN(len(a))] = 1e9, -1e9
				checkColumns(t, l, n, stride, cols, a, b)
				a[rng.IntN(len(a))] = float32(math.Inf(1))
				checkColumns(t, l, n, stride, cols, a, b)
			}
		}
	}
}

func checkProductSums(t testing.TB, l level, n, cols int, a, b []float32) {
	t.Helper()
	what := fmt.Sprintf("%v: product sums of %d×%d", l, n, cols)
	sum := (&compiler{level: l}).vectorSum(nil, cols)
	got, want := newFenced(sum.stride), make([]float32, cols)
	for i := range got.v {
		got.v[i] = sentinel
	}
	a, b = withMargin(a), withMargin(b)
	for _, fresh := range []bool{true, false} {
		l.productSums(got.v, sum, a, b, n, fresh)
		for i, v := range a {
			want[i%cols] += float32(v * b[i])
		}
		sameBits(t, what, got.v[:cols], want)
		got.check(t, what)
	}
}

func TestProductSumsEqualPlainLoop(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	for l := plain; l <= highest(); l++ {
		for i, cols := range widths {
			n := sampleCounts[i%len(sampleCounts)]
			checkProductSums(t, l, n, cols, normals(rng, n*cols), normals(rng, n*cols))
		}
	}
}

// twinBCE is one row of the assembly's binary cross-entropy.
func twinBCE(z float32, positive bool, weight, slope float32) (g float32, row float64) {
	t, e := z, twinExp(-abs32(z))
	if positive {
		t = -z
	}
	log := twinLog1p(e)
	if t > 0 || t != t {
		log += t
	} else {
		log += 0
	}
	q := 1 / (e + 1)
	if math.Signbit(float64(t)) {
		q *= e
	}
	return q * slope, float64(log) * float64(weight)
}

func checkBCE(t testing.TB, l level, pred []float32, w0, w1 float32, total int) {
	t.Helper()
	what := fmt.Sprintf("%v: BCE of %d", l, len(pred))
	n := len(pred)
	target := make([]float32, n)
	want, wantRows := make([]float32, n), slices.Repeat([]float64{-7}, n+8)
	for i, z := range pred {
		weight, slope := w0, float32(float64(w0)/float64(total))
		if i%3 == 0 {
			target[i], weight, slope = 1, w1, float32(-float64(w1)/float64(total))
		}
		want[i], wantRows[i] = twinBCE(z, i%3 == 0, weight, slope)
	}
	dpred, kept, classes := newFenced(n), fencedCopy(pred), fencedCopy(target)
	rows := slices.Repeat([]float64{-7}, n+8)
	ok := l.bce(dpred.v, kept.v, classes.v, rows[:n:n], float64(w0), float64(w1), total)
	sameBits(t, what, dpred.v, want)
	dpred.check(t, what)
	sameBits(t, what+": logits afterwards", kept.v, pred)
	for i, w := range wantRows {
		if g := rows[i]; g != w && !(g != g && w != w) {
			t.Fatalf("%s: row %d is %v, its twin %v", what, i, g, w)
		}
	}
	if ok != allFinite(want) {
		t.Fatalf("%s: finite is %v, want %v", what, ok, !ok)
	}
}

func TestBCEEqualsTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for _, l := range vectorLevels(t) {
		checkBCE(t, l, everyFew(-3e38, 3e38), 0.5, 500, 1000)
		for _, n := range runLengths {
			var pred []float32
			for range n {
				pred = append(pred, 5*hard(rng))
			}
			checkBCE(t, l, pred, 1, 1, n)
			pred[n/2] = float32(math.NaN())
			checkBCE(t, l, pred, 0, 3, n)
		}
	}
}

// The loss and its gradient must be as close to float64 as level.bce says.
func TestBCEIsAccurate(t *testing.T) {
	loss, grad := 0.0, 0.0
	for _, z := range everyFew(-80, 80) {
		g, row := twinBCE(z, false, 1, 1)
		loss = max(loss, ulps(float32(row), softplus(float64(z))))
		grad = max(grad, ulps(g, sigmoid(float64(z))))
	}
	t.Logf("loss %.2f, gradient %.2f units in the last place", loss, grad)
	if !(loss <= 2.2) || !(grad <= 2.2) {
		t.Errorf("the loss is off by %.2f units in the last place, its gradient by %.2f", loss, grad)
	}
}

func FuzzBCE(f *testing.F) {
	f.Add(uint8(17), float32(1), float32(500), []byte{0, 0, 128, 63, 0, 0, 0, 192})
	f.Fuzz(func(t *testing.T, n uint8, w0, w1 float32, data []byte) {
		if w0-w0 != 0 || w1-w1 != 0 {
			t.Skip()
		}
		pred := numbers(data)(int(n) + 1)
		for _, l := range vectorLevels(t) {
			checkBCE(t, l, pred, w0, w1, len(pred))
		}
	})
}
