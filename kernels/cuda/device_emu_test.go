//go:build emu

package cuda_test

import (
	"testing"

	"flowbench/kernels/cuda"
	"flowbench/kernels/cuda/emulator"
)

// What is affordable on a processor: steps that are compared with the CPU's, and
// trials that run beside the one whose bits are compared.
const (
	paritySteps = 20
	neighbours  = 3
)

func newDevice(*testing.T) cuda.Driver { return emulator.New() }

// onDevice runs test on an emulated device, first block first and last block
// first: a kernel whose threads race gives different results. It has so many
// multiprocessors that a trial alone is spread over it, and neighbours are not.
func onDevice(t *testing.T, test func(*testing.T, *cuda.Backend)) {
	for name, backwards := range map[string]bool{"forwards": false, "backwards": true} {
		t.Run(name, func(t *testing.T) {
			device := emulator.New()
			device.Backwards, device.Processors = backwards, 8
			test(t, cuda.New(device))
			if err := device.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
