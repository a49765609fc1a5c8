package detect

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// goldenCase is one of testdata/golden.json, which scripts/metric/golden_detect.py writes.
type goldenCase struct {
	Name         string
	Rows, Cols   int
	PerMillion   uint64 `json:"per_million"`
	Shift, Scale float64
	Seed         uint64
	Coefficients []float64
	Intercept    float64
	Decision     []float64
	Best         struct {
		Column           int
		Sign             float64
		AveragePrecision float64 `json:"average_precision"`
		AUROC            float64
	}
}

func readGolden(t *testing.T) []goldenCase {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct{ Cases []goldenCase }
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) == 0 {
		t.Fatal("golden.json has no cases")
	}
	return g.Cases
}

// data makes the rows as generate() of the script does.
func (g goldenCase) data() Data {
	d := Data{Rows: g.Rows, Cols: g.Cols, X: make([]float32, g.Rows*g.Cols), Positive: make([]bool, g.Rows)}
	for i := range g.Rows {
		d.Positive[i] = splitmix(g.Seed, i)%1000000 < g.PerMillion
		row := d.X[i*g.Cols : (i+1)*g.Cols]
		for j := range row {
			sum := -131072
			for k := range 4 {
				sum += int(splitmix(g.Seed+1, (i*g.Cols+j)*4+k) >> 48)
			}
			v := float64(sum) / 65536
			switch {
			case d.Positive[i] && j%6 == 1:
				v += g.Shift
			case d.Positive[i] && j%3 == 1:
				v -= g.Shift
			}
			row[j] = float32(v) * float32(g.Scale)
		}
		if g.Cols > 3 {
			row[g.Cols-1] = float32(0.5 * g.Scale)
			row[g.Cols-2] = row[0]
		}
	}
	return d
}

func splitmix(seed uint64, i int) uint64 {
	z := seed + uint64(i+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func wantClose(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1, math.Abs(want))) {
		t.Errorf("%s: %v, want %v within %v", what, got, want, tolerance)
	}
}

// Both minimise to a gradient that rounding hides; what is left is scikit-learn's
// tolerance of 1e-10 on its own gradient, over the penalty's curvature of 1.
const goldenTolerance = 1e-8

func TestGoldenLogisticRegression(t *testing.T) {
	for _, c := range readGolden(t) {
		t.Run(c.Name, func(t *testing.T) {
			l := NewLogisticRegression()
			data := c.data()
			if err := l.Fit(t.Context(), data); err != nil {
				t.Fatal(err)
			}
			weight, intercept, _ := l.Coefficients()
			for j, want := range c.Coefficients {
				wantClose(t, "coefficient", weight[j], want, goldenTolerance)
			}
			wantClose(t, "intercept", intercept, c.Intercept, goldenTolerance)
			scores := make([]float64, len(c.Decision))
			if err := l.Score(data.X[:len(scores)*c.Cols], scores); err != nil {
				t.Fatal(err)
			}
			for i, want := range c.Decision {
				wantClose(t, "decision", scores[i], want, goldenTolerance*10)
			}
		})
	}
}

func TestGoldenBestSingleFeature(t *testing.T) {
	for _, c := range readGolden(t) {
		t.Run(c.Name, func(t *testing.T) {
			b := NewBestSingleFeature()
			if err := b.Fit(t.Context(), c.data()); err != nil {
				t.Fatal(err)
			}
			got, ok := b.Chosen()
			if !ok || got.Column != c.Best.Column || got.Sign != c.Best.Sign {
				t.Fatalf("chose %+v, want %+v", got, c.Best)
			}
			wantClose(t, "average precision", got.AveragePrecision, c.Best.AveragePrecision, 1e-12)
			wantClose(t, "AUROC", got.AUROC, c.Best.AUROC, 1e-12)
		})
	}
}
