package study

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flowbench/train"
	"flowbench/train/checkpoint"
)

// leaveTrial writes what a finished trial leaves, or, without flows, one that has not.
func leaveTrial(t *testing.T, kind string, seed uint64, flows string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "trials", fmt.Sprintf("%04d", seed))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("name: alone\nseed: %d\ndata: {source: x.csv, positive: [Bot]}\nmodel: {kind: %s}\n", seed, kind)
	if err := checkpoint.WriteFile(filepath.Join(dir, "spec.yaml"), []byte(text)); err != nil {
		t.Fatal(err)
	}
	if flows == "" {
		return dir
	}
	raw, err := json.Marshal(train.Result{State: train.StateDone, Seed: seed, Flows: flows, Metrics: map[string]float64{
		"test.average_precision": 0.5 + float64(seed)/100, "validation.average_precision": 0.5,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.WriteFile(filepath.Join(dir, "result.json"), raw); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestGatherGroupsTrialsByAllButTheSeed also gives one trial twice, which counts once.
func TestGatherGroupsTrialsByAllButTheSeed(t *testing.T) {
	one, two, other := leaveTrial(t, "dnn", 1, "f"), leaveTrial(t, "dnn", 2, "f"), leaveTrial(t, "autoencoder", 1, "f")
	table, err := Gather(context.Background(), []string{one, other, two, one}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Configurations) != 2 {
		t.Fatalf("%d configurations", len(table.Configurations))
	}
	c := table.Configurations[0]
	if s := c.Summary("test.average_precision"); s.N != 2 || len(c.Seeds) != 2 || len(c.States) != 2 || len(c.Folders) != 2 || c.Folders[1] != two {
		t.Errorf("%+v", c)
	}
	if _, ok := c.Params["model.kind"]; !ok || c.Params["train.batch"] != nil {
		t.Errorf("parameters %v", c.Params)
	}
}

func TestGatherErrors(t *testing.T) {
	ctx := context.Background()
	a, b := leaveTrial(t, "dnn", 1, strings.Repeat("a", 64)), leaveTrial(t, "dnn", 2, strings.Repeat("b", 64))
	for want, folders := range map[string][]string{
		"is no study and no trial":                   {t.TempDir()},
		"has not finished: it has no result.json":    {leaveTrial(t, "dnn", 3, "")},
		"(flows bbbbbbbbbbbb) are of different data": {a, b},
	} {
		if _, err := Gather(ctx, folders, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ...%s...", err, want)
		}
	}
	table, err := Gather(ctx, []string{a, b}, true)
	if err != nil || len(table.Configurations) != 2 {
		t.Errorf("told to compare them: %+v, %v", table, err)
	}
}
