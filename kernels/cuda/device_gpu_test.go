//go:build gpu && !emu

package cuda_test

import (
	"testing"

	"flowbench/kernels/cuda"
	"flowbench/kernels/cuda/nvidia"
)

// Steps that are compared with the CPU's, and trials that run beside the one whose
// bits are compared: with it, one on each multiprocessor of an H100 or H200.
const (
	paritySteps = 200
	neighbours  = 131
)

func newDevice(t *testing.T) cuda.Driver {
	t.Helper()
	device, err := nvidia.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	return device
}

// onDevice runs test on the first GPU.
func onDevice(t *testing.T, test func(*testing.T, *cuda.Backend)) {
	device := newDevice(t)
	test(t, cuda.New(device))
	if err := device.Close(); err != nil {
		t.Error(err)
	}
}
