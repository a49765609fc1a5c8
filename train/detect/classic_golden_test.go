package detect

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// classicCase is one of testdata/classic.json, which scripts/golden/classic.py
// writes.
type classicCase struct {
	Name              string
	Rows, Cols        int
	Factors, Clusters int
	Offset            float64
	Seed              uint64
	First             []float64
	PCA               classicPCA
	KMeans            classicKMeans
	GMM               classicGMM
}

type classicPCA struct {
	Kept                        int
	Components, Variance, Ratio []float64
	Reconstruction, Mahalanobis []float64
	KeptAt90                    int `json:"kept_at_90"`
}

type classicKMeans struct {
	Start    []int
	Inertia  float64
	Labels   []int32
	Distance []float64
}

type classicGMM struct {
	Start      []int
	Iterations int
	Floor      float64
	Kinds      map[string]struct {
		Score          float64
		Rows           []float64
		BIC, AIC       float64
		Weights, Means []float64
	}
}

func readClassic(t *testing.T) []classicCase {
	t.Helper()
	text, err := os.ReadFile("testdata/classic.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct{ Cases []classicCase }
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) == 0 {
		t.Fatal("classic.json has no cases")
	}
	return g.Cases
}

// data makes the rows as generate() of the script does.
func (c classicCase) data(t *testing.T) Data {
	t.Helper()
	normal := func(seed uint64, i int) float64 {
		sum := -32768
		for k := range 4 {
			sum += int(splitmix(seed, i*4+k) >> 50)
		}
		return float64(sum) / 16384 * 4
	}
	d := Data{Rows: c.Rows, Cols: c.Cols, X: make([]float32, c.Rows*c.Cols)}
	for i := range c.Rows {
		label := int(splitmix(c.Seed+3, i) % uint64(c.Clusters))
		for j := range c.Cols {
			v := c.Offset + math.Floor(normal(c.Seed+2, label*c.Cols+j)*4) + normal(c.Seed+5, i*c.Cols+j)*0.0625
			for f := range c.Factors {
				v += normal(c.Seed+4, i*c.Factors+f) * normal(c.Seed+1, f*c.Cols+j) * 0.25 * math.Ldexp(1, -f)
			}
			d.X[i*c.Cols+j] = float32(v)
		}
	}
	for j, v := range c.First {
		if float64(d.X[j]) != v {
			t.Fatalf("%s: the first row has %v in column %d, scikit-learn saw %v", c.Name, d.X[j], j, v)
		}
	}
	return d
}

func eachClassic(t *testing.T, test func(*testing.T, classicCase)) {
	for _, c := range readClassic(t) {
		t.Run(c.Name, func(t *testing.T) { test(t, c) })
	}
}

func TestGoldenPCA(t *testing.T) {
	eachClassic(t, func(t *testing.T, c classicCase) {
		data, want := c.data(t), c.PCA
		p := NewPCA(PCAOptions{Components: want.Kept})
		scores := fitScores(t, p, data)
		components, variance, ratio, ok := p.Components()
		if !ok || len(components) != want.Kept*c.Cols {
			t.Fatalf("%d entries of components, want %d of %d", len(components), want.Kept, c.Cols)
		}
		for k := range want.Kept {
			sign := 1.0
			if row := want.Components[k*c.Cols : (k+1)*c.Cols]; upright(append([]float64{}, row...))[0] != row[0] {
				sign = -1
			}
			for j := range c.Cols {
				wantClose(t, "component", components[k*c.Cols+j], sign*want.Components[k*c.Cols+j], 1e-5)
			}
			wantClose(t, "variance", variance[k]/want.Variance[0], want.Variance[k]/want.Variance[0], 5e-7)
			wantClose(t, "share of the variance", ratio[k], want.Ratio[k], 1e-6)
		}
		for i, v := range want.Reconstruction {
			wantClose(t, "reconstruction error", scores[i], v, 1e-4)
		}
		for i, v := range fitScores(t, NewPCA(PCAOptions{Components: want.Kept, Score: Mahalanobis}), data)[:len(want.Mahalanobis)] {
			wantClose(t, "Mahalanobis distance", v, want.Mahalanobis[i], 1e-4)
		}
		by := NewPCA(PCAOptions{Variance: 0.9})
		fitScores(t, by, data)
		if by.Kept() != want.KeptAt90 {
			t.Errorf("%d components hold 90 %% of the variance, want %d", by.Kept(), want.KeptAt90)
		}
	})
}

func fitScores(t *testing.T, d Detector, data Data) []float64 {
	t.Helper()
	if err := d.Fit(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	scores := make([]float64, data.Rows)
	if err := d.Score(data.X, scores); err != nil {
		t.Fatal(err)
	}
	return scores
}
