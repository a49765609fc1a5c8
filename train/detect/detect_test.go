package detect_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"flowbench/train/detect"
	"flowbench/train/detect/detecttest"
	"flowbench/train/metric"
)

func TestMajorityConforms(t *testing.T) {
	detecttest.Run(t, detecttest.Case{
		New:      func() detect.Detector { return detect.NewMajority() },
		OneClass: true,
		Blind:    true,
	})
}

func TestBestSingleFeatureConforms(t *testing.T) {
	detecttest.Run(t, detecttest.Case{New: func() detect.Detector { return detect.NewBestSingleFeature() }})
}

func TestLogisticRegressionConforms(t *testing.T) {
	detecttest.Run(t, detecttest.Case{New: func() detect.Detector { return detect.NewLogisticRegression() }})
}

func fitAndScore(t *testing.T, d detect.Detector, data detect.Data) []float64 {
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

func TestMajorityReachesChance(t *testing.T) {
	data := detecttest.Flows(997, 3, 1)
	scores := fitAndScore(t, detect.NewMajority(), data)
	r, err := metric.Rank(scores, data.Positive)
	if err != nil {
		t.Fatal(err)
	}
	if !(math.Abs(r.AveragePrecision().V-r.Chance().V) < 1e-15) || r.AUROC() != metric.Of(0.5) {
		t.Errorf("average precision %v, chance %v, AUROC %v", r.AveragePrecision(), r.Chance(), r.AUROC())
	}
	if scores[0] != r.Chance().V {
		t.Errorf("score %v, want the share of positives", scores[0])
	}
}

func TestBestSingleFeatureChooses(t *testing.T) {
	truth := []bool{true, true, false, false, false, false}
	for _, c := range []struct {
		name   string
		x      []float32 // three columns
		column int
		sign   float64
		says   string
	}{
		{"high", []float32{0, 1, 5, 0, 0, 6, 0, 1, 1, 0, 0, 2, 0, 1, 3, 0, 0, 4}, 2, 1, "best_single_feature (high c)"},
		{"low", []float32{0, -5, 5, 0, -6, 0, 0, 1, 1, 0, 0, 2, 0, 1, 3, 0, 0, 4}, 1, -1, "best_single_feature (low b)"},
		{"first of equals", []float32{5, -5, 5, 5, -6, 5, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, 0, 1, "best_single_feature (high a)"},
		{"constant", make([]float32, 18), 0, 1, "best_single_feature (high a)"},
		// Ranks 1 and 6 (average precision 2/3, AUROC 1/2) against 2 and 3 (7/12, 3/4).
		{"average precision before AUROC", []float32{0, 9, 8, 0, 0, 7, 0, 5, 9, 0, 4, 3, 0, 3, 2, 0, 2, 1}, 1, 1, "best_single_feature (high b)"},
		// Equal average precision of 5/6 in columns b and c: their second positives
		// are both third of three, but that of c ties with a negative.
		{"AUROC decides", []float32{0, 9, 9, 0, 7, 7, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 2, 1, "best_single_feature (high c)"},
	} {
		b := detect.NewBestSingleFeature()
		data := detect.Data{X: c.x, Rows: 6, Cols: 3, Positive: truth, Columns: []string{"a", "b", "c"}}
		scores := fitAndScore(t, b, data)
		got, ok := b.Chosen()
		if !ok || got.Column != c.column || got.Sign != c.sign || b.Name() != c.says {
			t.Errorf("%s: %q chose %+v", c.name, b.Name(), got)
		}
		for i, s := range scores {
			if s != c.sign*float64(c.x[i*3+c.column]) {
				t.Errorf("%s: score of row %d is %v", c.name, i, s)
			}
		}
	}
}

func TestLogisticRegressionOfMirroredClasses(t *testing.T) {
	// Two rows at ±1: the intercept is 0, and w = C·2·sigmoid(-w).
	l := detect.NewLogisticRegression()
	fitAndScore(t, l, detect.Data{X: []float32{1, -1}, Rows: 2, Cols: 1, Positive: []bool{true, false}})
	weight, intercept, ok := l.Coefficients()
	if w := weight[0]; !ok || !(math.Abs(intercept) < 1e-12) || !(math.Abs(w-2/(1+math.Exp(w))) < 1e-12) {
		t.Errorf("weight %v, intercept %v", weight, intercept)
	}
	if _, _, ok := detect.NewLogisticRegression().Coefficients(); ok {
		t.Error("an unfitted model has coefficients")
	}
}

func TestOneVsRest(t *testing.T) {
	data := detecttest.Flows(900, 6, 2)
	labels := make([]int32, data.Rows)
	for i := range labels {
		labels[i] = []int32{0, 1, 3}[i%3]
		data.X[i*6+int(labels[i])] += 3
	}
	o := detect.NewOneVsRest(func() detect.Detector { return detect.NewLogisticRegression() })
	dst := make([]float32, data.Rows*4)
	if err := o.Score(data.X, dst); !errors.Is(err, detect.ErrNotFitted) {
		t.Errorf("Score before Fit: error %v", err)
	}
	if err := o.Fit(t.Context(), data, labels, 4); err != nil {
		t.Fatal(err)
	}
	if err := o.Score(data.X, dst); err != nil {
		t.Fatal(err)
	}
	r, err := metric.EvaluateClasses(metric.ClassInput{
		Scores: dst, Labels: labels, Classes: []string{"BENIGN", "Bot", "DDoS", "PortScan"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.MacroClasses != 3 || !(r.MacroF1.V > 0.9) {
		t.Errorf("macro F1 %v of %d classes", r.MacroF1, r.MacroClasses)
	}
	for i := range labels {
		if dst[i*4+2] != -math.MaxFloat32 {
			t.Fatalf("class without rows scores %v", dst[i*4+2])
		}
	}
	// A class's column is what its detector alone gives.
	for i := range labels {
		data.Positive[i] = labels[i] == 1
	}
	for i, s := range fitAndScore(t, detect.NewLogisticRegression(), data) {
		if float32(s) != dst[i*4+1] {
			t.Fatalf("row %d: %v, alone %v", i, dst[i*4+1], s)
		}
	}
}

func TestOneVsRestRefuses(t *testing.T) {
	data := detecttest.Flows(3, 2, 1)
	for _, c := range []struct {
		labels  []int32
		classes int
		want    string
	}{
		{[]int32{0, 1}, 2, "classes of 2 rows for 3 rows"},
		{[]int32{0, 1, 2}, 2, "row 2 has class 2, but there are 2 classes"},
		{[]int32{0, -1, 1}, 2, "row 1 has class -1"},
		{[]int32{1, 1, 1}, 2, "rows of 1 classes only"},
	} {
		o := detect.NewOneVsRest(func() detect.Detector { return detect.NewLogisticRegression() })
		if err := o.Fit(t.Context(), data, c.labels, c.classes); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}
