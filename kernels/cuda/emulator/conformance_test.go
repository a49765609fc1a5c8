//go:build emu

package emulator_test

import (
	"testing"

	"flowbench/kernels/cuda"
	"flowbench/kernels/cuda/emulator"
	"flowbench/kernels/kernelstest"
)

func TestConformance(t *testing.T) {
	for name, backwards := range map[string]bool{"forwards": false, "backwards": true} {
		t.Run(name, func(t *testing.T) {
			device := emulator.New()
			device.Backwards = backwards
			kernelstest.Run(t, cuda.New(device))
			if err := device.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
