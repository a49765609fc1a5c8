package detect_test

import (
	"math"
	"strings"
	"testing"

	"flowbench/train/detect"
	"flowbench/train/detect/detecttest"
)

func TestKMeansConforms(t *testing.T) {
	for name, o := range map[string]detect.KMeansOptions{
		"lloyd":      {Clusters: 3, Iterations: 20, Silhouette: 100},
		"spread":     {Clusters: 3, Iterations: 20, Spread: true, Restarts: 3, Seed: 1},
		"scalable":   {Clusters: 4, Iterations: 5, Start: detect.Scalable},
		"mini-batch": {Clusters: 2, Iterations: 3, Batch: 100, Restarts: 2},
	} {
		t.Run(name, func(t *testing.T) {
			detecttest.Run(t, detecttest.Case{
				New:      func() detect.Detector { return detect.NewKMeans(o) },
				OneClass: true, Unlabelled: true,
			})
		})
	}
}

func TestKMeansRefuses(t *testing.T) {
	good := detect.KMeansOptions{Clusters: 3, Iterations: 10}
	for want, change := range map[string]func(*detect.KMeansOptions){
		"0 clusters":                      func(o *detect.KMeansOptions) { o.Clusters = 0 },
		"51 clusters of 50 distinct rows": func(o *detect.KMeansOptions) { o.Clusters = 51 },
		"0 iterations":                    func(o *detect.KMeansOptions) { o.Iterations = 0 },
		"a tolerance of -1":               func(o *detect.KMeansOptions) { o.Tolerance = -1 },
		"a tolerance of NaN":              func(o *detect.KMeansOptions) { o.Tolerance = math.NaN() },
		"start \"random\" is neither":     func(o *detect.KMeansOptions) { o.Start = "random" },
		"are not negative":                func(o *detect.KMeansOptions) { o.Batch = -1 },
	} {
		o := good
		change(&o)
		if err := detect.NewKMeans(o).Fit(t.Context(), detecttest.Flows(50, 4, 1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	huge := detect.Data{Rows: 4, Cols: 1, X: []float32{1e30, -1e30, 0, 1}}
	if err := detect.NewKMeans(good).Fit(t.Context(), huge); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("values whose squares overflow: error %v", err)
	}
}

// Of rows of which only k are distinct, k clusters hold one value each, however
// near they are to each other and however far from the origin.
func TestKMeansOfAsManyDistinctRows(t *testing.T) {
	for _, scale := range []float32{1, 1e-6, 1e6} {
		values := []float32{0, 1, 2, 5, 9, 14}
		data := detect.Data{Rows: 600, Cols: 2, X: make([]float32, 1200)}
		for i := range data.Rows {
			data.X[2*i] = 1000*scale + values[i*7%6]*scale
			data.X[2*i+1] = float32(math.Copysign(0, float64(i%2)-0.5)) // 0 and -0 are one value
		}
		k := detect.NewKMeans(detect.KMeansOptions{Clusters: 6, Iterations: 50})
		for i, s := range fitAndScore(t, k, data) {
			if !(s <= 1e-6*float64(scale)*1000) {
				t.Fatalf("scale %v: row %d is %v from its centroid", scale, i, s)
			}
		}
		err := detect.NewKMeans(detect.KMeansOptions{Clusters: 7, Iterations: 50}).Fit(t.Context(), data)
		if err == nil || !strings.Contains(err.Error(), "7 clusters of 6 distinct rows") {
			t.Errorf("scale %v: one cluster more: error %v", scale, err)
		}
	}
}

// Clusters far apart by hand: silhouette, inertia and spread.
func TestKMeansByHand(t *testing.T) {
	data := detect.Data{Rows: 6, Cols: 1, X: []float32{-1, 1, 99, 101, 199, 201}}
	k := detect.NewKMeans(detect.KMeansOptions{Clusters: 3, Iterations: 10, Silhouette: 6, Spread: true})
	for i, s := range fitAndScore(t, k, data) {
		if !(math.Abs(s-1) < 1e-6) {
			t.Errorf("row %d is %v spreads off, want 1", i, s)
		}
	}
	f := k.Figures()
	// Every row is 2 from its like; -1 and 201 are 101 from the rows of the next
	// cluster on the mean, the others 99.
	if want := (2*(1-2.0/101) + 4*(1-2.0/99)) / 6; f["inertia"] != 6 || f["converged"] != 1 || !(math.Abs(f["silhouette"]-want) < 1e-12) {
		t.Errorf("figures %v", f)
	}
}

func TestRestartsLowerInertia(t *testing.T) {
	data := detecttest.Flows(3000, 5, 4)
	inertia := func(restarts int) float64 {
		k := detect.NewKMeans(detect.KMeansOptions{Clusters: 12, Iterations: 3, Restarts: restarts, Seed: 9})
		if err := k.Fit(t.Context(), data); err != nil {
			t.Fatal(err)
		}
		return k.Figures()["inertia"]
	}
	if one, many := inertia(1), inertia(8); !(many < one) {
		t.Errorf("inertia %v of the best of 8 starts, %v of the first", many, one)
	}
}
