//go:build emu

package bench

import (
	"errors"
	"testing"
	"time"

	"flowbench/kernels/cuda/emulator"
)

// Every case must train, on whatever stands in for a device.
func TestGPUCasesTrain(t *testing.T) {
	device := emulator.New()
	g := &GPU{Driver: device, Matrix: MakeMatrix(100, 1), Cases: GPUCases([]int{16}, []int{2}), Rounds: 1, During: time.Nanosecond}
	told := 0
	g.Done = func(GPUResult) error { told++; return nil }
	results, err := g.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if told != len(results) {
		t.Errorf("told of %d results of %d", told, len(results))
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
	for _, r := range results[1:] {
		// By hand: weights and biases, values of a row, and the products of a sample.
		parameters, cells, flops := 78*128+128+128*64+64+64*32+32+32+1, 79, 2*(3*(128*64+64*32+32)+2*78*128)
		if r.Work == "autoencoder" {
			parameters, cells, flops = 2*(78*64+64*32+32*16)+64+32+16+32+64+78, 78, 6*2*(78*64+64*32+32*16)-2*78*64
		}
		words := map[string]int{"fleet": 4, "layers": 6}[r.Plan]
		if want := float64(r.Trials * 16 * flops); r.StepFlops != want {
			t.Errorf("%+v: want %v operations a step", r, want)
		}
		if want := float64(4 * r.Trials * (16*cells + words*parameters)); r.StepBytes != want {
			t.Errorf("%+v: want %v bytes a step", r, want)
		}
	}
	if err := device.Close(); err != nil {
		t.Error(err)
	}
}

// What was measured before a case fails is not lost.
func TestGPUCasesBeforeAFailure(t *testing.T) {
	device := emulator.New()
	defer device.Close()
	full := errors.New("full")
	g := &GPU{Driver: device, Matrix: MakeMatrix(100, 1), Cases: GPUCases([]int{16}, nil), Rounds: 2, During: time.Nanosecond}
	g.Done = func(r GPUResult) error {
		if r.Plan == "fleet" {
			return full
		}
		return nil
	}
	results, err := g.Run(t.Context())
	if !errors.Is(err, full) || len(results) != 3 {
		t.Errorf("%d results, %v; want the order, layers and a fleet", len(results), err)
	}
}
