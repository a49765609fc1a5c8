//go:build emu

package bench

import (
	"testing"
	"time"

	"flowbench/kernels/cuda/emulator"
)

// Every case must train, on whatever stands in for a device.
func TestGPUCasesTrain(t *testing.T) {
	device := emulator.New()
	g := &GPU{Driver: device, Matrix: MakeMatrix(100, 1), Cases: GPUCases([]int{16}, []int{2}), Rounds: 1, During: time.Nanosecond}
	results, err := g.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 1+2*3 {
		t.Errorf("%d results, want one for an order, and one for each of two networks layer by layer, alone and in a fleet of two", len(results))
	}
	if o := results[0]; o.Work != "order" || o.Plan != "order" || o.Batch != 100 || o.Trials != 1 || o.GFlops != 0 {
		t.Errorf("the order of an epoch of 100 rows: %+v", o)
	}
	for _, r := range results {
		if !(r.SamplesPerSecond > 0) || r.Device != "emulated" {
			t.Errorf("%+v", r)
		}
	}
	if err := device.Close(); err != nil {
		t.Error(err)
	}
}
