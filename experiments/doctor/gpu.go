package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/kernels/cuda"
)

// GPU checks one device: layer by layer, as a fleet, whose trials must not depend on
// each other, and the order of an epoch. Every kernel that there is must have run.
func GPU(ctx context.Context, device cuda.Device, open func() (cuda.Driver, error)) Check {
	c := Check{Name: "cuda/" + device.Name, Device: &device, State: Failed}
	if err := testGPU(ctx, c.Name, open); err != nil {
		c.Detail = err.Error()
		return c
	}
	c.State = OK
	c.Detail = fmt.Sprintf("compute capability %d.%d, %d multiprocessors, %.1f GB, driver %s, %s",
		device.Capability/10, device.Capability%10, device.Processors, float64(device.Memory)/1e9, device.DriverVersion, device.UUID)
	return c
}

func testGPU(ctx context.Context, name string, open func() (cuda.Driver, error)) (err error) {
	want, err := trained(ctx, func() (kernels.Backend, error) { return cpu.Open("plain") })
	if err != nil {
		return err
	}
	driver, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, driver.Close()) }()
	layers, fleet, spread := cuda.New(driver), cuda.NewGroup(driver), cuda.NewGroup(driver)
	fleet.Spread, spread.Spread = cuda.SpreadNever, cuda.SpreadAlways
	for _, plan := range []struct {
		name    string
		backend kernels.Backend
	}{{"layer by layer", layers}, {"as a fleet", fleet}, {"spread over the device", spread}} {
		result := check(ctx, name, want, func() (kernels.Backend, error) { return plan.backend, nil })
		if result.State != OK {
			return fmt.Errorf("%s: %s", plan.name, result.Detail)
		}
		again := check(ctx, name, want, func() (kernels.Backend, error) { return plan.backend, nil })
		if again.Detail != result.Detail {
			return fmt.Errorf("%s: the same steps end differently: %s, then %s", plan.name, result.Detail, again.Detail)
		}
	}
	if err := testOrder(layers); err != nil {
		return err
	}
	return allLaunched(layers.Record(), fleet.Record(), spread.Record())
}

// testOrder holds the order of an epoch against the processor's.
func testOrder(b *cuda.Backend) (err error) {
	o := &kernels.Order{Rows: everyRow(), Batch: batch, Seed: 6, Epoch: 1}
	epoch, err := b.NewEpoch(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, epoch.Close()) }()
	if err := epoch.Draw(1); err != nil {
		return err
	}
	got, err := epoch.Rows()
	if err != nil {
		return err
	}
	want := make([]int32, o.Len())
	o.Fill(want, 0)
	if !slices.Equal(got, want) {
		return errors.New("the order of an epoch is another than the processor's")
	}
	return nil
}

// allLaunched names the kernels that the records lack.
func allLaunched(records ...cuda.Record) error {
	var never []string
	for _, kernel := range cuda.Kernels() {
		if !slices.ContainsFunc(records, func(r cuda.Record) bool { return r.Launches[kernel] > 0 }) {
			never = append(never, kernel)
		}
	}
	if len(never) > 0 {
		return fmt.Errorf("the self-test has not launched %s", strings.Join(never, ", "))
	}
	return nil
}
