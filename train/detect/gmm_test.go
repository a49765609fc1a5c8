package detect_test

import (
	"math"
	"strings"
	"testing"

	"flowbench/train/detect"
	"flowbench/train/detect/detecttest"
)

func TestGMMConforms(t *testing.T) {
	for _, covariance := range []string{detect.Full, detect.Tied, detect.Diagonal, detect.Spherical} {
		t.Run(covariance, func(t *testing.T) {
			o := detect.GMMOptions{Components: 2, Covariance: covariance, Iterations: 8, Floor: 1e-3, Restarts: 1}
			if covariance == detect.Diagonal {
				o.Restarts = 3
			}
			detecttest.Run(t, detecttest.Case{
				New:      func() detect.Detector { return detect.NewGMM(o) },
				OneClass: true, Unlabelled: true,
			})
		})
	}
}

func TestGMMRefuses(t *testing.T) {
	good := detect.GMMOptions{Components: 2, Iterations: 5, Floor: 1e-6}
	for want, change := range map[string]func(*detect.GMMOptions){
		"0 components":                 func(o *detect.GMMOptions) { o.Components = 0 },
		"60 clusters of 50":            func(o *detect.GMMOptions) { o.Components = 60 },
		"0 iterations":                 func(o *detect.GMMOptions) { o.Iterations = 0 },
		"a tolerance of NaN":           func(o *detect.GMMOptions) { o.Tolerance = math.NaN() },
		"a floor of -1":                func(o *detect.GMMOptions) { o.Floor = -1 },
		"covariance \"round\" is none": func(o *detect.GMMOptions) { o.Covariance = "round" },
		"is singular: raise the floor": func(o *detect.GMMOptions) { o.Floor = 0 }, // the last column is constant
		"restarts are not negative":    func(o *detect.GMMOptions) { o.Restarts = -1 },
	} {
		o := good
		change(&o)
		g := detect.NewGMM(o)
		if err := g.Fit(t.Context(), detecttest.Flows(50, 4, 1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if g.Figures() != nil || g.Warnings() != nil {
			t.Errorf("after a failed fit: %v, %q", g.Figures(), g.Warnings())
		}
	}
}

// Two rows far from all others are a component of their own, too few for its
// covariance: the fit says so.
func TestGMMWarnsOfDegenerateComponents(t *testing.T) {
	data := detecttest.Flows(300, 5, 2)
	for i := range 10 {
		data.X[i] += 500
	}
	g := detect.NewGMM(detect.GMMOptions{Components: 2, Iterations: 1, Floor: 1e-3})
	if err := g.Fit(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(g.Warnings(), "\n")
	if !strings.Contains(text, "is degenerate: it holds 2.0 rows, and its covariance needs 6") || !strings.Contains(text, "still changes after 1 iterations") {
		t.Errorf("warnings %q", text)
	}
	if f := g.Figures(); f["degenerate"] != 1 || f["converged"] != 0 {
		t.Errorf("figures %v", f)
	}
	g = detect.NewGMM(detect.GMMOptions{Components: 1, Iterations: 100, Tolerance: 1e-3, Floor: 1e-3})
	if err := g.Fit(t.Context(), data); err != nil || g.Warnings() != nil || g.Figures()["converged"] != 1 {
		t.Errorf("one component: error %v, warnings %q, figures %v", err, g.Warnings(), g.Figures())
	}
}

// One component by hand: mean 0, variance 1 and a floor of 3, a density at 2.
func TestGMMByHand(t *testing.T) {
	for _, covariance := range []string{detect.Full, detect.Tied, detect.Diagonal, detect.Spherical} {
		g := detect.NewGMM(detect.GMMOptions{Components: 1, Covariance: covariance, Iterations: 3, Floor: 3})
		data := detect.Data{Rows: 4, Cols: 2, X: []float32{-1, 0, 1, 0, 0, -1, 0, 1}}
		if err := g.Fit(t.Context(), data); err != nil {
			t.Fatal(err)
		}
		score := make([]float64, 1)
		if err := g.Score([]float32{2, 0}, score); err != nil {
			t.Fatal(err)
		}
		const variance = 3.5
		if want := math.Log(2*math.Pi*variance) + 4/variance/2; !(math.Abs(score[0]-want) < 1e-6) {
			t.Errorf("%s: %v, want %v", covariance, score[0], want)
		}
	}
}
