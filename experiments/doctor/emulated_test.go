//go:build emu

package doctor

import (
	"testing"

	"flowbench/kernels/cuda"
	"flowbench/kernels/cuda/emulator"
)

// A device that is right passes: layer by layer, and as a fleet.
func TestEmulatedDevicePasses(t *testing.T) {
	device := emulator.New()
	c := GPU(t.Context(), device.Device(), func() (cuda.Driver, error) { return device, nil })
	if c.State != OK {
		t.Errorf("%+v", c)
	}
}
