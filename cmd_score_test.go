package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scored makes a small run and its flows as CSV in the working folder.
func scored(t *testing.T) {
	t.Helper()
	t.Chdir(nowhere(t))
	if code, _, log := flowbench(t, "train", "testdata/small.yaml", "--out", "run", "--device", "cpu"); code != 0 {
		t.Fatal(log)
	}
	if code, _, log := flowbench(t, "data", "synth", "flows", "--rows", "600"); code != 0 {
		t.Fatal(log)
	}
}

func TestScoreFromEndToEnd(t *testing.T) {
	scored(t)
	code, out, log := flowbench(t, "score", "run", "flows")
	if code != 0 || strings.Count(out, "\n") != 601 || !strings.HasPrefix(out, "row,file,line,label,score,verdict,") {
		t.Fatalf("exit code %d:\n%.300s\n%s", code, out, log)
	}
	for _, want := range []string{"600 rows scored", "Infiltration  attack    36", "parts: integrated gradients"} {
		if !strings.Contains(log, want) {
			t.Errorf("the summary lacks %q:\n%s", want, log)
		}
	}
	for _, same := range []string{"run:best", "run:3", "run/trials/0003"} {
		if code, again, log := flowbench(t, "score", same, "flows"); code != 0 || again != out {
			t.Errorf("%s: exit code %d, or other rows: %s", same, code, log)
		}
	}
	files, err := filepath.Glob("flows/*.csv")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	if code, again, log := flowbench(t, append([]string{"score", "run"}, files...)...); code != 0 || again != out {
		t.Errorf("file by file: exit code %d, or other rows: %s", code, log)
	}
	wantSummaryAsJSON(t, out)
	wantThresholds(t)
}

// wantSummaryAsJSON scores into a file.
func wantSummaryAsJSON(t *testing.T, rows string) {
	t.Helper()
	code, out, log := flowbench(t, "score", "run", "flows/*.csv", "--out", "verdicts.csv", "--json")
	var summary struct{ Rows, Alerts int64 }
	if err := json.Unmarshal([]byte(out), &summary); code != 0 || err != nil || summary.Rows != 600 || summary.Alerts != int64(strings.Count(rows, ",alert,")) {
		t.Errorf("exit code %d, %v, %+v:\n%s", code, err, summary, log)
	}
	if written, err := os.ReadFile("verdicts.csv"); err != nil || string(written) != rows {
		t.Errorf("the file differs from standard output: %v", err)
	}
}

// wantThresholds moves the threshold.
func wantThresholds(t *testing.T) {
	t.Helper()
	alerts := func(flags ...string) int {
		t.Helper()
		code, out, log := flowbench(t, append([]string{"score", "run", "flows"}, flags...)...)
		if code != 0 {
			t.Fatalf("%v: %s", flags, log)
		}
		return strings.Count(out, ",alert,")
	}
	if n := alerts("--threshold=-1e9"); n != 600 {
		t.Errorf("%d alerts at a threshold that is below all scores", n)
	}
	if n := alerts("--threshold", "1e9"); n != 0 {
		t.Errorf("%d alerts at a threshold above all scores", n)
	}
	if few, many := alerts("--max-fpr", "0.01"), alerts("--max-fpr", "0.5"); few >= many {
		t.Errorf("%d alerts at a rate of 0.01, %d at 0.5", few, many)
	}
}

func TestScoreSaysWhatIsWrong(t *testing.T) {
	scored(t)
	raw, err := os.ReadFile("run/trials/0003/checkpoint-member0-best.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS("damaged", os.DirFS("run/trials/0003")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("damaged/checkpoint-member0-best.safetensors", raw[:len(raw)-4], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS("unfinished", os.DirFS("run/trials/0003")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove("unfinished/result.json"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("short.csv", []byte("Flow Durations,Label\n1,BENIGN\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, log := flowbench(t, "data", "prepare", "flows", "--out", "set"); code != 0 {
		t.Fatal(log)
	}
	for _, c := range []struct {
		line, want string
		code       int
	}{
		{"score run", "score needs a run and flows", exitWrongUse},
		{"score run flows --format xml", "--format xml is none that there is: write csv, jsonl, parquet", exitWrongUse},
		{"score run flows --explain alert", "did you mean \"alerts\"?", exitWrongUse},
		{"score run flows --threshold 1 --max-fpr 0.1", "leave out one", exitWrongUse},
		{"score run flows --max-fpr 1", "--max-fpr 1 is not between 0 and 1", exitWrongUse},
		{"score run flows set --follow", "--follow takes one CSV file", exitWrongUse},
		{"score run flows --follow --format parquet", "--follow cannot write parquet", exitWrongUse},
		{"score run set flows", "set is a prepared set, which is scored by itself", exitWrongUse},
		{"score run - flows", "- is standard input", exitWrongUse},
		{"score run flows --simd avx51", "did you mean \"avx512\"?", exitWrongUse},
		{"score run nothing.csv", "no such file or folder", exitFailed},
		{"score run flows --follow", "is not a file", exitFailed},
		{"score run short.csv", "short.csv:1: ", exitFailed},
		{"score run short.csv", "columns that the model reads are missing: flow_duration", exitFailed},
		{"score nowhere flows", "nowhere: no such trial", exitFailed},
		{"score flows flows", "is no trial", exitFailed},
		{"score run:99 flows", "has no trial", exitFailed},
		{"score damaged flows", "is damaged: its SHA-256", exitFailed},
		{"score unfinished flows", "has not finished", exitFailed},
		{"score run flows --out no/such/folder.csv", "--out no/such/folder.csv", exitFailed},
		{"score run flows --out flows", "is a folder", exitFailed},
	} {
		code, out, log := flowbench(t, strings.Fields(c.line)...)
		if code != c.code || !strings.Contains(log, c.want) || strings.Count(out, "\n") > 1 {
			t.Errorf("%s: exit code %d, want %d and ...%s...\nstdout: %.200s\nstderr: %s", c.line, code, c.code, c.want, out, log)
		}
	}
	left, err := filepath.Glob(".*.tmp")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
