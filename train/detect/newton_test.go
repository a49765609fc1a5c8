package detect

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func testProblem() (*logisticProblem, []float64) {
	data := goldenCase{Rows: 997, Cols: 9, PerMillion: 100000, Shift: 1, Scale: 1, Seed: 8}.data()
	w := make([]float64, data.Cols+1)
	for j := range w {
		w[j] = float64(j%4)/4 - 0.3
	}
	return newLogisticProblem(data, data.Rows), w
}

// The gradient against central differences of the loss.
func TestGradientIsTheSlopeOfTheLoss(t *testing.T) {
	p, w := testProblem()
	p.evaluate(w)
	gradient := append([]float64(nil), p.gradient...)
	const h = 1e-5
	for j := range w {
		at := w[j]
		w[j] = at + h
		up := p.evaluate(w)
		w[j] = at - h
		down := p.evaluate(w)
		w[j] = at
		// The third derivative times h², and a loss of 1e3 rounded at 1e-16 over h.
		wantClose(t, "slope", gradient[j], (up-down)/(2*h), 1e-6)
	}
}

// The Hessian, summed four rows at a time, against one row and element at a time.
func TestCurvatureEqualsThePlainLoop(t *testing.T) {
	p, w := testProblem()
	got := p.curvature(w)
	d := p.cols + 1
	want := make([]float64, d*d)
	x := make([]float64, d)
	for i := range p.Rows {
		q := sigmoid(p.centre(x, i, w))
		s := p.weight[0]
		if p.Positive[i] {
			s = p.weight[1]
		}
		for j := range d {
			for k := range d {
				want[j*d+k] += s * q * (1 - q) * x[j] * x[k]
			}
		}
	}
	for j := range p.cols {
		want[j*d+j]++
	}
	for j := range d {
		for k := j; k < d; k++ {
			wantClose(t, "element", got[j*d+k], want[j*d+k], 1e-12)
		}
	}
}

func TestSolvePositiveEqualsGonum(t *testing.T) {
	p, w := testProblem()
	p.evaluate(w)
	h := p.curvature(w)
	d := len(w)
	var chol mat.Cholesky
	if !chol.Factorize(mat.NewSymDense(d, append([]float64(nil), h...))) {
		t.Fatal("gonum cannot factorise")
	}
	want := mat.NewVecDense(d, nil)
	if err := chol.SolveVecTo(want, mat.NewVecDense(d, append([]float64(nil), p.gradient...))); err != nil {
		t.Fatal(err)
	}
	got := append([]float64(nil), p.gradient...)
	if !solvePositive(h, got) {
		t.Fatal("not positive")
	}
	for j := range got {
		wantClose(t, "solution", got[j], want.AtVec(j), 1e-10)
	}
}

func TestSolvePositiveRefuses(t *testing.T) {
	for _, a := range [][]float64{{0}, {-1}, {math.NaN()}, {math.Inf(1)}, {1, 2, 0, 1}} {
		b := make([]float64, int(math.Sqrt(float64(len(a)))))
		if solvePositive(a, b) {
			t.Errorf("%v counts as positive definite", a)
		}
	}
}

func TestSoftplusAndSigmoidStayFinite(t *testing.T) {
	for _, z := range []float64{0, 1e-300, 1, 36, 40, 700, 1e9, math.MaxFloat64} {
		for _, z := range []float64{z, -z} {
			if s := softplus(z); !(s >= max(z, 0)) || math.IsInf(s, 0) {
				t.Errorf("softplus(%v) = %v", z, s)
			}
			if q := sigmoid(z); !(q >= 0 && q <= 1) {
				t.Errorf("sigmoid(%v) = %v", z, q)
			}
			wantClose(t, "sigmoid(z) + sigmoid(-z)", sigmoid(z)+sigmoid(-z), 1, 1e-15)
			wantClose(t, "softplus(z) - softplus(-z)", softplus(z)-softplus(-z), z, 1e-15)
		}
	}
}

// Many rows go through a sample first; the answer is that of one stage.
func TestStagesLeadToTheSameMinimum(t *testing.T) {
	data := goldenCase{Rows: 5 * sampleRows, Cols: 3, PerMillion: 1000, Shift: 1, Scale: 1, Seed: 9}.data()
	if got := stages(data); len(got) != 2 || got[0].Rows > 2*sampleRows || got[0].positives() != data.positives() {
		t.Fatalf("%d stages", len(got))
	}
	l := NewLogisticRegression()
	if err := l.Fit(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	want, err := newLogisticProblem(data, data.Rows).minimize(t.Context(), make([]float64, 4), newtonAt{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for j := range want {
		wantClose(t, "weight", l.weight[j], want[j], goldenTolerance)
	}
}

func BenchmarkLogisticRegressionFit(b *testing.B) {
	data := goldenCase{Rows: 50000, Cols: 77, PerMillion: 1000, Shift: 1, Scale: 1, Seed: 1}.data()
	for b.Loop() {
		if err := NewLogisticRegression().Fit(b.Context(), data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBestSingleFeatureFit(b *testing.B) {
	data := goldenCase{Rows: 50000, Cols: 77, PerMillion: 1000, Shift: 1, Scale: 1, Seed: 1}.data()
	for b.Loop() {
		if err := NewBestSingleFeature().Fit(b.Context(), data); err != nil {
			b.Fatal(err)
		}
	}
}
