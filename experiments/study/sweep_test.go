package study

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flowbench/experiments/spec"
	"flowbench/experiments/store"
)

// tiny is a study whose trials take no time: one small network beside the baselines.
const tiny = `
name: tiny
data:
  source: synth://infiltration?seed=7&rows=400
  positive: [Infiltration]
  split: {by: random, train: 0.5, validation: 0.2, test: 0.3, seed: 1}
model: {kind: dnn, hidden: [4]}
train: {batch: 64, epochs: 1}
sweep: {method: grid, replicates: 2, parameters: {loss.class_weight: {values: [none, balanced]}}}
`

func parse(t *testing.T, text string, set ...string) *spec.Spec {
	t.Helper()
	s, err := spec.Parse(filepath.Join(t.TempDir(), "spec.yaml"), []byte(text), set...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tinySweep is a sweep of tiny in dir.
func tinySweep(t *testing.T, dir string, workers int, set ...string) (*Sweep, *output) {
	t.Helper()
	said := &output{}
	sweep, err := newSweep(t.Context(), parse(t, tiny, set...), dir, workers, said)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sweep.Study.Close() })
	return sweep, said
}

func TestWorkersThatDieInARowEndTheSweep(t *testing.T) {
	for _, fault := range []string{"at once", "in hand"} {
		dir := filepath.Join(t.TempDir(), "study")
		sweep, said := tinySweep(t, dir, 1)
		t.Setenv(faultVariable, fault)
		_, err := sweep.Run(t.Context())
		if err == nil {
			t.Fatalf("%s: the sweep ended well", fault)
		}
		for _, part := range []string{"5 workers died in a row", fmt.Sprintf("exit status %d", deathCode), "log.txt", dir} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q lacks %q", fault, err, part)
			}
		}
		if n := strings.Count(said.String(), "its trial goes back to the plan"); n != maxDeaths-1 {
			t.Errorf("%s: %d workers were replaced, want %d:\n%s", fault, n, maxDeaths-1, said)
		}
		wantNothingRuns(t, dir)

		t.Setenv(faultVariable, "")
		if _, err := sweep.Run(t.Context()); err != nil {
			t.Errorf("%s: once workers live: %v", fault, err)
		}
		wantEachTrialOnce(t, dir, 0)
	}
}

// TestDeathsBetweenEndsAreForgiven has every worker die after its first trial.
func TestDeathsBetweenEndsAreForgiven(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "study")
	sweep, said := tinySweep(t, dir, 2)
	t.Setenv(faultVariable, "after every trial")
	if _, err := sweep.Run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if n, all := strings.Count(said.String(), "died"), len(sweep.Study.Plan.Trials); n != all || n <= maxDeaths {
		t.Errorf("%d workers died, want %d, and more than %d:\n%s", n, all, maxDeaths, said)
	}
	wantEachTrialOnce(t, dir, 0)
}

func TestWhatTheMachineRefusesEndsTheSweepAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "study")
	sweep, said := tinySweep(t, dir, 1)
	t.Setenv(faultVariable, "machine")
	_, err := sweep.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "could not go on") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(said.String(), "died") {
		t.Errorf("another worker was tried:\n%s", said)
	}
	wantNothingRuns(t, dir)
}

// A device that fails again and again is left out; the other workers go on, and
// the last device takes the sweep with it.
func TestDeviceThatKeepsFailingIsLeftOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "study")
	sweep, said := tinySweep(t, dir, 2)
	leftOut := filepath.Join(t.TempDir(), "left-out")
	sweep.Pin = func(slot int) []string {
		if slot == 0 {
			return []string{faultVariable + "=device"}
		}
		return []string{holdVariable + "=" + leftOut} // so that there is work left for the third failure
	}
	go func() {
		for end := time.Now().Add(5 * time.Minute); !strings.Contains(said.String(), "left out") && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
		if err := os.WriteFile(leftOut, nil, 0o644); err != nil {
			t.Error(err)
		}
	}()
	if _, err := sweep.Run(t.Context()); err != nil {
		t.Errorf("with a sound device left: %v\n%s", err, said)
	}
	if !strings.Contains(said.String(), "the device of worker 0 failed 3 times in a row and is left out") {
		t.Errorf("nothing is said of the device:\n%s", said)
	}
	wantEachTrialOnce(t, dir, 0)

	dir = filepath.Join(t.TempDir(), "study")
	sweep, _ = tinySweep(t, dir, 1)
	t.Setenv(faultVariable, "device")
	if _, err := sweep.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "left out") {
		t.Errorf("without any: %v", err)
	}
	wantNothingRuns(t, dir)
}

func TestProgramThatIsNotThereEndsTheSweep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "study")
	sweep, _ := tinySweep(t, dir, 1)
	sweep.Command[0] = filepath.Join(dir, "nowhere")
	if _, err := sweep.Run(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestFinishedSweepRunsNoWorker runs a sweep again whose trials have all ended.
func TestFinishedSweepRunsNoWorker(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "study")
	sweep, _ := tinySweep(t, dir, 2)
	if _, err := sweep.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := kept(t, dir)
	for _, name := range []string{comparisonName, rowsName} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	sweep.Command = []string{filepath.Join(dir, "nowhere")}
	if _, err := sweep.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantSame(t, "run again", kept(t, dir), before)
}

// TestWatchSeesEveryTrialEnd counts what a sweep shows of itself.
func TestWatchSeesEveryTrialEnd(t *testing.T) {
	sweep, _ := tinySweep(t, filepath.Join(t.TempDir(), "study"), 1)
	var last Progress
	sweep.Watch = func(p Progress) { last = p } // one call at a time, all before Run returns
	if _, err := sweep.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all := len(sweep.Study.Plan.Trials); len(last.Trials) != all || last.Ended() != all {
		t.Errorf("the last look saw %d of %d trials ended, want all of %d", last.Ended(), len(last.Trials), all)
	}
}

// TestOrphans claims trials for workers of every kind and sees whose go back.
func TestOrphans(t *testing.T) {
	st := planned(t)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	living := idle(t)
	cases := []struct {
		name, worker string
		want         store.State
	}{
		{"a dead sweep", fmt.Sprintf("%s/%d/0.0", host, dead(t)), store.Planned},
		{"a living process", fmt.Sprintf("%s/%d/0.0", host, living), store.Running},
		{"an earlier run in this process", WorkerName(0, 7), store.Planned},
		{"another machine", fmt.Sprintf("not-%s/%d/0.0", host, dead(t)), store.Running},
		{"a name given by hand", "night-shift", store.Running},
		{"a number that is none", host + "/x/0.0", store.Running},
	}
	for _, c := range cases {
		if claim, err := st.Store.Claim(t.Context(), c.worker, leaseTime, time.Now()); err != nil || claim == nil {
			t.Fatalf("%s: %v, %v", c.name, claim, err)
		}
	}
	if err := st.requeueOrphans(t.Context()); err != nil {
		t.Fatal(err)
	}
	trials, err := st.Store.Trials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		if trials[i].State != c.want {
			t.Errorf("the trial of %s is %s, want %s", c.name, trials[i].State, c.want)
		}
	}
}

// planned is a study of tiny without its flows.
func planned(t *testing.T, set ...string) *Study {
	t.Helper()
	s := parse(t, tiny, set...)
	plan, err := NewPlan(s)
	if err != nil {
		t.Fatal(err)
	}
	st, err := Create(filepath.Join(t.TempDir(), "study"), s, plan, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// start starts a process that ends with its standard input, which end closes.
func start(t *testing.T) (cmd *exec.Cmd, end func()) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(program, "idle-process")
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	return cmd, func() { in.Close() }
}

// idle is the number of a living process.
func idle(t *testing.T) int {
	cmd, _ := start(t)
	return cmd.Process.Pid
}

// dead is the number of a process that is no more.
func dead(t *testing.T) int {
	cmd, end := start(t)
	end()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}
