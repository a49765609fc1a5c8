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

func TestTableGolden(t *testing.T) {
	var b bytes.Buffer
	table := Table{Title: []string{"study demo"}, Metric: "validation.average_precision", Maximize: true, Configurations: study()}
	if err := table.Write(&b); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/table.txt"
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
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
