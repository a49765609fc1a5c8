//go:build emu || gpu

package cuda_test

import (
	"errors"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cuda"
	"flowbench/kernels/kernelstest"
)

func TestConformance(t *testing.T) {
	onDevice(t, func(t *testing.T, b *cuda.Backend) { kernelstest.Run(t, b) })
}

// A fleet of one must do what a machine does.
func TestFleetConformance(t *testing.T) {
	onDevice(t, func(t *testing.T, b *cuda.Backend) {
		fleets := &fleetBackend{Backend: b}
		kernelstest.Run(t, fleets)
		if fleets.trained < 100 {
			t.Errorf("%d programs of the suite were trained by a fleet", fleets.trained)
		}
	})
}

// fleetBackend trains what a fleet can train in fleets of one, and the rest layer by layer.
type fleetBackend struct {
	*cuda.Backend
	trained int
}

func (b *fleetBackend) Compile(p *kernels.Program) (kernels.Machine, error) {
	m, err := b.Backend.Compile(p)
	if err != nil {
		return nil, err
	}
	f, err := b.NewFleet([]kernels.Machine{m})
	if errors.Is(err, cuda.ErrNotForFleet) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	f.Keep()
	b.trained++
	return &fleetMachine{m, f}, nil
}

type fleetMachine struct {
	kernels.Machine
	fleet *cuda.Fleet
}

func (m *fleetMachine) Train(b kernels.Batch) (kernels.StepResult, error) {
	results := []kernels.StepResult{{NonFinite: kernels.None}}
	err := m.TrainAll([]kernels.Batch{b}, results)
	return results[0], err
}

// TrainAll takes all steps in one launch.
func (m *fleetMachine) TrainAll(batches []kernels.Batch, results []kernels.StepResult) error {
	all, err := m.fleet.Train([][]kernels.Batch{batches})
	if err == nil {
		copy(results, all[0])
	}
	return err
}

func (m *fleetMachine) Predict(rows []int32, dst []float32) error {
	return m.fleet.Predict([][]int32{rows}, [][]float32{dst})
}

func (m *fleetMachine) Close() error {
	return errors.Join(m.fleet.Close(), m.Machine.Close())
}
