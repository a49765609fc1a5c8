package doctor

import (
	"errors"
	"math"
	"strings"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/kernels/cuda"
)

func TestCPULevelsPass(t *testing.T) {
	checks, err := CPU(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(checks) != len(cpu.Levels()) {
		t.Errorf("%d checks of %d levels", len(checks), len(cpu.Levels()))
	}
	for _, c := range checks {
		if c.State != OK {
			t.Errorf("%+v", c)
		}
	}
}

// wrong is a backend whose machines learn at another rate than they are told.
type wrong struct{ kernels.Backend }

func (w wrong) Compile(p *kernels.Program) (kernels.Machine, error) {
	m, err := w.Backend.Compile(p)
	return wrongMachine{m}, err
}

type wrongMachine struct{ kernels.Machine }

func (m wrongMachine) Train(b kernels.Batch) (kernels.StepResult, error) {
	b.LearningRate *= 1.01
	return m.Machine.Train(b)
}

func TestWrongBackendFails(t *testing.T) {
	plain := func() (kernels.Backend, error) { return cpu.Open("plain") }
	want, err := trained(t.Context(), plain)
	if err != nil {
		t.Fatal(err)
	}
	c := check(t.Context(), "wrong", want, func() (kernels.Backend, error) { return wrong{cpu.New()}, nil })
	if c.State != Failed || !strings.Contains(c.Detail, "of plain Go") {
		t.Errorf("%+v", c)
	}
}

// silent is a backend that scores nothing of an autoencoder's first flow.
type silent struct{ kernels.Backend }

func (s silent) Compile(p *kernels.Program) (kernels.Machine, error) {
	m, err := s.Backend.Compile(p)
	return silentMachine{m, p}, err
}

type silentMachine struct {
	kernels.Machine
	program *kernels.Program
}

func (m silentMachine) Predict(rows []int32, dst []float32) error {
	err := m.Machine.Predict(rows, dst)
	if m.program.Buffers[m.program.Output].Cols > 1 {
		dst[0] = float32(math.NaN())
	}
	return err
}

// A NaN in one network must not be forgotten for the next.
func TestBackendWithANaNFails(t *testing.T) {
	plain := func() (kernels.Backend, error) { return cpu.Open("plain") }
	want, err := trained(t.Context(), plain)
	if err != nil {
		t.Fatal(err)
	}
	if c := check(t.Context(), "silent", want, func() (kernels.Backend, error) { return silent{cpu.New()}, nil }); c.State != Failed {
		t.Errorf("%+v", c)
	}
}

func TestDeviceThatDoesNotOpenFails(t *testing.T) {
	c := GPU(t.Context(), cuda.Device{Name: "broken"}, func() (cuda.Driver, error) { return nil, errors.New("it has fallen off the bus") })
	if c.State != Failed || !strings.Contains(c.Detail, "fallen off") {
		t.Errorf("%+v", c)
	}
}
