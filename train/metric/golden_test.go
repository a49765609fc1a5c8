package metric

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// golden is testdata/golden.json, which scripts/metric/golden_metric.py writes.
type golden struct {
	Stored      []goldenCase
	Generated   []goldenCase
	Proportions []struct {
		K, N             int
		Level, Low, High float64
	}
	Restated []struct {
		TP, FP, FN, TN               int
		Prevalence, Value, Low, High float64
	}
	Bootstrap []struct {
		generator
		Resamples int
		Low, High float64
		LowError  float64 `json:"low_error"`
		HighError float64 `json:"high_error"`
	}
	Classes goldenClasses
}

type goldenCase struct {
	Name string
	generator
	Scores       []float64
	Positive     []bool
	Positives    int
	Negatives    int
	AP           float64   `json:"average_precision"`
	AUROC        float64   `json:"auroc"`
	RecallAtFPR  []float64 `json:"recall_at_fpr"`
	PeerRecallAt []float64 `json:"recall_at_fpr_order_statistic"`
	ROC          ROC
	PR           PR
	At           []goldenVerdicts
	BestF1       float64 `json:"best_f1"`
	BestF2       float64 `json:"best_f2"`
	BestMCC      float64 `json:"best_mcc"`
}

type goldenVerdicts struct {
	Threshold                      float64
	TP, FP, FN, TN                 int
	Precision, Recall, F1, F2, MCC float64
}

type goldenClasses struct {
	Rows, Classes         int
	Seed                  uint64
	Present               []int
	AP                    []float64 `json:"average_precision"`
	AUROC                 []float64
	Precision, Recall, F1 []float64
	MacroF1               float64 `json:"macro_f1"`
	Confusion             [][]int
}

// generator makes the scores of a large case, as generate() of the script does.
type generator struct {
	Rows       int
	Seed       uint64
	PerMillion uint64 `json:"per_million"`
	Levels     int
}

func (g generator) make() (scores []float64, positive []bool) {
	scores, positive = make([]float64, g.Rows), make([]bool, g.Rows)
	for i := range scores {
		positive[i] = splitmix(g.Seed, i)%1000000 < g.PerMillion
		u := uniform(g.Seed+1, i)
		if positive[i] {
			// Products apart, so that no machine fuses them: the script cannot.
			v := float64((1 - u) * (1 - u))
			u = 1 - float64(v*(1-u))
		}
		if g.Levels > 0 {
			u = math.Floor(u * float64(g.Levels))
		}
		scores[i] = u
	}
	return scores, positive
}

func splitmix(seed uint64, i int) uint64 {
	z := seed + uint64(i+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func uniform(seed uint64, i int) float64 { return float64(splitmix(seed, i)>>11) * 0x1p-53 }

func readGolden(t testing.TB) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Stored) == 0 || len(g.Generated) == 0 || len(g.Proportions) == 0 || len(g.Restated) == 0 || len(g.Bootstrap) == 0 {
		t.Fatal("golden.json lacks a section")
	}
	return g
}

// cases are the stored and the generated ones, with their scores.
func (g golden) cases() []goldenCase {
	all := g.Stored
	for _, c := range g.Generated {
		c.Scores, c.Positive = c.make()
		all = append(all, c)
	}
	return all
}

// near allows for sums that scikit-learn takes in another order.
const near = 1e-12

func wantNear(t *testing.T, what string, got Value, want, tolerance float64) {
	t.Helper()
	if !got.OK {
		t.Errorf("%s: %v, want %v", what, got, want)
		return
	}
	wantClose(t, what, got.V, want, tolerance)
}

func wantClose(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1, math.Abs(want))) {
		t.Errorf("%s: %v, want %v within %v", what, got, want, tolerance)
	}
}

func TestGoldenRanking(t *testing.T) {
	for _, c := range readGolden(t).cases() {
		t.Run(c.Name, func(t *testing.T) {
			r, err := Rank(c.Scores, c.Positive)
			if err != nil {
				t.Fatal(err)
			}
			if r.Positives() != c.Positives || r.Negatives() != c.Negatives {
				t.Fatalf("%d positives, %d negatives, want %d, %d", r.Positives(), r.Negatives(), c.Positives, c.Negatives)
			}
			wantNear(t, "average precision", r.AveragePrecision(), c.AP, near)
			wantNear(t, "AUROC", r.AUROC(), c.AUROC, near)
			for i, limit := range []float64{FPR1e2, FPR1e3, FPR1e4} {
				wantNear(t, "recall by roc_curve", r.RecallAtFPR(limit), c.RecallAtFPR[i], 0)
				wantNear(t, "recall by order statistic", r.RecallAtFPR(limit), c.PeerRecallAt[i], 0)
			}
		})
	}
}

func TestGoldenVerdicts(t *testing.T) {
	for _, c := range readGolden(t).cases() {
		t.Run(c.Name, func(t *testing.T) {
			for _, want := range c.At {
				got, err := Confuse(c.Scores, c.Positive, want.Threshold)
				if err != nil {
					t.Fatal(err)
				}
				if got != (Confusion{want.TP, want.FP, want.FN, want.TN}) {
					t.Errorf("at %v: %+v, want %+v", want.Threshold, got, want)
				}
				wantNear(t, "precision", got.Precision(), want.Precision, near)
				wantNear(t, "recall", got.Recall(), want.Recall, near)
				wantNear(t, "F1", got.F1(), want.F1, near)
				wantNear(t, "F2", got.F2(), want.F2, near)
				wantNear(t, "MCC", got.MCC(), want.MCC, near)
			}
		})
	}
}

func TestGoldenCurves(t *testing.T) {
	for _, c := range readGolden(t).Stored {
		t.Run(c.Name, func(t *testing.T) {
			r, err := Rank(c.Scores, c.Positive)
			if err != nil {
				t.Fatal(err)
			}
			roc, _ := r.ROC(0)
			wantSlice(t, "ROC false-positive rate", roc.FalsePositiveRate[1:], c.ROC.FalsePositiveRate)
			wantSlice(t, "ROC recall", roc.Recall[1:], c.ROC.Recall)
			wantSlice(t, "ROC threshold", roc.Threshold[1:], c.ROC.Threshold)
			pr, _ := r.PR(0)
			wantSlice(t, "PR recall", pr.Recall, c.PR.Recall)
			wantSlice(t, "PR precision", pr.Precision, c.PR.Precision)
			wantSlice(t, "PR threshold", pr.Threshold, c.PR.Threshold)
		})
	}
}

func wantSlice(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d points, want %d", what, len(got), len(want))
	}
	for i := range got {
		wantClose(t, what, got[i], want[i], near)
	}
}

func TestGoldenBestThreshold(t *testing.T) {
	for _, c := range readGolden(t).Stored {
		t.Run(c.Name, func(t *testing.T) {
			for name, want := range map[string]float64{"f1": c.BestF1, "f2": c.BestF2, "mcc": c.BestMCC} {
				got, err := ChooseThreshold(c.Scores, c.Positive, Rule{Maximize: name})
				if err != nil {
					t.Fatal(err)
				}
				wantNear(t, name, got, want, 0)
			}
		})
	}
}

func TestGoldenProportions(t *testing.T) {
	for _, c := range readGolden(t).Proportions {
		got := Proportion{c.K, c.N}.Interval(c.Level)
		// The two inverse incomplete betas agree to about ten digits of the smaller end.
		for _, end := range [][2]float64{{got.Low, c.Low}, {got.High, c.High}, {1 - got.High, 1 - c.High}} {
			if !(math.Abs(end[0]-end[1]) <= 1e-9*math.Abs(end[1])+1e-15) {
				t.Errorf("%d of %d at %v: %v, want %v", c.K, c.N, c.Level, end[0], end[1])
			}
		}
	}
}

func TestGoldenPrecisionAtPrevalence(t *testing.T) {
	for _, c := range readGolden(t).Restated {
		got := Confusion{c.TP, c.FP, c.FN, c.TN}
		i := got.PrecisionAtPrevalenceInterval(c.Prevalence, 0.95)
		wantNear(t, "precision", got.PrecisionAtPrevalence(c.Prevalence), c.Value, near)
		wantClose(t, "low", i.Low, c.Low, 1e-9)
		wantClose(t, "high", i.High, c.High, 1e-9)
	}
}

func TestGoldenClasses(t *testing.T) {
	want := readGolden(t).Classes
	in := ClassInput{Part: "test", Classes: []string{"BENIGN", "Bot", "DDoS", "Heartbleed", "PortScan"}}
	for i := range want.Rows {
		label := int32(splitmix(want.Seed, i) % uint64(want.Classes))
		if label == 3 {
			label = 0
		}
		in.Labels = append(in.Labels, label)
		for j := range want.Classes {
			s := math.Floor(uniform(want.Seed+1, i*want.Classes+j) * 16)
			if j == int(label) {
				s += 6
			}
			in.Scores = append(in.Scores, float32(s))
		}
	}
	got, err := EvaluateClasses(in)
	if err != nil {
		t.Fatal(err)
	}
	wantNear(t, "macro F1", got.MacroF1, want.MacroF1, near)
	mean := 0.0
	for at, j := range want.Present {
		f := got.Classes[j]
		wantNear(t, f.Class+" AP", f.AveragePrecision, want.AP[at], near)
		wantNear(t, f.Class+" AUROC", f.AUROC, want.AUROC[at], near)
		wantNear(t, f.Class+" precision", f.Precision, want.Precision[at], near)
		wantNear(t, f.Class+" recall", f.Recall, want.Recall[at], near)
		wantNear(t, f.Class+" F1", f.F1, want.F1[at], near)
		mean += want.AP[at] / float64(len(want.Present))
	}
	wantNear(t, "macro AP", got.MacroAveragePrecision, mean, near)
	for i := range want.Confusion {
		for j := range want.Confusion[i] {
			if got.Confusion[i][j] != want.Confusion[i][j] {
				t.Errorf("confusion[%d][%d] = %d, want %d", i, j, got.Confusion[i][j], want.Confusion[i][j])
			}
		}
	}
}

func TestGoldenBootstrap(t *testing.T) {
	for _, c := range readGolden(t).Bootstrap {
		scores, positive := c.make()
		r, err := Rank(scores, positive)
		if err != nil {
			t.Fatal(err)
		}
		got, reason := r.BootstrapAP(c.Resamples/2, 0.95, 5)
		if reason != "" {
			t.Fatal(reason)
		}
		// Both ends are Monte Carlo estimates. Half the resamples have twice the
		// variance, their difference three times: five standard deviations of it.
		wantClose(t, "low", got.Low, c.Low, 5*math.Sqrt(3)*c.LowError)
		wantClose(t, "high", got.High, c.High, 5*math.Sqrt(3)*c.HighError)
	}
}
