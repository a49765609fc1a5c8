package compare

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowbench/train/metric"
)

var update = flag.Bool("update", false, "write the golden table again")

func values(v ...float64) []*float64 {
	p := make([]*float64, len(v))
	for i := range v {
		p[i] = &v[i]
	}
	return p
}

func configuration(name string, ap ...float64) Configuration {
	c := Configuration{
		Name: name, Model: "dnn", Params: map[string]any{"optimizer.learning_rate": 1e-3, "model.hidden": []any{int64(64), int64(32)}},
		Metrics: map[string][]*float64{
			"validation.average_precision":  values(ap...),
			"test.average_precision":        values(ap...),
			"test.average_precision_chance": values(0.0006),
		},
	}
	for range ap {
		c.States = append(c.States, "done")
		c.Reasons = append(c.Reasons, "")
		c.Found = append(c.Found, &metric.Proportion{K: 9, N: 12})
	}
	return c
}

func study() []Configuration {
	worse, better := configuration("dnn-0", 0.5, 0.7), configuration("dnn-1", 0.7, 0.8)
	better.Params["optimizer.learning_rate"] = 0.01
	diverged := configuration("dnn-2", 0.9)
	diverged.States, diverged.Reasons = []string{"diverged"}, []string{"loss NaN at step 3"}
	diverged.Metrics, diverged.Found = nil, []*metric.Proportion{nil}
	baseline := configuration("best_single_feature", 0.99, 0.99)
	baseline.Baseline, baseline.Params = true, nil
	return []Configuration{baseline, diverged, worse, better}
}

func write(t *testing.T, table Table) string {
	t.Helper()
	var b bytes.Buffer
	if err := table.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTableGolden(t *testing.T) {
	text := write(t, Table{Title: []string{"study demo"}, Metric: "validation.average_precision", Maximize: true, Configurations: study()})
	const golden = "testdata/table.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestRankPutsBestFirstAndBaselinesLast(t *testing.T) {
	names := func(maximize bool) string {
		var all []string
		for _, c := range Rank(study(), "test.average_precision", maximize) {
			all = append(all, c.Name)
		}
		return strings.Join(all, " ")
	}
	if got, want := names(true), "dnn-1 dnn-0 dnn-2 best_single_feature"; got != want {
		t.Errorf("maximized: %s, want %s", got, want)
	}
	if got, want := names(false), "dnn-0 dnn-1 dnn-2 best_single_feature"; got != want {
		t.Errorf("minimized: %s, want %s", got, want)
	}
}

func TestOnlyDifferingParametersAreShown(t *testing.T) {
	if diff := cmp.Diff([]string{"optimizer.learning_rate"}, Differing(study())); diff != "" {
		t.Error(diff)
	}
}

// TestDifferingParametersLookDifferent: two that agree in four digits, and two
// whose last words are equal.
func TestDifferingParametersLookDifferent(t *testing.T) {
	a, b := configuration("dnn-0", 0.5), configuration("dnn-1", 0.6)
	a.Params = map[string]any{"optimizer.learning_rate": 0.00123451, "loss.kind": "bce", "optimizer.kind": "adam", "model.norm": "none"}
	b.Params = map[string]any{"optimizer.learning_rate": 0.00123452, "loss.kind": "focal", "optimizer.kind": "sgd", "model.norm": "none"}
	text := write(t, Table{Metric: "test.average_precision", Maximize: true, Configurations: []Configuration{a, b}})
	for _, want := range []string{"loss.kind  optimizer.kind  learning_rate", "bce        adam            0.00123451", "focal      sgd             0.00123452"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "norm") {
		t.Errorf("a parameter that is the same everywhere is shown:\n%s", text)
	}
}

func TestShortest(t *testing.T) {
	got := shortest([]string{"a.b.kind", "c.b.kind", "rate", "x.rate", "y.size"})
	if diff := cmp.Diff([]string{"a.b.kind", "c.b.kind", "rate", "x.rate", "size"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTiesKeepTheGivenOrder(t *testing.T) {
	var names []string
	tied := []Configuration{configuration("dnn-2", 0.5), configuration("dnn-10", 0.5), configuration("dnn-1", 0.5)}
	for _, c := range Rank(tied, "test.average_precision", true) {
		names = append(names, c.Name)
	}
	if got, want := strings.Join(names, " "), "dnn-2 dnn-10 dnn-1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestUnfinishedTrials: those that wait are counted, those that ended badly are named.
func TestUnfinishedTrials(t *testing.T) {
	c := configuration("dnn-0", 0.5, 0.6, 0.7, 0.8)
	c.States = []string{"done", "failed", "running", "planned"}
	c.Reasons = []string{"", "out of memory", "", "released by its worker"}
	text := write(t, Table{Metric: "test.average_precision", Configurations: []Configuration{c}})
	if want := "dnn-0, replicate 1: failed: out of memory\ntrials that have not ended: 2; the figures are of the others\n"; !strings.HasSuffix(text, want) {
		t.Errorf("want %q at the end of\n%s", want, text)
	}
}

// TestFoundCountsInFull: the attacks of the full profile are more than four digits.
func TestFoundCountsInFull(t *testing.T) {
	c := Configuration{Found: []*metric.Proportion{{K: 158_930, N: 158_930}, nil, {K: 158_929, N: 158_930}}}
	if got, want := c.found(), "158929.5/158930 [1.00, 1.00]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestChance(t *testing.T) {
	c := configuration("dnn-0", 0.5)
	c.Metrics["validation.average_precision_chance"] = values(0.25)
	for name, want := range map[string]string{
		"validation.average_precision":    "0.250",
		"test.average_precision":          "6.0e-04",
		"validation.auroc":                "0.500",
		"test.recall_at_fpr_0.01":         "0.010",
		"validation.recall_at_fpr_0.0001": "1.0e-04",
		"test.mcc":                        "0.000",
		"validation.loss":                 "",
	} {
		if got := chance([]Configuration{{}, c}, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := chance(nil, "test.average_precision"); got != "-" {
		t.Errorf("without a trial that has it: %q", got)
	}
}

func TestSummary(t *testing.T) {
	c := configuration("x", 0.5, 0.7)
	c.Metrics["gaps"] = []*float64{nil, values(2)[0]}
	cases := map[string]string{
		"test.average_precision": "0.600 ± 0.141", // sd of {0.5, 0.7} with n-1: 0.1414
		"gaps":                   "2.000",
		"none":                   "-",
	}
	for name, want := range cases {
		if got := c.Summary(name).String(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestJSONKeepsReplicatesInOrder(t *testing.T) {
	var b bytes.Buffer
	c := study()[2]
	c.Metrics["test.f1"] = []*float64{nil, values(0.25)[0]}
	if err := WriteJSON(&b, []Configuration{c, c}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines for 2 configurations", len(lines))
	}
	var got struct {
		Name    string
		Model   string
		Params  map[string]any
		Metrics map[string][]*float64
	}
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.Metrics, got.Metrics); diff != "" || got.Name != "dnn-0" || got.Model != "dnn" || len(got.Params) != 2 {
		t.Errorf("%s\n%s", lines[0], diff)
	}
}
