package detect

import (
	"math"
	"testing"
)

func TestGoldenGMM(t *testing.T) {
	kinds := map[string]string{"full": Full, "tied": Tied, "diag": Diagonal, "spherical": Spherical}
	eachClassic(t, func(t *testing.T, c classicCase) {
		data := c.data(t)
		for name, want := range c.GMM.Kinds {
			o := GMMOptions{Components: len(c.GMM.Start), Covariance: kinds[name], Iterations: c.GMM.Iterations, Floor: c.GMM.Floor}
			label, means := nearestRows(data, c.GMM.Start)
			e, err := o.from(t.Context(), data, label, means)
			if err != nil {
				t.Fatal(err)
			}
			f := &gmmFit{options: o, data: data, running: e, before: math.Inf(-1)}
			if err := f.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			g := NewGMM(o)
			g.take(e, data)
			wantClose(t, name+" mean log-likelihood", g.figures["log_likelihood"], want.Score, 1e-5)
			wantClose(t, name+" BIC", g.figures["bic"], want.BIC, 1e-5)
			wantClose(t, name+" AIC", g.figures["aic"], want.AIC, 1e-5)
			for i, w := range want.Weights {
				wantClose(t, name+" weight", e.weight[i], w, 1e-5)
			}
			for i, m := range want.Means {
				wantClose(t, name+" mean", e.mean[i], m, 1e-5)
			}
			scores := make([]float64, len(want.Rows))
			if err := g.Score(data.X[:len(scores)*c.Cols], scores); err != nil {
				t.Fatal(err)
			}
			for i, v := range want.Rows {
				wantClose(t, name+" log-likelihood of a row", -scores[i], v, 1e-4)
			}
		}
	})
}

// nearestRows is the nearest of some rows to each row, and those rows.
func nearestRows(d Data, start []int) (label []int32, at []float64) {
	row := func(i int) []float32 { return d.X[i*d.Cols : (i+1)*d.Cols] }
	for i := range d.Rows {
		nearest := 0
		for c := range start {
			if squaredDistance(row(i), row(start[c])) < squaredDistance(row(i), row(start[nearest])) {
				nearest = c
			}
		}
		label = append(label, int32(nearest))
	}
	for _, r := range start {
		for _, v := range row(r) {
			at = append(at, float64(v))
		}
	}
	return label, at
}
