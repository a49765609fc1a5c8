//go:build gpu && !emu

package cuda_test

import (
	"testing"

	"flowbench/kernels/cuda"
	"flowbench/kernels/cuda/nvidia"
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
