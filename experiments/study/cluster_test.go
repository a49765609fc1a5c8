package study

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flowbench/experiments/store"
)

// launcher is one of a study whose flows are never asked for, over a Slurm of
// shell scripts: sbatch takes an array as job 7, and squeue is the given script,
// before which calls holds a line for each time it ran.
func launcher(t *testing.T, squeue string) (c *Cluster, calls string, said *output) {
	t.Helper()
	bin := t.TempDir()
	calls, said = filepath.Join(bin, "calls"), &output{}
	for name, script := range map[string]string{
		"scontrol": "echo 'MaxArraySize = 100'",
		"sbatch":   "cat >/dev/null; echo 7",
		"squeue":   "echo >>" + calls + "\n" + squeue,
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	st := planned(t, "sweep.slurm.workers=1")
	if err := os.Mkdir(filepath.Join(st.Dir, clusterName), 0o755); err != nil {
		t.Fatal(err)
	}
	return &Cluster{Study: st, Say: said, every: 5 * time.Millisecond}, calls, said
}

// TestSlurmThatRestartsIsWaitedFor: a queue that cannot be listed for some looks
// ends no launcher, and nothing is submitted meanwhile.
func TestSlurmThatRestartsIsWaitedFor(t *testing.T) {
	c, calls, said := launcher(t, "exit 1")
	answers := "#!/bin/sh\necho >>" + calls + "\necho '7_0|RUNNING|n1'\n"
	looks := func() int {
		raw, err := os.ReadFile(calls)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return strings.Count(string(raw), "\n")
	}
	answered := false
	c.Watch = func(Progress) {
		switch n := looks(); {
		case n >= 3 && !answered:
			answered = true
			put(t, filepath.Join(filepath.Dir(calls), "squeue"), answers)
		case n >= 6:
			endAll(t, c.Study)
		}
	}
	if err := c.watch(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if n := strings.Count(said.String(), "Slurm does not list the jobs"); n != 1 {
		t.Errorf("it said so %d times:\n%s", n, said)
	}
	if n := strings.Count(said.String(), "submitted"); n != 1 {
		t.Errorf("it submitted %d times:\n%s", n, said)
	}
}

// TestSlurmThatStaysAwayEndsTheLauncher: with what squeue said last.
func TestSlurmThatStaysAwayEndsTheLauncher(t *testing.T) {
	c, calls, said := launcher(t, "echo 'Unable to contact slurm controller' >&2; exit 1")
	c.patience = 50 * time.Millisecond
	err := c.watch(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "Unable to contact slurm controller") || !strings.Contains(err.Error(), "for 50ms") {
		t.Errorf("got %v\n%s", err, said)
	}
	if raw, err := os.ReadFile(calls); err != nil || strings.Count(string(raw), "\n") < 2 {
		t.Errorf("squeue was asked once: %q, %v", raw, err)
	}
}

// put replaces a program that others may be about to run.
func put(t *testing.T, path, script string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// endAll brings every trial to its end.
func endAll(t *testing.T, st *Study) {
	t.Helper()
	for {
		claim, err := st.Store.Claim(context.Background(), "w", leaseTime, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if claim == nil {
			return
		}
		if err := st.Store.Finish(context.Background(), claim, store.End{State: store.Done}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
}
