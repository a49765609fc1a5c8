package detect_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"flowbench/train/detect"
	"flowbench/train/detect/detecttest"
)

func TestPCAConforms(t *testing.T) {
	for _, score := range []string{detect.Reconstruction, detect.Mahalanobis} {
		t.Run(score, func(t *testing.T) {
			detecttest.Run(t, detecttest.Case{
				New:        func() detect.Detector { return detect.NewPCA(detect.PCAOptions{Variance: 0.6, Score: score}) },
				OneClass:   true,
				Unlabelled: true,
			})
		})
	}
}

func TestProjectedConforms(t *testing.T) {
	detecttest.Run(t, detecttest.Case{
		New: func() detect.Detector {
			return detect.NewProjected(detect.PCAOptions{Variance: 0.6, Whiten: true}, detect.NewLogisticRegression())
		},
	})
}

func TestPCARefuses(t *testing.T) {
	for _, c := range []struct {
		options detect.PCAOptions
		rows    int
		want    string
	}{
		{detect.PCAOptions{Components: 2}, 1, "one row has no variance"},
		{detect.PCAOptions{Components: 8}, 50, "8 components of 7 columns"},
		{detect.PCAOptions{Components: -1}, 50, "-1 components"},
		{detect.PCAOptions{}, 50, "neither components nor a variance"},
		{detect.PCAOptions{Variance: 1}, 50, "between 0 and 1"},
		{detect.PCAOptions{Variance: math.NaN()}, 50, "between 0 and 1"},
		{detect.PCAOptions{Components: 2, Score: "cosine"}, 50, "cosine"},
	} {
		err := detect.NewPCA(c.options).Fit(t.Context(), detecttest.Flows(c.rows, 7, 1))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.options, err, c.want)
		}
	}
	equal := detect.Data{Rows: 3, Cols: 2, X: []float32{1, 2, 1, 2, 1, 2}}
	if err := detect.NewPCA(detect.PCAOptions{Components: 1}).Fit(t.Context(), equal); err == nil || !strings.Contains(err.Error(), "all rows are equal") {
		t.Errorf("equal rows: error %v", err)
	}
	huge := detect.Data{Rows: 3, Cols: 1, X: []float32{1e30, -1e30, 0}}
	if err := detect.NewPCA(detect.PCAOptions{Components: 1}).Fit(t.Context(), huge); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("values whose squares overflow: error %v", err)
	}
}

// Rows on a line through (1000, 1000) but for the last: by hand, the line is the
// component, and the distance from it the score.
func TestPCAFindsALine(t *testing.T) {
	data := detect.Data{Rows: 400, Cols: 2, X: make([]float32, 800)}
	for i := range data.Rows {
		at := float32(i-200) / 16
		data.X[2*i], data.X[2*i+1] = 1000+3*at, 1000+4*at
	}
	p := detect.NewPCA(detect.PCAOptions{Components: 1})
	fitAndScore(t, p, data)
	components, _, ratio, _ := p.Components()
	if !(math.Abs(components[0]-0.6) < 1e-6 && math.Abs(components[1]-0.8) < 1e-6 && ratio[0] > 1-1e-9) {
		t.Errorf("component %v with %v of the variance, want (0.6, 0.8) with all", components, ratio)
	}
	scores := make([]float64, 2)
	if err := p.Score([]float32{1003, 1004, 1000 - 8, 1000 + 6}, scores); err != nil {
		t.Fatal(err)
	}
	if !(scores[0] < 1e-6 && math.Abs(scores[1]-100) < 1e-3) {
		t.Errorf("scores %v, want 0 and 100", scores)
	}
}

func TestWhitenedCoordinatesHaveUnitCovariance(t *testing.T) {
	data := detecttest.Flows(5000, 7, 3)
	for i := range data.Rows {
		data.X[i*7] = 100 + 50*data.X[i*7] + 20*data.X[i*7+1]
	}
	p := detect.NewPCA(detect.PCAOptions{Components: 7, Whiten: true})
	if err := p.Fit(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	z, err := p.Transform(data.X)
	if err != nil {
		t.Fatal(err)
	}
	for a := range 7 {
		for b := range a + 1 {
			sum := 0.0
			for i := range data.Rows {
				sum += float64(z[i*7+a]) * float64(z[i*7+b])
			}
			want := 0.0
			if a == b && a < 6 { // the last component is the constant column
				want = 1
			}
			if got := sum / float64(data.Rows-1); !(math.Abs(got-want) < 1e-4) {
				t.Errorf("covariance of coordinates %d and %d is %v, want %v", a, b, got, want)
			}
		}
	}
}

func TestFitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	data := detecttest.Flows(40000, 7, 3)
	var stages []string
	data.Progress = func(stage string, _, _ int) {
		if !slices.Contains(stages, stage) {
			stages = append(stages, stage)
		}
		cancel()
	}
	if err := detect.NewPCA(detect.PCAOptions{Components: 1}).Fit(ctx, data); err != context.Canceled && !strings.Contains(err.Error(), "canceled") {
		t.Errorf("cancelled in its midst: error %v", err)
	}
	if !slices.Equal(stages, []string{"covariance"}) {
		t.Errorf("stages %v", stages)
	}
}
