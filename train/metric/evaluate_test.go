package metric

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// weekInput is 36 attacks of two labels among 10,000 rows, 24 of them found.
func weekInput() Input {
	in := Input{
		Part:        "test",
		LabelNames:  []string{"BENIGN", "Bot", "Infiltration", "Heartbleed"},
		Attacks:     []string{"BENIGN", "Bot", "Infiltration", "Heartbleed"},
		Threshold:   Of(0.5),
		FlowsPerDay: 1e6,
		Bootstrap:   200,
		Seed:        7,
	}
	for i := range 10000 {
		label, score := int32(0), float64(i%1000)/2000
		switch {
		case i < 24:
			label, score = 1, 0.9
		case i < 36:
			label = 2
		case i < 46:
			score = 0.7
		}
		in.Scores = append(in.Scores, score)
		in.Positive = append(in.Positive, label > 0)
		in.Labels = append(in.Labels, label)
	}
	return in
}

func TestEvaluateCarriesEveryFigure(t *testing.T) {
	r, err := Evaluate(weekInput())
	if err != nil {
		t.Fatal(err)
	}
	if *r.Confusion != (Confusion{TP: 24, FP: 10, FN: 12, TN: 9954}) {
		t.Fatalf("confusion %+v", *r.Confusion)
	}
	flat := r.Flatten()
	for name, want := range map[string]float64{
		"rows": 10000, "positives": 36, "negatives": 9964, "tp": 24, "fp": 10, "fn": 12, "tn": 9954,
		"average_precision_chance": 0.0036,
		"precision":                24.0 / 34, "recall": 24.0 / 36, "false_positive_rate": 10.0 / 9964,
		"alerts_per_day": 3400, "recall_at_fpr_0.01": 24.0 / 36, "recall_at_fpr_0.0001": 24.0 / 36,
		"precision_at_prevalence_0.01": 0.01 * 24 / 36 / (0.01*24/36 + 0.99*10/9964), "threshold": 0.5,
	} {
		wantClose(t, name, flat[name], want, near)
	}
	for _, name := range []string{"average_precision", "auroc", "recall_at_fpr_0.001", "f1", "f2", "mcc", "precision_at_prevalence_0.001"} {
		if _, ok := flat[name]; !ok {
			t.Errorf("Flatten lacks %s", name)
		}
	}
	for name := range flat {
		if strings.Contains(name, "accuracy") {
			t.Errorf("Flatten has %s", name)
		}
	}
	for _, name := range []string{"average_precision", "recall", "precision", "false_positive_rate", "recall_at_fpr_0.01", "precision_at_prevalence_0.01"} {
		i, ok := r.Intervals[name]
		if v := flat[name]; !ok || !(i.Low <= v && v <= i.High && i.Low < i.High) {
			t.Errorf("interval of %s: %+v around %v", name, i, v)
		}
	}
	if len(r.NotEvaluable) != 0 {
		t.Errorf("not evaluable: %v", r.NotEvaluable)
	}
}

func TestRecallByLabel(t *testing.T) {
	r, err := Evaluate(weekInput())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, l := range r.RecallByLabel {
		lines = append(lines, l.String())
	}
	want := []string{"Bot 24/24 [0.858, 1.000]", "Infiltration 0/12 [0.000, 0.265]", "Heartbleed not evaluable (no rows in test)"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

func TestReportSurvivesJSON(t *testing.T) {
	for _, change := range []func(*Input){
		func(*Input) {},
		func(in *Input) { clear(in.Positive); in.Labels = nil },
		func(in *Input) { in.Threshold = NotEvaluable("no negatives in validation") },
	} {
		in := weekInput()
		change(&in)
		want, err := Evaluate(in)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := new(Report)
		if err := json.Unmarshal(text, got); err != nil {
			t.Fatal(err)
		}
		// The recall of a label has no name of its own, so its reason stays behind.
		for i := range want.RecallByLabel {
			want.RecallByLabel[i].Recall.Reason = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestNotEvaluable(t *testing.T) {
	without := func(truth bool) Input {
		in := weekInput()
		in.Labels = nil
		for i := range in.Positive {
			in.Positive[i] = truth
		}
		return in
	}
	negatives, positives, none, silent := without(false), without(true), without(false), weekInput()
	none.Scores, none.Positive = nil, nil
	silent.Threshold, silent.FlowsPerDay = Of(2), 0
	single := weekInput()
	single.Labels, single.Positive = nil, make([]bool, len(single.Scores))
	single.Positive[3] = true
	for _, c := range []struct {
		name, figure, want string
		in                 Input
	}{
		{"no positives", "average_precision", "no positives in test", negatives},
		{"no positives", "recall", "no positives in test", negatives},
		{"no positives", "mcc", "no positives in test", negatives},
		{"no negatives", "auroc", "no negatives in test", positives},
		{"no negatives", "recall_at_fpr_0.01", "no negatives in test", positives},
		{"no negatives", "false_positive_rate", "no negatives in test", positives},
		{"no rows", "average_precision", "no rows in test", none},
		{"no rows", "alerts_per_day", "no rows in test", none},
		{"no alerts", "precision", "no alerts at the threshold in test", silent},
		{"no alerts", "precision_at_prevalence_0.01", "no alerts at the threshold in test", silent},
		{"no flow rate", "alerts_per_day", "no flow rate given", silent},
		{"single positive", "average_precision_interval", "a single positive cannot be resampled in test", single},
	} {
		r, err := Evaluate(c.in)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if got := r.NotEvaluable[c.figure]; got != c.want {
			t.Errorf("%s: %s: %q, want %q", c.name, c.figure, got, c.want)
		}
		if v, ok := r.Flatten()[c.figure]; ok {
			t.Errorf("%s: Flatten has %s = %v", c.name, c.figure, v)
		}
		for _, f := range r.Figures() {
			if !f.Value.OK && f.Value.Reason == "" {
				t.Errorf("%s: %s has no reason", c.name, f.Name)
			}
		}
	}
	r, err := Evaluate(silent)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]Value{"f1": r.F1, "f2": r.F2, "mcc": r.MCC, "recall": r.Recall} {
		if v != Of(0) {
			t.Errorf("without alerts %s is %v, want 0", name, v)
		}
	}
}

func TestValuePrints(t *testing.T) {
	for _, c := range []struct {
		v          Value
		text, json string
	}{
		{Of(0.8203491), "0.8203", "0.8203491"},
		{Of(36.0 / 818520), "4.398e-05", "0.000043981820847383085"},
		{Of(123456.7), "123457", "123456.7"},
		{NotEvaluable("no positives in test"), "not evaluable (no positives in test)", "null"},
		{Value{}, "not evaluable", "null"},
	} {
		text, err := json.Marshal(c.v)
		if err != nil {
			t.Fatal(err)
		}
		if c.v.String() != c.text || string(text) != c.json {
			t.Errorf("%v %s, want %s %s", c.v, text, c.text, c.json)
		}
	}
	var v Value
	if err := json.Unmarshal([]byte(`"0.5"`), &v); err == nil {
		t.Error("a string was read as a figure")
	}
}

func TestBadInput(t *testing.T) {
	for _, c := range []struct {
		change func(*Input)
		want   string
	}{
		{func(in *Input) { in.Scores[41] = math.NaN() }, "evaluating test: score of row 41 is NaN"},
		{func(in *Input) { in.Labels[5] = 9 }, "row 5 has label 9, but there are 4 label names"},
		{func(in *Input) { in.Labels[5] = -1 }, "row 5 has label -1"},
		{func(in *Input) { in.Labels[77] = 1 }, "label Bot has rows of either truth: row 77 differs"},
		{func(in *Input) { in.Threshold.V = math.NaN() }, "threshold NaN is not finite"},
		{func(in *Input) { in.Threshold.V = math.Inf(1) }, "threshold +Inf is not finite"},
		{func(in *Input) { in.FlowsPerDay = math.NaN() }, "flows per day: NaN"},
		{func(in *Input) { in.FlowsPerDay = -1 }, "flows per day: -1"},
		{func(in *Input) { in.Bootstrap = 1 }, "bootstrap: give at least two"},
		{func(in *Input) { in.Bootstrap = -1 }, "bootstrap: give at least two"},
	} {
		in := weekInput()
		c.change(&in)
		if _, err := Evaluate(in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	for _, c := range []struct {
		rule Rule
		want string
	}{
		{Rule{}, "no rule"},
		{Rule{MaxFalsePositiveRate: 0.1, Maximize: "f1"}, "two rules"},
		{Rule{MaxFalsePositiveRate: 1}, "1 is not between 0 and 1"},
		{Rule{MaxFalsePositiveRate: -0.1}, "-0.1 is not between 0 and 1"},
		{Rule{MaxFalsePositiveRate: math.NaN()}, "NaN is not between 0 and 1"},
		{Rule{Maximize: "accuracy"}, `"accuracy" is none of f1, f2, mcc`},
	} {
		if _, err := ChooseThreshold([]float64{1, 0}, []bool{true, false}, c.rule); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	var nan *NaNError
	if _, err := AveragePrecision([]float64{0, math.NaN()}, []bool{true, false}); !errors.As(err, &nan) || nan.Row != 1 {
		t.Errorf("error %v, want a NaNError of row 1", err)
	}
}

func TestThresholdNotEvaluable(t *testing.T) {
	for _, c := range []struct {
		positive []bool
		rule     Rule
		want     string
	}{
		{[]bool{true, true}, Rule{MaxFalsePositiveRate: 0.1}, "no negatives in validation"},
		{[]bool{false, false}, Rule{Maximize: "f1"}, "no positives in validation"},
		{[]bool{true, true}, Rule{Maximize: "mcc"}, "no negatives in validation"},
		{nil, Rule{Maximize: "f2"}, "no rows in validation"},
	} {
		got, err := ChooseThreshold(make([]float64, len(c.positive)), c.positive, c.rule)
		if err != nil || got.OK || got.Reason != c.want {
			t.Errorf("%v, %v: got %v, %v, want %q", c.positive, c.rule, got, err, c.want)
		}
	}
	// A false-positive rate needs no positives.
	if got, err := ChooseThreshold([]float64{1, 2}, []bool{false, false}, Rule{MaxFalsePositiveRate: 0.5}); err != nil || got != Of(math.Nextafter(1, 2)) {
		t.Errorf("threshold %v, %v", got, err)
	}
	if got, err := ChooseThreshold([]float64{math.Inf(1), 0}, []bool{false, true}, Rule{MaxFalsePositiveRate: 0.5}); err != nil || got.OK {
		t.Errorf("threshold %v above an infinite score, %v", got, err)
	}
}

func TestZerosOfEitherSignAreEqual(t *testing.T) {
	zero := math.Copysign(0, -1)
	for _, scores := range [][]float64{{zero, 0}, {0, zero}, {zero, zero}} {
		r := mustRank(t, scores, []bool{true, false})
		if len(r.threshold) != 1 || math.Signbit(r.threshold[0]) {
			t.Errorf("%v: thresholds %v", scores, r.threshold)
		}
	}
}

func TestInfiniteScoresRank(t *testing.T) {
	inf := math.Inf(1)
	r, err := Evaluate(Input{Scores: []float64{inf, 1, 0, -inf}, Positive: []bool{true, false, true, false}, Threshold: Of(-math.MaxFloat64)})
	if err != nil {
		t.Fatal(err)
	}
	wantNear(t, "average precision", r.AveragePrecision, (1+2.0/3)/2, near)
	if r.Confusion.TP+r.Confusion.FP != 4 {
		t.Errorf("%+v: the lowest threshold leaves rows out", *r.Confusion)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	curve, _ := mustRank(t, []float64{inf, 1, 0, -inf}, []bool{true, false, true, false}).ROC(0)
	if _, err := json.Marshal(curve); err != nil {
		t.Error(err)
	}
}

func TestClassesNotEvaluable(t *testing.T) {
	in := ClassInput{
		Part:    "test",
		Classes: []string{"BENIGN", "Bot", "DDoS"},
		Labels:  []int32{0, 0, 1},
		Scores:  []float32{3, 1, 0, 3, 1, 0, 2, 2, 0},
	}
	r, err := EvaluateClasses(in)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"average_precision.DDoS": "no rows of DDoS in test", "average_precision_chance.DDoS": "no rows of DDoS in test",
		"auroc.DDoS": "no rows of DDoS in test", "recall.DDoS": "no rows of DDoS in test", "f1.DDoS": "no rows of DDoS in test",
		"precision.DDoS": "no verdict is DDoS in test", "precision.Bot": "no verdict is Bot in test",
	}
	if diff := cmp.Diff(want, r.NotEvaluable); diff != "" {
		t.Error(diff)
	}
	if r.MacroClasses != 2 || r.Confusion[1][0] != 1 {
		t.Errorf("%+v: a tie goes to the first class", r)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	back := new(ClassReport)
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, back); diff != "" {
		t.Error(diff)
	}
	in.Scores[4] = float32(math.NaN())
	if _, err := EvaluateClasses(in); err == nil || !strings.Contains(err.Error(), "score of row 1 for class Bot is NaN") {
		t.Errorf("error %v", err)
	}
}
