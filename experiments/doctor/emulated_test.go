//go:build emu

package doctor

import (
	"strings"
	"testing"

	"flowbench/kernels/cuda"
	"flowbench/kernels/cuda/emulator"
)

// A device that is right passes: layer by layer, and as a fleet, with every kernel.
func TestEmulatedDevicePasses(t *testing.T) {
	device := emulator.New()
	c := GPU(t.Context(), device.Device(), func() (cuda.Driver, error) { return device, nil })
	if c.State != OK {
		t.Errorf("%+v", c)
	}
}

// liar is a device that never runs one kernel.
type liar struct {
	cuda.Driver
	kernel string
}

func (d liar) Launch(l cuda.Launch) error {
	if l.Kernel == d.kernel {
		return nil
	}
	return d.Driver.Launch(l)
}

func (d liar) Record(launches []cuda.Launch) (cuda.Graph, error) {
	var kept []cuda.Launch
	for _, l := range launches {
		if l.Kernel != d.kernel {
			kept = append(kept, l)
		}
	}
	return d.Driver.Record(kept)
}

// A device on which one kernel does nothing fails, whichever family it is of.
func TestEmulatedDeviceWithoutAKernelFails(t *testing.T) {
	for _, kernel := range []string{"layer_norm_grad", "fleet_score"} {
		device := emulator.New()
		c := GPU(t.Context(), device.Device(), func() (cuda.Driver, error) { return liar{device, kernel}, nil })
		if c.State != Failed {
			t.Errorf("without %s: %+v", kernel, c)
		}
	}
}

func TestKernelsThatWereNeverLaunchedAreNamed(t *testing.T) {
	launches := map[string]int{}
	for _, k := range cuda.Kernels() {
		launches[k] = 1
	}
	if err := allLaunched(cuda.Record{Launches: launches}); err != nil || len(launches) < 15 {
		t.Errorf("%d kernels: %v", len(launches), err)
	}
	delete(launches, "clip_scale")
	if err := allLaunched(cuda.Record{Launches: launches}); err == nil || !strings.Contains(err.Error(), "not launched clip_scale") {
		t.Errorf("got %v", err)
	}
}
