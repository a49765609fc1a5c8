package main

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
)

// TestSIMDIsRecorded trains at a forced level in worker processes, which must be
// told of it, and finds it in the results.
func TestSIMDIsRecorded(t *testing.T) {
	t.Chdir(nowhere(t))
	level := cpu.Levels()[0]
	code, _, log := flowbench(t, "train", "testdata/small.yaml", "--simd", level, "--out", "out", "--set", "train.epochs=1")
	if code != 0 || !strings.Contains(log, "device: cpu/"+level+" (") {
		t.Fatalf("exit code %d:\n%s", code, log)
	}
	raw, err := os.ReadFile("out/trials/0003/result.json")
	if err != nil {
		t.Fatal(err)
	}
	var result struct{ Device string }
	if err := json.Unmarshal(raw, &result); err != nil || result.Device != "cpu/"+level {
		t.Errorf("device %q, want cpu/%s (%v)", result.Device, level, err)
	}
}

// A level that the processor or the build lacks ends a command before any work.
func TestLackingLevel(t *testing.T) {
	lacking := func(string) (kernels.Backend, error) { return nil, errors.New("no such level here") }
	_, err := chooseLevel("avx2", lacking)
	if err == nil || exitCode(err) != exitFailed || !strings.Contains(err.Error(), "--simd avx2: no such level here; use --simd auto") {
		t.Errorf("%v", err)
	}
	for _, level := range simdLevels[1:] {
		if slices.Contains(cpu.Levels(), level) {
			continue
		}
		t.Chdir(nowhere(t))
		code, out, log := flowbench(t, "sweep", "testdata/small.yaml", "--simd", level)
		if code != exitFailed || out != "" || !strings.Contains(log, "no "+level) {
			t.Errorf("%s: exit code %d:\n%s%s", level, code, out, log)
		}
		wantUntouched(t)
	}
}
