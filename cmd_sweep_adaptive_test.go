package main

import (
	"os"
	"strings"
	"testing"
)

// adaptiveText is the spec of testdata/adaptive.yaml.
func adaptiveText(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/adaptive.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// wantOutput runs a command line that must end with a code, and wants words of
// what it printed.
func wantOutput(t *testing.T, code int, line string, words ...string) string {
	t.Helper()
	got, out, log := flowbench(t, strings.Fields(line)...)
	if got != code {
		t.Fatalf("%s: exit code %d, want %d:\n%s%s", line, got, code, out, log)
	}
	for _, w := range words {
		if !strings.Contains(out+log, w) {
			t.Errorf("%s: no %q in\n%s%s", line, w, out, log)
		}
	}
	return out
}

// TestAdaptiveSweepFromEndToEnd plans, sweeps, explains and extends an adaptive
// study as people type it.
func TestAdaptiveSweepFromEndToEnd(t *testing.T) {
	t.Chdir(nowhere(t))
	wantOutput(t, 0, "sweep testdata/adaptive.yaml --dry-run --device cpu",
		"suggested-5", "rungs: configurations are judged at epochs 1, 2 (asha)", "measured: an epoch of dnn-0", "with pruning", "disk: about")
	if _, err := os.Stat("runs"); err == nil {
		t.Error("the dry run left something behind")
	}
	wantOutput(t, 0, "sweep testdata/adaptive.yaml --workers 2 --device cpu", "dnn-5")
	wantOutput(t, 0, "sweep --status testdata/adaptive.yaml", "no worker is at work", "workers' time")
	if out := wantOutput(t, 0, "sweep --status runs/adaptive --json"); len(objects(t, out, "trials", "workers", "spent")) != 1 {
		t.Errorf("status as JSON:\n%s", out)
	}
	wantOutput(t, 0, "runs why runs/adaptive 5", "chosen: configuration 2, suggested by tpe from 1 finished configuration (", "at epoch 1: ", "attempt 1: claimed")
	wantOutput(t, 0, "runs why runs/adaptive/trials/0000", "a trivial baseline")
	if out := wantOutput(t, 0, "runs why runs/adaptive 8 --json"); len(objects(t, out, "chosen", "attempts", "rungs")) != 1 {
		t.Errorf("why as JSON:\n%s", out)
	}
	wantOutput(t, 1, "runs why runs/adaptive 9", "trials 0 to 8, not 9")
	wantOutput(t, 2, "runs why runs/adaptive nine", "no number of a trial")
	wantOutput(t, 2, "sweep extend runs/adaptive", "needs --trials")
	wantOutput(t, 1, "sweep extend runs/adaptive --trials 6 --device cpu", "adds nothing to the 6 configurations")
	wantOutput(t, 0, "sweep extend runs/adaptive --trials 8 --device cpu", "2 trials are added", "dnn-7")
	wantOutput(t, 0, "sweep testdata/adaptive.yaml --device cpu", "dnn-7") // the first spec goes on with the extended plan
}

// TestExtendNarrows makes a new version of a plan from another spec.
func TestExtendNarrows(t *testing.T) {
	t.Chdir(nowhere(t))
	wantOutput(t, 0, "sweep testdata/adaptive.yaml --device cpu")
	narrow := strings.NewReplacer("min: 1e-4, max: 1e-1", "min: 1e-2, max: 2e-2", "trials: 6", "trials: 9").Replace(adaptiveText(t))
	if err := os.WriteFile("narrow.yaml", []byte(narrow), 0o644); err != nil {
		t.Fatal(err)
	}
	wantOutput(t, 0, "sweep extend runs/adaptive --spec narrow.yaml --device cpu", "3 trials are added")
	compared, err := os.ReadFile("runs/adaptive/comparison.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects(t, string(compared), "name", "params")[9:] {
		rate := o["params"].(map[string]any)["optimizer.learning_rate"].(float64)
		if rate < 1e-2 || rate > 2e-2 {
			t.Errorf("%v has the rate %v", o["name"], rate)
		}
	}
	other := strings.Replace(narrow, "hidden: [8]", "hidden: [9]", 1)
	if err := os.WriteFile("other.yaml", []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	wantOutput(t, 1, "sweep extend runs/adaptive --spec other.yaml --trials 12 --device cpu", "is no extension of the study")
}

// TestSpentBudgetStops ends a sweep after as many trials as its budget has, and
// goes on with a larger one.
func TestSpentBudgetStops(t *testing.T) {
	t.Chdir(nowhere(t))
	wantOutput(t, 0, "sweep testdata/adaptive.yaml --device cpu --workers 1 --set sweep.budget.trials=4", "sweep.budget.trials", "trials that have not ended")
	wantOutput(t, 0, "sweep --status runs/adaptive", "stopped, budget")
	wantOutput(t, 0, "sweep testdata/adaptive.yaml --device cpu", "dnn-5")
	wantOutput(t, 0, "sweep --status runs/adaptive", "no worker is at work")
}

// TestManyFailuresStop ends a sweep whose trials all fail for one reason.
func TestManyFailuresStop(t *testing.T) {
	t.Chdir(nowhere(t))
	wantOutput(t, 0, "sweep testdata/adaptive.yaml --device cpu --workers 1 --set sweep.budget.trials=3")
	// A folder where the log of each trial should be.
	for _, trial := range []string{"0003", "0004", "0005", "0006", "0007", "0008"} {
		if err := os.MkdirAll("runs/adaptive/trials/"+trial+"/log.txt", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	wantOutput(t, 1, "sweep testdata/adaptive.yaml --device cpu --workers 1 --set sweep.max_failed=2 --set sweep.retries=0", "2 trials failed, sweep.max_failed is 2; 2 of them for this reason: ", "is a directory")
}

func TestCancelledStudyGoesOn(t *testing.T) {
	t.Chdir(nowhere(t))
	wantOutput(t, 0, "sweep testdata/adaptive.yaml --device cpu --set sweep.budget.trials=4")
	wantOutput(t, 0, "sweep --cancel runs/adaptive", "is cancelled")
	wantOutput(t, 0, "sweep testdata/adaptive.yaml --device cpu", "dnn-5")
	wantOutput(t, 1, "sweep --cancel nowhere.yaml")
}

func TestWrongUseOfSweep(t *testing.T) {
	t.Chdir(nowhere(t))
	wantOutput(t, 2, "sweep testdata/adaptive.yaml --serve :0", "--serve is for")
	wantOutput(t, 2, "sweep testdata/adaptive.yaml --detach", "--detach needs --slurm")
	wantOutput(t, 2, "sweep testdata/adaptive.yaml --slurm --workers 2", "sweep.slurm.workers")
	wantOutput(t, 1, "sweep testdata/adaptive.yaml --slurm --device cpu --out study", "no section sweep.slurm")
	wantOutput(t, 1, "sweep testdata/adaptive.yaml --store gopher://x --device cpu --out study2", "gopher")
}
