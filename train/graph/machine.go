package graph

import (
	"fmt"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Machine runs a Model on a backend behind gorgonia's VM interface: it stands
// where a TapeMachine stood, reads the same nodes and leaves the loss, the
// output, the gradients and the moved statistics in the same nodes. It copies
// every value in and out; training at speed runs the Program of Lower itself.
type Machine struct {
	model    *Model
	program  *kernels.Program
	compiled kernels.Machine
	inputs   []*gorgonia.Node // copied in before a run: parameters, statistics, constants
	buf      map[*gorgonia.Node]kernels.Buf
	rows     []int32
}

var _ gorgonia.VM = (*Machine)(nil)

// NewMachine lowers the model, without an optimiser, and compiles it. The
// Machine owns device memory: Close it.
func NewMachine(m *Model, b kernels.Backend) (*Machine, error) {
	l, err := m.lower()
	if err != nil {
		return nil, err
	}
	plan(&l.program, true)
	compiled, err := b.Compile(&l.program)
	if err != nil {
		return nil, fmt.Errorf("graph: compile for %s: %w", b.Name(), err)
	}
	vm := &Machine{model: m, program: &l.program, compiled: compiled, buf: l.buf, rows: make([]int32, l.program.Batch)}
	for _, p := range m.Parameters {
		vm.inputs = append(vm.inputs, p.Node)
	}
	for _, s := range m.Statistics {
		vm.inputs = append(vm.inputs, s.Node)
	}
	vm.inputs = append(vm.inputs, m.Constants...)
	for i := range vm.rows {
		vm.rows[i] = int32(i)
	}
	return vm, nil
}

// RunAll is one training step up to the gradients, on the values bound to the
// inputs and at the model's clock. Solvers of gorgonia can step on the
// parameters afterwards. A NaN or an infinity is an error that names the
// buffer, and then nothing is left in the nodes. The training form has
// gradients and the scoring form has none: where the clock is scoring, RunAll
// is an error and Score is what to call.
func (vm *Machine) RunAll() error {
	clock := vm.model.Clock
	if clock.Scoring {
		return fmt.Errorf("graph: the clock is scoring, and RunAll trains: call Score")
	}
	if err := vm.copyIn(); err != nil {
		return err
	}
	r, err := vm.compiled.Train(kernels.Batch{Rows: vm.rows, Step: clock.Step, Seed: clock.Seed})
	if err != nil {
		return fmt.Errorf("graph: run: %w", err)
	}
	if r.NonFinite != kernels.None {
		return fmt.Errorf("graph: run: %s holds a NaN or an infinity at step %d", vm.program.Buffers[r.NonFinite].Name, clock.Step)
	}
	if err := gorgonia.UnsafeLet(vm.model.Loss, gorgonia.NewF32(float32(r.Loss))); err != nil {
		return fmt.Errorf("graph: run: %w", err)
	}
	return vm.copyOut()
}

// Score computes the output alone, as the model will be used.
func (vm *Machine) Score() error {
	if err := vm.copyIn(); err != nil {
		return err
	}
	output := vm.program.Buffers[vm.program.Output]
	dst := make([]float32, output.Len())
	if err := vm.compiled.Predict(vm.rows, dst); err != nil {
		return fmt.Errorf("graph: score: %w", err)
	}
	return leave(vm.model.Output, output, dst)
}

// Reset implements gorgonia.VM. Nothing is left over between runs.
func (vm *Machine) Reset() {}

// Close frees the backend's memory.
func (vm *Machine) Close() error { return vm.compiled.Close() }

// copyIn binds x and y and writes the other inputs.
func (vm *Machine) copyIn() error {
	for _, n := range vm.inputs {
		v, err := float32s(n)
		if err != nil {
			return err
		}
		if err := vm.compiled.Write(vm.buf[n], v); err != nil {
			return fmt.Errorf("graph: run: write %s: %w", n.Name(), err)
		}
	}
	x := vm.model.X.Shape()
	data := kernels.Data{Rows: x[0], Cols: x[1]}
	var err error
	if data.X, err = float32s(vm.model.X); err != nil {
		return err
	}
	if vm.model.Y != nil {
		if data.Y, err = float32s(vm.model.Y); err != nil {
			return err
		}
	}
	if err := vm.compiled.Bind(data); err != nil {
		return fmt.Errorf("graph: run: %w", err)
	}
	return nil
}

// copyOut leaves the output, the gradients and the moved statistics in their nodes.
func (vm *Machine) copyOut() error {
	if err := vm.read(vm.program.Output, vm.model.Output); err != nil {
		return err
	}
	for _, s := range vm.model.Statistics {
		if err := vm.read(vm.buf[s.Node], s.Next); err != nil {
			return err
		}
	}
	for _, p := range vm.model.Parameters {
		if err := vm.read(vm.buf[p.Grad], p.Grad); err != nil {
			return err
		}
		if err := matchDual(p); err != nil {
			return err
		}
	}
	return nil
}

// matchDual gives a parameter its gradient where a TapeMachine with
// gorgonia.BindDualValues once bound one to the parameter itself: Grad reads
// that one then, not the gradient's node.
func matchDual(p Parameter) error {
	dual, err := p.Node.Grad()
	if err != nil {
		return fmt.Errorf("graph: run: %w", err)
	}
	if dual == p.Grad.Value() {
		return nil
	}
	if err := tensor.Copy(dual.(*tensor.Dense), p.Grad.Value().(*tensor.Dense)); err != nil {
		return fmt.Errorf("graph: run: gradient of %s: %w", p.Name(), err)
	}
	return nil
}

// read leaves a buffer's values in a node.
func (vm *Machine) read(b kernels.Buf, n *gorgonia.Node) error {
	buffer := vm.program.Buffers[b]
	v := make([]float32, buffer.Len())
	if err := vm.compiled.Read(b, v); err != nil {
		return fmt.Errorf("graph: run: read %s: %w", buffer.Name, err)
	}
	return leave(n, buffer, v)
}

func leave(n *gorgonia.Node, b kernels.Buffer, v []float32) error {
	value := tensor.New(tensor.WithShape(b.Rows, b.Cols), tensor.WithBacking(v))
	if err := gorgonia.UnsafeLet(n, value); err != nil {
		return fmt.Errorf("graph: run: leave %s: %w", b.Name, err)
	}
	return nil
}

// float32s copies the value bound to an input.
func float32s(n *gorgonia.Node) ([]float32, error) {
	m, err := load(n.Value())
	if err != nil {
		return nil, fmt.Errorf("graph: run: input %s: %w", n.Name(), err)
	}
	v := make([]float32, len(m.data))
	for i, x := range m.data {
		v[i] = float32(x)
	}
	return v, nil
}
