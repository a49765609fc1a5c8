//go:build emu

package cuda_test

import (
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cuda"
	"flowbench/kernels/cuda/emulator"
	"flowbench/kernels/kernelstest"
)

// Also where a block takes few rows, and where gradients have no room beside the weights.
func TestSpreadEqualsFleetOnAnyDevice(t *testing.T) {
	for _, c := range []struct{ processors, shared int }{{132, 227 << 10}, {20, 130 << 10}, {132, 99 << 10}} {
		device := emulator.New()
		device.Shared, device.Processors = c.shared, c.processors
		spreadEqualsFleet(t, cuda.New(device), kernelstest.DNN(spreadBatch))
		if err := device.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Trials are spread where they are too few for the device, and only there; where
// memory has no room for that they train all the same.
func TestFewTrialsAreSpread(t *testing.T) {
	p, d := kernelstest.DNN(spreadBatch), flows(78) // four tiles
	for _, c := range []struct {
		name               string
		processors, trials int
		short, spread      bool
	}{
		{"one trial on a large device", 132, 1, false, true},
		{"on a device of one multiprocessor", 1, 1, false, false},
		{"as many trials as fill the device", 5, 4, false, false},
		{"two on a device of eight", 8, 2, false, true},
		{"no memory for it", 132, 1, true, false},
	} {
		device := emulator.New()
		device.Processors = c.processors
		b := cuda.New(device)
		machines, batches := make([]kernels.Machine, c.trials), make([][]kernels.Batch, c.trials)
		for i := range machines {
			machines[i], batches[i] = trained(t, b, p, d, uint64(i)), spreadSteps(1, uint64(i), 1e-3)
		}
		if c.short {
			free, _ := device.Memory()
			device.Capacity -= free - 64<<10 // the gradients of four tiles take 330 KB
		}
		spreadTrain(t, b, cuda.SpreadFew, machines, batches)
		if launches := b.Record().Launches; (launches["spread_rows"] > 0) != c.spread || (launches["fleet"] > 0) == c.spread {
			t.Errorf("%s: launched %v", c.name, launches)
		}
		closeAll(t, machines...)
		if err := device.Close(); err != nil {
			t.Error(err)
		}
	}
}
