package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// objects reads one JSON object a line, each with every key.
func objects(t *testing.T, text string, keys ...string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		var o map[string]any
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			t.Fatalf("%v:\n%s", err, lines.Text())
		}
		for _, k := range keys {
			if _, ok := o[k]; !ok {
				t.Errorf("no %q in %s", k, lines.Text())
			}
		}
		all = append(all, o)
	}
	return all
}

// TestSweepFromEndToEnd sweeps a small spec as people type it, and asks every
// command about it.
func TestSweepFromEndToEnd(t *testing.T) {
	t.Chdir(nowhere(t))
	code, out, log := flowbench(t, "sweep", "testdata/small.yaml", "--workers", "2", "--json", "--device", "cpu")
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, log)
	}
	configurations := objects(t, out, "name", "model", "params", "metrics", "states")
	if len(configurations) != 5 {
		t.Errorf("%d configurations, want 3 baselines and 2 networks:\n%s", len(configurations), out)
	}
	for _, o := range configurations {
		if values := o["metrics"].(map[string]any)["test.auroc"].([]any); len(values) != 2 {
			t.Errorf("%s: %d values of test.auroc, want one a replicate", o["name"], len(values))
		}
	}
	kept, err := os.ReadFile("runs/small/comparison.jsonl")
	if err != nil || string(kept) != out {
		t.Errorf("comparison.jsonl is not what was printed: %v", err)
	}
	if !strings.Contains(log, "10/10") {
		t.Errorf("no progress in the log:\n%s", log)
	}
	wantAnswers(t, out)
	wantTheSameAgain(t)
}

// wantAnswers asks about the finished study.
func wantAnswers(t *testing.T, compared string) {
	t.Helper()
	code, out, log := flowbench(t, "compare", "runs/small", "--json")
	var answer struct {
		Configurations []json.RawMessage
		Analysis       struct {
			Metric      string
			Comparisons []struct{ Verdict, Sentence string }
		}
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 0 {
		t.Fatalf("compare --json: exit code %d, %v:\n%s%s", code, err, out, log)
	}
	var lines strings.Builder
	for _, c := range answer.Configurations {
		lines.Write(append(c, '\n'))
	}
	if lines.String() != compared || answer.Analysis.Metric != "test.average_precision" || len(answer.Analysis.Comparisons) != 1 {
		t.Errorf("compare --json: %+v, configurations\n%s", answer.Analysis, lines.String())
	}
	table, err := os.ReadFile("runs/small/comparison.txt")
	code, out, _ = flowbench(t, "compare", "runs/small")
	if code != 0 || err != nil || !strings.Contains(out, "\nThere is no significant difference from dnn-1") {
		t.Errorf("compare: exit code %d, %v:\n%s", code, err, out)
	}
	// Set in narrower blocks, it has every cell of the table.
	for _, cell := range regexp.MustCompile(" {2,}|\n").Split(string(table), -1) {
		if !strings.Contains(out, cell) {
			t.Errorf("compare does not say %q", cell)
		}
	}
	for _, c := range []struct {
		line    string
		objects int
		keys    []string
		table   string
	}{
		{"runs", 1, []string{"study", "trials", "ended", "configurations"}, "runs/small"},
		{"runs runs/small", 10, []string{"trial", "name", "state", "epochs", "reason"}, "2/2"},
		{"runs runs/small --attempts", 10, []string{"trial", "attempt", "state", "worker", "started", "reason"}, "done"},
	} {
		code, out, log := flowbench(t, append(strings.Fields(c.line), "--json")...)
		if code != 0 || len(objects(t, out, c.keys...)) != c.objects {
			t.Errorf("%s --json: exit code %d, want %d objects:\n%s%s", c.line, code, c.objects, out, log)
		}
		if code, out, log := flowbench(t, strings.Fields(c.line)...); code != 0 || !strings.Contains(out, c.table) {
			t.Errorf("%s: exit code %d, want ...%s...:\n%s%s", c.line, code, c.table, out, log)
		}
	}
}

// wantTheSameAgain sweeps once more, which trains nothing.
func wantTheSameAgain(t *testing.T) {
	t.Helper()
	before, err := os.Stat("runs/small/trials/0003/result.json")
	if err != nil {
		t.Fatal(err)
	}
	code, out, _ := flowbench(t, "sweep", "testdata/small.yaml")
	after, err := os.Stat("runs/small/trials/0003/result.json")
	if err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the trial was run again: %v", err)
	}
	table, err := os.ReadFile("runs/small/comparison.txt")
	if err != nil || code != 0 || !strings.Contains(out, string(table)) {
		t.Errorf("exit code %d, %v:\n%s", code, err, out)
	}
	if !strings.Contains(out, "written to runs/small: ") {
		t.Errorf("it does not say where to:\n%s", out)
	}
	if code, _, log := flowbench(t, "sweep", "testdata/small.yaml", "--set", "train.epochs=3"); code != exitFailed || !strings.Contains(log, "another spec") || !strings.Contains(log, "--out") {
		t.Errorf("another spec in the folder: exit code %d: %s", code, log)
	}
}

func TestTrainFromEndToEnd(t *testing.T) {
	t.Chdir(nowhere(t))
	code, out, log := flowbench(t, "train", "testdata/small.yaml", "--set", "model.hidden=[4, 3]", "--set", "loss.class_weight={BENIGN: 1, Infiltration: 20}", "--out", "out")
	if code != 0 || !strings.Contains(out, "written to out: ") {
		t.Fatalf("exit code %d:\n%s%s", code, out, log)
	}
	if !strings.Contains(log, "device: cpu/") {
		t.Errorf("it does not say what trains:\n%s", log)
	}
	trial, err := os.ReadFile("out/trials/0003/spec.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"hidden: [4,3]", `"Infiltration":20`} {
		if !strings.Contains(string(trial), part) {
			t.Errorf("the trial's spec lacks %q:\n%s", part, trial)
		}
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	t.Chdir(nowhere(t))
	code, out, _ := flowbench(t, "sweep", "testdata/small.yaml", "--dry-run")
	if code != 0 || !strings.Contains(out, "study small: 5 configurations, 10 trials") || !strings.Contains(out, "0009") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	code, out, _ = flowbench(t, "sweep", "--dry-run", "testdata/small.yaml", "--json")
	var plan struct{ Trials []struct{ Seed uint64 } }
	if err := json.Unmarshal([]byte(out), &plan); code != 0 || err != nil || len(plan.Trials) != 10 {
		t.Errorf("exit code %d, %v:\n%s", code, err, out)
	}
	wantUntouched(t)
}

// TestFailures are errors of the world: exit code 1, one message, nothing written.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
	}{
		{"sweep nowhere.yaml", []string{"nowhere.yaml", "no such file"}},
		{"sweep testdata", []string{"testdata", "is a directory"}},
		{"sweep testdata/bad.yaml", []string{"testdata/bad.yaml:5:20: model.hiden", `did you mean "hidden"?`, "> 5 | model: {kind: dnn, hiden: [8]}"}},
		{"train testdata/bad.yaml", []string{"testdata/bad.yaml:5:"}},
		{"sweep testdata/empty.yaml", []string{"testdata/empty.yaml:1:1", "holds no spec"}},
		{"sweep testdata/small.yaml --set train.epoch=3", []string{"--set:1:1: train.epoch", `did you mean "train.epochs"?`}},
		{"sweep testdata/small.yaml --device cuda", []string{"--device cuda", "built without CUDA", "use --device cpu or auto"}},
		{"sweep testdata/small.yaml --device cuda:1 --dry-run", []string{"--device cuda:1", "built without CUDA"}},
		{"train testdata/small.yaml --device cuda", []string{"--device cuda"}},
		{"sweep testdata/small.yaml --out testdata", []string{"output folder testdata holds", "but no study", "--out"}},
		{"sweep testdata/small.yaml --out testdata/small.yaml/below", []string{"output folder", "not a directory", "--out"}},
		{"sweep testdata/small.yaml --set data.source=absent/", []string{"absent", "no such"}},
		{"sweep testdata/small.yaml --set data.positive=[Bot] --out new/below", []string{"data.positive[0]", "Bot"}},
		{"worker --store testdata", []string{"testdata is no study: it has no study.json"}},
		{"runs", []string{"no study below runs/", "flowbench sweep SPEC makes one"}},
		{"runs testdata", []string{"testdata is no study"}},
		{"compare testdata", []string{"testdata is no study"}},
		{"compare nowhere", []string{"nowhere is no study"}},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Chdir(nowhere(t))
			bad := "name: bad\ndata:\n  source: synth://infiltration?rows=600\n  positive: [Infiltration]\nmodel: {kind: dnn, hiden: [8]}\n"
			for name, text := range map[string]string{"bad.yaml": bad, "empty.yaml": ""} {
				if err := os.WriteFile(filepath.Join("testdata", name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			code, out, log := flowbench(t, strings.Fields(c.line)...)
			if code != exitFailed || out != "" {
				t.Errorf("exit code %d, want %d, and no table:\n%s", code, exitFailed, out)
			}
			for _, part := range c.want {
				if !strings.Contains(log, part) {
					t.Errorf("it lacks %q:\n%s", part, log)
				}
			}
			wantUntouched(t)
		})
	}
}

func TestInterruptedSweepSaysHowToGoOn(t *testing.T) {
	t.Chdir(nowhere(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, log bytes.Buffer
	err := run(ctx, []string{"flowbench", "sweep", "testdata/small.yaml"}, &out, &log)
	if err == nil || exitCode(err) != exitFailed || !strings.Contains(err.Error(), "the same command goes on from here") || out.Len() > 0 {
		t.Errorf("%v:\n%s%s", err, out.String(), log.String())
	}
	if code, _, log := flowbench(t, "sweep", "testdata/small.yaml"); code != 0 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
}

// TestFailedTrialsFailTheSweep puts another trial's result into a trial's folder.
func TestFailedTrialsFailTheSweep(t *testing.T) {
	t.Chdir(nowhere(t))
	if code, _, log := flowbench(t, "sweep", "testdata/small.yaml", "--out", "a"); code != 0 {
		t.Fatal(log)
	}
	raw, err := os.ReadFile("a/trials/0004/result.json")
	if err != nil {
		t.Fatal(err)
	}
	copyStudy(t, "a", "b")
	foreign := "b/trials/0003/result.json"
	if err := os.MkdirAll(filepath.Dir(foreign), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(foreign, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, log := flowbench(t, "sweep", "testdata/small.yaml", "--out", "b")
	if code != exitFailed || !strings.Contains(log, "1 of 10 trials failed; flowbench runs b says why") || !strings.Contains(out, "belongs to another trial") {
		t.Errorf("exit code %d:\n%s%s", code, out, log)
	}
	if err := os.Remove(foreign); err != nil {
		t.Fatal(err)
	}
	if code, _, log := flowbench(t, "sweep", "testdata/small.yaml", "--out", "b", "--retry-failed"); code != 0 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
}

// copyStudy writes to the folder to what the study in from began with.
func copyStudy(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range []string{"study.json", "plan.json"} {
		raw, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.MkdirAll(to, 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), raw, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestDataAnswersInJSON(t *testing.T) {
	t.Chdir(nowhere(t))
	const flows = "synth://infiltration?seed=7&rows=400"
	for _, line := range []string{
		"data prepare " + flows + " --out set --json",
		"data inspect set --json",
	} {
		code, out, log := flowbench(t, strings.Fields(line)...)
		var answer map[string]any
		if err := json.Unmarshal([]byte(out), &answer); code != 0 || err != nil || len(answer) == 0 {
			t.Errorf("%s: exit code %d, %v:\n%s%s", line, code, err, out, log)
		}
	}
	if code, out, log := flowbench(t, "data", "synth", "flows", "--rows", "400"); code != 0 || !strings.Contains(out, "synthetic") {
		t.Errorf("data synth: exit code %d:\n%s%s", code, out, log)
	}
	if code, out, log := flowbench(t, "data", "verify", "flows", "--json"); code > exitFailed || !json.Valid([]byte(out)) {
		t.Errorf("data verify: exit code %d:\n%s%s", code, out, log)
	}
}
