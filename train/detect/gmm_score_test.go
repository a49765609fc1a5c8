package detect

import (
	"math"
	"math/rand/v2"
	"testing"
)

// nearlyDependent are rows of columns that repeat others but for a little, and a
// few rows, where far is set, far from all.
func nearlyDependent(rows, cols int, far bool) Data {
	random := rand.New(rand.NewPCG(7, 11))
	d := Data{X: make([]float32, rows*cols), Rows: rows, Cols: cols}
	for i := range rows {
		at := float32(random.IntN(3) * 4)
		for j := range cols {
			v := random.NormFloat64()
			if j > 2 {
				v = float64(d.X[i*cols+j%3]-at) + v/100
			}
			d.X[i*cols+j] = at + float32(v)
		}
		if far && i%97 == 0 {
			d.X[i*cols+i%cols] = float32(math.Pow(10, float64(i%13)))
		}
	}
	return d
}

// slowDensity is the negative logarithm of a mixture's density, term by term.
func slowDensity(m Mixture, row []float32) float64 {
	logs := make([]float64, m.Components)
	for c := range logs {
		square := 0.0
		for i := range m.Cols {
			z := 0.0
			for j := range m.Cols {
				z += m.Scale[c][i*m.Cols+j] * (float64(row[j]) - m.Mean[c][j])
			}
			square += z * z
		}
		logs[c] = m.Constant[c] - square/2
	}
	most, sum := math.Inf(-1), 0.0
	for _, v := range logs {
		most = math.Max(most, v)
	}
	for _, v := range logs {
		sum += math.Exp(v - most)
	}
	return -(most + math.Log(sum))
}

// Where columns nearly cancel, float32 alone is off by 10⁻⁴ and more.
func TestMixturesScoreAsTheSlowLoop(t *testing.T) {
	usual, data := nearlyDependent(3000, 12, false), nearlyDependent(3000, 12, true)
	for _, o := range []GMMOptions{
		{Components: 1, Covariance: Full}, {Components: 3, Covariance: Full}, {Components: 9, Covariance: Full}, {Components: 5, Covariance: Tied},
	} {
		o.Iterations, o.Floor, o.Tolerance = 20, 1e-5, 1e-3
		g := NewGMM(o)
		if err := g.Fit(t.Context(), usual); err != nil {
			t.Fatal(err)
		}
		scores := make([]float64, data.Rows)
		if err := g.Score(data.X, scores); err != nil {
			t.Fatal(err)
		}
		m, worst := g.Mixture(), 0.0
		for i, got := range scores {
			want := slowDensity(m, data.X[i*data.Cols:(i+1)*data.Cols])
			off := math.Abs(got-want) / math.Max(1, math.Abs(want))
			if !(off <= 1e-9) {
				t.Fatalf("%+v: row %d scores %v, by the slow loop %v", o, i, got, want)
			}
			worst = math.Max(worst, off)
		}
		t.Logf("%+v: off by %.2g", o, worst)
	}
}

// The nearest of centroids that float32 cannot tell apart is the one that float64 does.
func TestKMeansScoresAsTheSlowLoop(t *testing.T) {
	data := nearlyDependent(3000, 12, true)
	k := NewKMeans(KMeansOptions{Clusters: 200, Iterations: 5, Spread: true})
	if err := k.Fit(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	scores, at := make([]float64, data.Rows), k.Centroids()
	if err := k.Score(data.X, scores); err != nil {
		t.Fatal(err)
	}
	for i, got := range scores {
		nearest, least := 0, math.Inf(1)
		for c := range k.Clusters() {
			sum := 0.0
			for j, v := range data.X[i*data.Cols : (i+1)*data.Cols] {
				d := float64(v) - at[c*data.Cols+j]
				sum += float64(d * d)
			}
			if sum < least {
				nearest, least = c, sum
			}
		}
		if want := math.Sqrt(least) / k.Spreads()[nearest]; got != want {
			t.Fatalf("row %d scores %v, by the slow loop %v of cluster %d", i, got, want, nearest)
		}
	}
}
