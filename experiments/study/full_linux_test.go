package study

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"flowbench/experiments/spec"
)

// disk mounts a small disk of its own for the test.
func disk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		if os.Getenv("REQUIRE_TMPFS") != "" {
			t.Fatalf("no disk to fill: mounting a tmpfs: %v; TestFilesThatMayNotGrow stands in", err)
		}
		t.Skipf("no disk to fill: mounting a tmpfs: %v; TestFilesThatMayNotGrow stands in", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// wantOneMessage makes sure that a sweep failed and said why where its last line
// ends, with every part.
func wantOneMessage(t *testing.T, p *process, parts ...string) {
	t.Helper()
	if code := p.wait(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, part := range parts {
		if !strings.Contains(p.said.String(), part) {
			t.Errorf("what it said lacks %q", part)
		}
	}
	if strings.Contains(p.said.String(), "goroutine") {
		t.Error("it crashed")
	}
	if t.Failed() {
		t.Fatalf("it said:\n%s", p.said)
	}
}

// TestDiskFullOfFlows has no room for the prepared flows, then gets it.
func TestDiskFullOfFlows(t *testing.T) {
	root, path := disk(t, "size=256k"), oneReplicate(t)
	dir := filepath.Join(root, "study")
	wantOneMessage(t, startSweep(t, path, dir, 2, nil), "no space left on device", dir, "free some space")
	left, err := filepath.Glob(filepath.Join(dir, "*data*"))
	hidden, hiddenErr := filepath.Glob(filepath.Join(dir, ".*"))
	if errors.Join(err, hiddenErr) != nil || len(left)+len(hidden) > 0 {
		t.Errorf("half-written: %v %v", left, hidden)
	}
	if err := unix.Mount("tmpfs", root, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	runSweep(t, path, dir, 2, nil)
	wantEachTrialOnce(t, dir, 0)
}

// TestDiskFullOfTrials fills the disk in the midst of training: the sweep says so
// and waits, goes on when there is room again, and has lost nothing.
func TestDiskFullOfTrials(t *testing.T) {
	want := calm(t)
	root := disk(t, "size=8m")
	dir := filepath.Join(root, "study")
	p := startSweep(t, killSpec, dir, 2, nil, resting)
	p.atWork(dir, 0)
	ballast := filepath.Join(root, "ballast")
	fill(t, ballast)
	p.waitUntilSaid("waits for room")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.said)
	}
	if !strings.Contains(p.said.String(), "goes on") {
		t.Errorf("it does not say that it goes on:\n%s", p.said)
	}
	wantSame(t, "after the disk was full", kept(t, dir), want)
	wantEachTrialOnce(t, dir, 0)
}

// TestRoomMadeAtOnce: room that somebody makes as soon as a worker says that it
// has none ends the wait.
func TestRoomMadeAtOnce(t *testing.T) {
	dir := disk(t, "size=4m")
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	var said []string
	w := &Worker{Study: &Study{Dir: dir, Spec: &spec.Spec{}}, halt: newHalt(), Say: func(line string) {
		if said = append(said, line); len(said) == 1 {
			if err := os.Remove(ballast); err != nil {
				t.Error(err)
			}
		}
	}}
	if err := w.untilRoom(t.Context(), unix.ENOSPC); err != nil {
		t.Fatal(err)
	}
	if len(said) != 2 || !strings.Contains(said[1], "goes on") {
		t.Errorf("it said %q, not that it goes on", said)
	}
}

// waitUntilSaid waits for words of a sweep that goes on.
func (p *process) waitUntilSaid(words string) {
	p.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(p.said.String(), words); time.Sleep(10 * time.Millisecond) {
		select {
		case <-p.end:
			p.t.Fatalf("it ended before it said %q:\n%s", words, p.said)
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("it never said %q:\n%s", words, p.said)
		}
	}
}

// fill writes to path until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 16, 1 << 10, 1} {
		for block := make([]byte, size); err == nil; {
			_, err = f.Write(block)
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
}

// wide is a study whose checkpoints are larger than its flows and its store.
const wide = `
name: wide
data:
  source: synth://infiltration?seed=7&rows=400
  positive: [Infiltration]
  split: {by: random, train: 0.5, validation: 0.2, test: 0.3, seed: 1}
model: {kind: dnn, hidden: [256, 128]}
train: {batch: 64, epochs: 1}
sweep: {method: grid, parameters: {loss.class_weight: {values: [none, balanced]}}}
`

// TestFilesThatMayNotGrow gives a sweep limits that its flows, then its
// checkpoints do not fit in, then none.
func TestFilesThatMayNotGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spec.yaml")
	if err := os.WriteFile(path, []byte(wide), 0o644); err != nil {
		t.Fatal(err)
	}
	calm := filepath.Join(t.TempDir(), "calm")
	runSweep(t, path, calm, 1, nil)

	dir := filepath.Join(t.TempDir(), "study")
	wantOneMessage(t, startSweep(t, path, dir, 1, nil, limitVariable+"=100000"), "file too large", dir)
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("half-written: %v %v", left, err)
	}
	wantOneMessage(t, startSweep(t, path, dir, 1, nil, limitVariable+"=500000"),
		"file too large", "checkpoint-member0", "raise the limit of file sizes (ulimit -f), then run the same command again", "could not go on")
	wantNothingRuns(t, dir)
	runSweep(t, path, dir, 1, nil)
	wantSame(t, "without a limit", kept(t, dir), kept(t, calm))
	wantEachTrialOnce(t, dir, 1)
}
