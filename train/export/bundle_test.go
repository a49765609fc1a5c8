package export

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/data/scale"
	"flowbench/data/staging"
	"flowbench/kernels/cpu"
	"flowbench/train"
	"flowbench/train/checkpoint"
	"flowbench/train/checkpoint/disktest"
)

// finished fits a model of one kind to a few flows.
func finished(t testing.TB, kind string) *train.Finished {
	t.Helper()
	const rows, cols = 80, 3
	random := rand.New(rand.NewPCG(1, 2))
	d := &train.Data{
		X: make([]float32, rows*cols), Rows: rows, Cols: cols, Columns: []string{"a", "b", "c"},
		Class: make([]int32, rows), Classes: []string{"BENIGN", "Infiltration"},
		Label: make([]int32, rows), Labels: []string{"BENIGN", "Infiltration"}, Fingerprint: "data",
		Preparation: &train.Preparation{Flows: "flows", LabelClass: []int32{0, 1}, Scaler: &scale.Scaler{
			Columns: []string{"a", "b", "c"}, Func: "identity", Fill: make([]float32, cols), Mean: make([]float32, cols), InvStd: []float32{1, 1, 1},
		}},
	}
	for i := range d.X {
		d.X[i] = float32(random.NormFloat64())
	}
	for i := range int32(rows) {
		if i%8 == 0 {
			d.Class[i], d.Label[i] = 1, 1
			d.X[i*cols] += 3
		}
		part := []*[]int32{&d.Train, &d.Validation, &d.Test}[i/8%3]
		*part = append(*part, i)
	}
	config := train.Defaults(kind)
	trial := train.Trial{Config: config, Data: d, Seed: 1, Backend: cpu.New(), Dir: t.TempDir(), Fingerprint: "trial"}
	if _, err := trial.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	f, err := train.OpenFinished(trial.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// content is all files of a folder, nil where it is not there.
func content(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	files := map[string]string{}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(raw)
	}
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// verified is a proof of nothing, so that the bundle has its file.
func verified(context.Context, string) (*Proof, error) { return &Proof{Runtime: "none"}, nil }

// eachFailure lets every operation of work fail in turn, in every way: what it
// leaves in its folder is whole or nothing, and nothing lies beside it.
func eachFailure(t *testing.T, work func(disk checkpoint.Disk, dir string) error) {
	t.Helper()
	where := t.TempDir()
	count := &disktest.Faulty{Disk: checkpoint.OS{}}
	if err := work(count, filepath.Join(where, "whole")); err != nil {
		t.Fatal(err)
	}
	want := content(t, filepath.Join(where, "whole"))
	if len(want) < 3 || count.Operations() < 5*len(want) {
		t.Fatalf("%d files by %d operations", len(want), count.Operations())
	}
	for _, fault := range disktest.Faults() {
		left := 0
		for k := 1; k <= count.Operations(); k++ {
			above := filepath.Join(t.TempDir(), "new")
			dir := filepath.Join(above, "bundle")
			err := work(&disktest.Faulty{Disk: checkpoint.OS{}, At: k, Fault: fault}, dir)
			if err == nil || !errors.Is(err, disktest.ErrFault) && !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("%v at operation %d: %v", fault, k, err)
			}
			got := content(t, dir)
			if got != nil {
				left++
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%v at operation %d leaves a part (-whole +left):\n%s", fault, k, diff)
				}
				continue
			}
			if entries, err := os.ReadDir(above); err == nil {
				t.Fatalf("%v at operation %d leaves %v", fault, k, entries)
			}
		}
		if left != 1 { // the last operation makes the name durable that is there already
			t.Errorf("%v: %d of %d failures leave the whole folder, want 1", fault, left, count.Operations())
		}
	}
}

func TestExportIsWholeOrNotThere(t *testing.T) {
	f := finished(t, "logistic")
	eachFailure(t, func(disk checkpoint.Disk, dir string) error {
		return Write(t.Context(), dir, f, Options{Verify: verified, Disk: disk})
	})
}

func TestImportIsWholeOrNotThere(t *testing.T) {
	bundle := filepath.Join(t.TempDir(), "bundle")
	if err := Write(t.Context(), bundle, finished(t, "logistic"), Options{}); err != nil {
		t.Fatal(err)
	}
	eachFailure(t, func(disk checkpoint.Disk, dir string) error { return importTo(disk, bundle, dir) })
}

func TestFoldersOfDeadProcessesAreCleared(t *testing.T) {
	f, where := finished(t, "logistic"), t.TempDir()
	names := []string{".export-bundle-999999999-0", ".export-bundle-999999999-1", ".export-other-999999999-0", ".export-bundle-notes", ".import-bundle-999999999-0"}
	for _, name := range names {
		if err := os.Mkdir(filepath.Join(where, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(where, name, onnxFile), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	unlock, err := staging.Lock(filepath.Join(where, names[1]))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := Write(t.Context(), filepath.Join(where, "bundle"), f, Options{}); err != nil {
		t.Fatal(err)
	}
	var left []string
	entries, err := os.ReadDir(where)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, e.Name())
	}
	want := []string{names[1], names[3], names[2], names[4], "bundle"} // held, a user's own, and of other places
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// killedEnv makes a process of this test that exports into the folder it names,
// and waits in the middle to be killed.
const killedEnv = "FLOWBENCH_TEST_EXPORT"

func TestKilledExportIsCleared(t *testing.T) {
	if where := os.Getenv(killedEnv); where != "" {
		wait := func(context.Context, string) (*Proof, error) { time.Sleep(time.Hour); return nil, nil }
		t.Error(Write(t.Context(), filepath.Join(where, "bundle"), finished(t, "logistic"), Options{Verify: wait}))
		return
	}
	where := t.TempDir()
	half := func() []string {
		found, err := filepath.Glob(filepath.Join(where, ".export-*", schemaFile))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	child := exec.Command(os.Args[0], "-test.run=^TestKilledExportIsCleared$")
	child.Env = append(os.Environ(), killedEnv+"="+where, "TMPDIR="+t.TempDir()) // which it cannot clear itself
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // for nothing where it was killed below
		child.Process.Kill()
		child.Wait()
	})
	for deadline := time.Now().Add(5 * time.Minute); len(half()) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the other process writes nothing")
		}
	}
	f := finished(t, "logistic")
	if err := Write(t.Context(), filepath.Join(where, "bundle"), f, Options{}); err != nil {
		t.Error(err)
	}
	if len(half()) != 1 {
		t.Errorf("the folder of a living process: %v", half())
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait() // says that it was killed
	if err := os.RemoveAll(filepath.Join(where, "bundle")); err != nil {
		t.Fatal(err)
	}
	if err := Write(t.Context(), filepath.Join(where, "bundle"), f, Options{}); err != nil || len(half()) != 0 {
		t.Errorf("%v, and of the killed one there is left %v", err, half())
	}
}

// damaged calls try with every file of the bundle spoiled in turn: cut short, and
// with one bit changed in each byte.
func damaged(t *testing.T, bundle string, try func(name, how string)) {
	t.Helper()
	for name, text := range content(t, bundle) {
		path := filepath.Join(bundle, name)
		put := func(raw []byte, how string) {
			if err := os.WriteFile(path, raw, 0o644); err != nil {
				t.Fatal(err)
			}
			try(name, how)
		}
		for _, keep := range []int{0, 1, len(text) / 2, len(text) - 1} {
			put([]byte(text[:keep]), "cut short")
		}
		step := 1
		if name != manifestFile { // all others are found by their SHA-256
			step = max(1, len(text)/20)
		}
		for i := 0; i < len(text); i += step {
			raw := []byte(text)
			raw[i] ^= 1 << (i % 8)
			put(raw, "a bit changed")
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamagedBundlesAreRefusedByName(t *testing.T) {
	bundle := filepath.Join(t.TempDir(), "bundle")
	if err := Write(t.Context(), bundle, finished(t, "logistic"), Options{Verify: verified}); err != nil {
		t.Fatal(err)
	}
	tries := 0
	damaged(t, bundle, func(name, how string) {
		tries++
		dir := filepath.Join(t.TempDir(), "run")
		err := Import(bundle, dir)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s, %s: %v", name, how, err)
		}
		if _, missing := os.Stat(dir); missing == nil {
			t.Errorf("%s, %s: a run was made", name, how)
		}
	})
	if tries < 700 {
		t.Errorf("%d damages were tried", tries)
	}
	if err := Import(bundle, filepath.Join(t.TempDir(), "run")); err != nil {
		t.Errorf("the bundle as it was: %v", err)
	}
}
