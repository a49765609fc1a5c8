// Package slurm runs the workers of a study as job arrays of the Slurm workload
// manager (https://slurm.schedmd.com), through its own commands: sbatch, squeue,
// scancel and scontrol.
//
// Slurm's own counters are not trusted with anything: after a controller that
// was killed it runs a task a second time and calls it the first. That each
// trial is counted once comes from the leases of the study's store.
package slurm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// RequeueExit is the exit code of a worker that has left its trials in the plan
// and wants to be started again: EX_TEMPFAIL of sysexits.h.
const RequeueExit = 75

// Array is workers to be submitted: what each of them may use, and what it runs.
type Array struct {
	Name string // of the job
	Logs string // folder of the tasks' output, which must exist
	// Command is the program and arguments that each task runs.
	Command []string

	Workers   int           // tasks
	Throttle  int           // tasks that run at once; 0: all
	Partition string        // empty: the cluster's default
	GPUs      int           // of each task
	CPUs      int           // of each task; 0: the cluster's default
	Memory    int64         // bytes of each task; 0: the cluster's default
	Time      time.Duration // limit of each task; 0: the partition's
	Warn      time.Duration // how long before the limit a task is told to save its work
	Extra     []string      // further options of sbatch
}

// Task is a task of an array as squeue lists it.
type Task struct {
	Job    string // array and task, such as 17_3
	State  string // PENDING, RUNNING, COMPLETING ...
	Reason string // why it waits, or the nodes that it runs on
}

// Held says whether the task waits for a person: Slurm holds what it failed to
// launch, as after a controller that was killed, and scontrol release frees it.
func (t Task) Held() bool { return t.State == "PENDING" && strings.Contains(t.Reason, "held") }

// Submit hands a to sbatch, in several arrays where it has more tasks than the
// cluster allows in one, and returns their numbers. An error after some were
// submitted comes with the numbers of those.
func Submit(ctx context.Context, a Array) ([]string, error) {
	most, err := maxArraySize(ctx)
	if err != nil {
		return nil, err
	}
	script := a.Script()
	var jobs []string
	for left := a.Workers; left > 0; left -= most {
		out, err := run(ctx, script, "sbatch", a.options(min(left, most))...)
		if err != nil {
			return jobs, err
		}
		// --parsable prints the number, and a cluster's name behind a semicolon.
		job, _, _ := strings.Cut(strings.TrimSpace(out), ";")
		if _, err := strconv.Atoi(job); err != nil {
			return jobs, fmt.Errorf("slurm: sbatch answered %q, not the number of a job", strings.TrimSpace(out))
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// options are sbatch's for an array of so many tasks.
func (a Array) options(tasks int) []string {
	array := fmt.Sprintf("--array=0-%d", tasks-1)
	if a.Throttle > 0 {
		array += fmt.Sprintf("%%%d", a.Throttle)
	}
	options := []string{
		"--parsable", "--job-name=" + a.Name, array, "--requeue", "--open-mode=append",
		"--output=" + a.Logs + "/%A_%a.log",
	}
	if a.Partition != "" {
		options = append(options, "--partition="+a.Partition)
	}
	if a.GPUs > 0 {
		options = append(options, fmt.Sprintf("--gpus-per-task=%d", a.GPUs), "--ntasks=1")
	}
	if a.CPUs > 0 {
		options = append(options, fmt.Sprintf("--cpus-per-task=%d", a.CPUs))
	}
	if a.Memory > 0 {
		const kilobyte = 1 << 10
		options = append(options, fmt.Sprintf("--mem=%dK", (a.Memory+kilobyte-1)/kilobyte))
	}
	if a.Time > 0 {
		options = append(options, fmt.Sprintf("--time=%d", minutes(a.Time)))
	}
	if a.Warn > 0 {
		options = append(options, fmt.Sprintf("--signal=B:USR1@%d", int((a.Warn+time.Second-1)/time.Second)))
	}
	return append(options, a.Extra...)
}

// minutes is how sbatch takes a limit: whole minutes, rounded up.
func minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }

// Script is what each task runs: the command, which gets the signals that Slurm
// sends the batch shell, and a requeue of the task where the command asks for it.
func (a Array) Script() string {
	quoted := make([]string, len(a.Command))
	for i, word := range a.Command {
		quoted[i] = quote(word)
	}
	return fmt.Sprintf(script, strings.Join(quoted, " "), RequeueExit)
}

// script has its traps before it has a child, since a signal without one ends
// the batch shell; what comes before there is a child is lost. It looks every
// second for the command's end and asks for its code then: a wait that a signal
// ends in the moment in which the command ends loses the code (seen with bash
// 5.2). Signals are passed on after the sleep in which they come.
const script = `#!/bin/bash
trap '[ -z "$!" ] || kill -USR1 "$!" 2>/dev/null' USR1
trap '[ -z "$!" ] || kill -TERM "$!" 2>/dev/null' TERM INT
%s &
pid=$!
while kill -0 "$pid" 2>/dev/null; do sleep 1; done
wait "$pid"
code=$?
if [ "$code" -eq %d ]; then
	scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}" || exit 1
	exit 0
fi
exit "$code"
`

// quote makes one word of a shell's.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// Queue lists the tasks of these jobs that wait or run, in Slurm's order.
func Queue(ctx context.Context, jobs []string) ([]Task, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	out, err := run(ctx, "", "squeue", "--array", "--noheader", "--format=%i|%T|%R", "--jobs="+strings.Join(jobs, ","))
	if err != nil {
		// Of a number that it has forgotten, squeue says that it is no job.
		if strings.Contains(err.Error(), "Invalid job id") {
			return nil, nil
		}
		return nil, err
	}
	return parseQueue(out)
}

func parseQueue(out string) ([]Task, error) {
	var tasks []Task
	for line := range strings.Lines(out) {
		parts := strings.SplitN(strings.TrimSpace(line), "|", 3)
		if len(parts) != 3 {
			return nil, fmt.Errorf("slurm: squeue printed %q, not a job, its state and its reason", strings.TrimSpace(line))
		}
		tasks = append(tasks, Task{parts[0], parts[1], parts[2]})
	}
	return tasks, nil
}

// Cancel ends these jobs, those that have ended already among them. Their tasks
// get SIGTERM, and after the cluster's KillWait SIGKILL.
func Cancel(ctx context.Context, jobs []string) error {
	if len(jobs) == 0 {
		return nil
	}
	_, err := run(ctx, "", "scancel", append([]string{"--quiet"}, jobs...)...)
	return err
}

var arraySize = regexp.MustCompile(`(?m)^MaxArraySize\s*=\s*(\d+)`)

// maxArraySize is how many tasks one array may have here: Slurm's MaxArraySize is
// one above the greatest index.
func maxArraySize(ctx context.Context) (int, error) {
	out, err := run(ctx, "", "scontrol", "show", "config")
	if err != nil {
		return 0, err
	}
	found := arraySize.FindStringSubmatch(out)
	if found == nil {
		return 0, errors.New("slurm: scontrol show config names no MaxArraySize")
	}
	n, err := strconv.Atoi(found[1])
	if err != nil || n < 1 {
		return 0, fmt.Errorf("slurm: MaxArraySize is %s: job arrays are switched off on this cluster", found[1])
	}
	return n, nil
}

// run calls one of Slurm's commands. Its error holds what the command said.
func run(ctx context.Context, input, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(input)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("slurm: %s is not installed here: submit from a machine of the cluster", name)
	case err != nil:
		return "", fmt.Errorf("slurm: %s: %s (%w)", name, strings.TrimSpace(said.String()), err)
	}
	return string(out), nil
}
