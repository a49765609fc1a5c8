package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowbench/kernels"
)

// killVariable names, in the environment of this test's own binary, the trial
// that it is to train, and where: "KIND,FOLDER".
const killVariable = "FLOWBENCH_TRAIN_KILLED"

// killsVariable is how many kills each kind of trial survives at the least; 7
// without it, a tenth of 200 over three kinds.
const killsVariable = "FLOWBENCH_TRAIN_KILLS"

// TestMain trains a trial where the environment says so.
func TestMain(m *testing.M) {
	kind, dir, killed := strings.Cut(os.Getenv(killVariable), ",")
	if !killed {
		os.Exit(m.Run())
	}
	if _, err := longTrial(kind, dir).Run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// longTrial is one that takes long enough to be killed in its midst, and
// checkpoints whenever it can.
func longTrial(kind, dir string) *Trial {
	c := Defaults(kind)
	switch kind {
	case "gmm":
		c.Model.Components, c.Model.Tolerance, c.Model.Iterations, c.Model.Restarts = 6, 0, 30, 2
	default:
		c.Train.Batch, c.Train.Epochs, c.Train.CheckpointEpochs = 64, 12, 3
		c.Model.Dropout, c.Model.Ensemble = 0.1, 2
	}
	c.Train.CheckpointMinutes = 5e-4 // 30 ms
	return &Trial{Config: c, Data: manyFlows(), Seed: 5, Backend: newTestBackend(), Dir: dir, Fingerprint: "killed"}
}

// manyFlows is flows with more of everything.
func manyFlows() *Data {
	d := flows()
	few := d.Rows
	d.Rows, d.Cols = 9000, 20
	d.X, d.Class, d.Label, d.Train, d.Validation, d.Test, d.Columns = nil, nil, nil, nil, nil, nil, nil
	for j := range d.Cols {
		d.Columns = append(d.Columns, "c"+strconv.Itoa(j))
	}
	for i := range int32(d.Rows) {
		class := int32(0)
		if i%20 == 0 {
			class = 1
		}
		for j := range uint64(d.Cols) {
			d.X = append(d.X, kernels.Normal(uint64(few), 1, uint32(i), j)+2*float32(class)*float32(j%3))
		}
		d.Class, d.Label = append(d.Class, class), append(d.Label, class)
		part := &d.Train
		switch i / 20 % 5 {
		case 3:
			part = &d.Validation
		case 4:
			part = &d.Test
		}
		*part = append(*part, i)
	}
	return d
}

// TestKilledTrialsEndInTheSameBytes kills trials by SIGKILL at random moments,
// starts them again, and compares all that they leave with an undisturbed one.
func TestKilledTrialsEndInTheSameBytes(t *testing.T) {
	least := 7
	if n, err := strconv.Atoi(os.Getenv(killsVariable)); err == nil {
		least = n
	}
	for _, kind := range []string{"dnn", "autoencoder", "gmm"} {
		whole := longTrial(kind, t.TempDir())
		begun := time.Now()
		run(t, whole)
		took := time.Since(begun)
		kills, rounds := 0, 0
		random := rand.New(rand.NewPCG(7, uint64(len(kind))))
		for life := took; kills < least && rounds < 20*least; rounds++ {
			broken := longTrial(kind, t.TempDir())
			before, idle := kills, 0
			for saved := ""; killed(t, kind, broken.Dir, min(100*time.Millisecond, life/10)+time.Duration(random.Int64N(int64(life)/3+1))); {
				if kills++; kills > 100*least {
					t.Fatalf("%s: makes no progress between %d kills", kind, kills)
				}
				// A process is to live long enough for some progress, and too short for
				// all, whatever else the machine does meanwhile.
				idle++
				if now := checkpoints(t, broken.Dir); now != saved {
					saved, idle = now, 0
				}
				if idle == 10 {
					life, idle = 2*life, 0
				}
			}
			if kills == before {
				life /= 2
			}
			wantSameBytes(t, fmt.Sprintf("%s, killed %d times", kind, kills), whole, broken)
		}
		if kills < least {
			t.Errorf("%s: %d kills in %d trials, want %d", kind, kills, rounds, least)
		}
		t.Logf("%s: %d kills, %d trials, %v undisturbed", kind, kills, rounds, took.Round(time.Millisecond))
	}
}

// checkpoints tells apart what checkpoints a trial has left.
func checkpoints(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "checkpoint-*"))
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		said += fmt.Sprintln(info.Name(), info.Size(), info.ModTime())
	}
	return said
}

// killed trains the trial in a process that is killed after a while, and says
// whether it was, rather than ended.
func killed(t *testing.T, kind, dir string, after time.Duration) bool {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), killVariable+"="+kind+","+dir), &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err == nil {
		return false
	}
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%s: %v: %s", kind, err, &said)
	}
	return true
}
