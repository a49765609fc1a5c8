//go:build emu || gpu

package cuda_test

import (
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cuda"
	"flowbench/kernels/kernelstest"
)

// A step of a small network takes as long as its launches, each of which waits for
// the one before: a layer is one launch forwards and one backwards, and the loss and
// the update are one each. What begins a sequence is launched once.
func TestLaunchesOfAStep(t *testing.T) {
	for name, c := range map[string]struct {
		program *kernels.Program
		want    int
	}{
		"dnn":         {kernelstest.DNN(48), 4 + 1 + 4 + 1},
		"autoencoder": {kernelstest.Autoencoder(48), 6 + 1 + 6 + 1},
	} {
		device := newDevice(t)
		b := cuda.New(device)
		m, list := trained(t, b, c.program, flows(78), 3), steps(11, 9, 1e-3)
		if err := m.(kernels.Sequencer).TrainAll(list, make([]kernels.StepResult, len(list))); err != nil {
			t.Fatal(err)
		}
		got := 0
		for _, n := range b.Record().Launches {
			got += n
		}
		if want := 1 + len(list)*c.want; got != want {
			t.Errorf("%s: %d steps are %d launches, want %d: %v", name, len(list), got, want, b.Record())
		}
		closeAll(t, m)
		if err := device.Close(); err != nil {
			t.Error(err)
		}
	}
}
