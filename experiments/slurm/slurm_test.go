package slurm

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// commands puts stand-ins for Slurm's commands, shell scripts by name, before all
// others.
func commands(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

var array = Array{
	Name: "demo", Logs: "/logs", Command: []string{"flowbench", "worker", "--store", "it's here"},
	Workers: 5, Throttle: 2, Partition: "gpu", GPUs: 1, CPUs: 8, Memory: 32e9, Time: 90 * time.Second, Warn: 61 * time.Second,
	Extra: []string{"--account=x"},
}

// TestLongArraysAreSplit submits five tasks where an array may have two.
func TestLongArraysAreSplit(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	commands(t, map[string]string{
		"scontrol": "echo 'MaxArraySize            = 2'",
		"sbatch":   `cat >/dev/null; echo "$@" >>` + log + `; wc -l <` + log + ` | tr -d ' '`,
	})
	jobs, err := Submit(t.Context(), array)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1", "2", "3"}, jobs); diff != "" {
		t.Error(diff)
	}
	raw, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	for i, want := range []string{"--array=0-1%2", "--array=0-1%2", "--array=0-0%2"} {
		for _, option := range []string{want, "--partition=gpu", "--gpus-per-task=1", "--cpus-per-task=8", "--mem=31250000K", "--time=2", "--signal=B:USR1@61", "--requeue", "--account=x"} {
			if !strings.Contains(lines[i], option) {
				t.Errorf("array %d lacks %s: %s", i, option, lines[i])
			}
		}
	}
}

func TestSubmitKeepsWhatWasSubmitted(t *testing.T) {
	commands(t, map[string]string{
		"scontrol": "echo 'MaxArraySize = 2'",
		"sbatch":   `cat >/dev/null; case "$*" in *0-0*) echo "QOSMaxSubmitJobPerUserLimit" >&2; exit 1;; esac; echo "17;cluster"`,
	})
	a := array
	a.Workers = 3
	jobs, err := Submit(t.Context(), a)
	if err == nil || !strings.Contains(err.Error(), "QOSMaxSubmitJobPerUserLimit") {
		t.Errorf("error %v, want what sbatch said", err)
	}
	if diff := cmp.Diff([]string{"17"}, jobs); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutSlurm(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Submit(t.Context(), array)
	if err == nil || !strings.Contains(err.Error(), "submit from a machine of the cluster") {
		t.Errorf("error %v", err)
	}
}

func TestQueue(t *testing.T) {
	commands(t, map[string]string{"squeue": `printf '7_0|RUNNING|n1\n7_1|PENDING|(launch failed requeued held)\n7_2|PENDING|(Resources)\n'`})
	tasks, err := Queue(t.Context(), []string{"7"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Task{{"7_0", "RUNNING", "n1"}, {"7_1", "PENDING", "(launch failed requeued held)"}, {"7_2", "PENDING", "(Resources)"}}
	if diff := cmp.Diff(want, tasks); diff != "" {
		t.Error(diff)
	}
	for i, held := range []bool{false, true, false} {
		if tasks[i].Held() != held {
			t.Errorf("task %s is held: %v", tasks[i].Job, !held)
		}
	}
}

func TestForgottenJobsAreNoError(t *testing.T) {
	commands(t, map[string]string{"squeue": "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"})
	if tasks, err := Queue(t.Context(), []string{"7"}); err != nil || len(tasks) != 0 {
		t.Errorf("%v, %v", tasks, err)
	}
}

// TestScript runs the batch script with a command that leaves a word: its exit
// code goes through, but for the one that asks for a requeue; the warning signal
// reaches the command; a quoted word stays one.
func TestScript(t *testing.T) {
	dir := t.TempDir()
	commands(t, map[string]string{"scontrol": `echo "$@" >` + dir + `/requeued`})
	t.Setenv("SLURM_ARRAY_JOB_ID", "17")
	t.Setenv("SLURM_ARRAY_TASK_ID", "3")
	bash := func(command ...string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		_, err := run(ctx, Array{Command: command}.Script(), "bash")
		return err
	}
	if err := bash("sh", "-c", "test \"$0\" = \"it's one\"", "it's one"); err != nil {
		t.Error(err)
	}
	if err := bash("sh", "-c", "exit 9"); err == nil || !strings.Contains(err.Error(), "exit status 9") {
		t.Errorf("exit 9 came out as %v", err)
	}
	// A signal at the command's first and last moment, many times.
	ended := make(chan error)
	for range 40 {
		go func() { ended <- bash("bash", "-c", "trap '' USR1; kill -USR1 $PPID; exit 9") }()
	}
	for range 40 {
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "exit status 9") {
			t.Errorf("exit 9 with a warning came out as %v", err)
		}
	}
	warned := "trap 'exit 75' USR1; kill -USR1 $PPID; while kill -0 $PPID; do sleep 0.05; done; exit 1"
	if err := bash("bash", "-c", warned); err != nil {
		t.Error(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "requeued"))
	if err != nil || strings.TrimSpace(string(raw)) != "requeue 17_3" {
		t.Errorf("requeued %q, %v", raw, err)
	}
}
