// Package doctor checks what a machine computes with: every level of the processor
// and every GPU trains the same two small networks, and must agree.
package doctor

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"text/tabwriter"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/kernels/cuda"
	"flowbench/train/graph"
)

// State is how a check ended.
type State string

const (
	OK     State = "ok"
	Failed State = "failed"
	Absent State = "absent" // there is nothing to check
)

// Check is one line of the report.
type Check struct {
	Name   string       `json:"name"`
	State  State        `json:"state"`
	Detail string       `json:"detail"`
	Device *cuda.Device `json:"device,omitempty"`
}

// tolerance is how far parameters may be from those of plain Go after the steps of
// a self-test, as a share of their norm: float32 sums in another order.
const tolerance = 1e-5

const (
	steps = 20
	batch = 64
	rows  = 500
	cols  = 78
)

// CPU checks every level of the processor against plain Go.
func CPU(ctx context.Context) ([]Check, error) {
	want, err := trained(ctx, func() (kernels.Backend, error) { return cpu.Open("plain") })
	if err != nil {
		return nil, err
	}
	var list []Check
	for _, level := range cpu.Levels() {
		c := check(ctx, "cpu/"+level, want, func() (kernels.Backend, error) { return cpu.Open(level) })
		list = append(list, c)
	}
	return list, ctx.Err()
}

// GPU checks one device: layer by layer, and as a fleet, whose trials must not
// depend on each other.
func GPU(ctx context.Context, device cuda.Device, open func() (cuda.Driver, error)) Check {
	c := Check{Name: "cuda/" + device.Name, Device: &device, State: Failed}
	want, err := trained(ctx, func() (kernels.Backend, error) { return cpu.Open("plain") })
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	driver, err := open()
	if err != nil {
		c.Detail = err.Error()
		return c
	}
	defer driver.Close()
	for plan, backend := range map[string]kernels.Backend{"layer by layer": cuda.New(driver), "as a fleet": cuda.NewGroup(driver)} {
		result := check(ctx, c.Name, want, func() (kernels.Backend, error) { return backend, nil })
		if result.State != OK {
			c.Detail = plan + ": " + result.Detail
			return c
		}
		again := check(ctx, c.Name, want, func() (kernels.Backend, error) { return backend, nil })
		if again.Detail != result.Detail {
			c.Detail = plan + ": the same steps end differently: " + result.Detail + ", then " + again.Detail
			return c
		}
	}
	c.State = OK
	c.Detail = fmt.Sprintf("compute capability %d.%d, %d multiprocessors, %.1f GB, driver %s, %s",
		device.Capability/10, device.Capability%10, device.Processors, float64(device.Memory)/1e9, device.DriverVersion, device.UUID)
	return c
}

// check trains on a backend and compares with want.
func check(ctx context.Context, name string, want [][]float32, open func() (kernels.Backend, error)) Check {
	got, err := trained(ctx, open)
	if err != nil {
		return Check{Name: name, State: Failed, Detail: err.Error()}
	}
	worst := 0.0
	for i := range want {
		if d := distance(got[i], want[i]); !(d <= worst) {
			worst = d
		}
	}
	c := Check{Name: name, State: OK, Detail: fmt.Sprintf("%d steps of two networks within %.1e of plain Go", steps, worst)}
	if !(worst <= tolerance) {
		c.State = Failed
	}
	return c
}

// trained is the parameters of the two networks after the steps.
func trained(ctx context.Context, open func() (kernels.Backend, error)) ([][]float32, error) {
	backend, err := open()
	if err != nil {
		return nil, err
	}
	var all [][]float32
	for _, objective := range []kernels.LossKind{kernels.BCE, kernels.MSE} {
		parameters, err := train(ctx, backend, objective)
		if err != nil {
			return nil, fmt.Errorf("doctor: %w", err)
		}
		all = append(all, parameters)
	}
	return all, nil
}

// train takes the steps with a DNN or an autoencoder.
func train(ctx context.Context, backend kernels.Backend, objective kernels.LossKind) ([]float32, error) {
	a := graph.Architecture{Inputs: cols, Hidden: []int{128, 64, 32}, Outputs: 1, Activation: kernels.ReLU, Dropout: 0.1}
	o := graph.Objective{Kind: objective}
	if objective == kernels.MSE {
		a = graph.Architecture{Inputs: cols, Hidden: []int{64, 32, 16, 32, 64}, Outputs: cols, Activation: kernels.GELU, Sigma: 0.5}
	} else {
		o.ClassWeight = []float32{1, 5}
	}
	model, err := graph.Build(a, o, batch)
	if err != nil {
		return nil, err
	}
	program, err := model.Lower(graph.Optimizer{Kind: kernels.Adam, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8})
	if err != nil {
		return nil, err
	}
	m, err := backend.Compile(program)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := prepare(m, program, model); err != nil {
		return nil, err
	}
	if err := takeSteps(ctx, m); err != nil {
		return nil, err
	}
	return read(m, program)
}

// prepare binds flows and sets the first parameters, both from fixed seeds.
func prepare(m kernels.Machine, p *kernels.Program, model *graph.Model) error {
	rng := rand.New(rand.NewPCG(1, 2))
	d := kernels.Data{X: make([]float32, rows*cols), Rows: rows, Cols: cols, Y: make([]float32, rows)}
	for i := range d.X {
		d.X[i] = float32(rng.NormFloat64())
	}
	for i := range d.Y {
		d.Y[i] = float32(i % 6 / 5)
	}
	if err := m.Bind(d); err != nil {
		return err
	}
	first, err := model.Init(graph.He, 3)
	if err != nil {
		return err
	}
	for i, b := range p.Buffers {
		if v, ok := first[b.Name]; ok {
			if err := m.Write(kernels.Buf(i), v); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeSteps goes over the rows as training does, an epoch after the other.
func takeSteps(ctx context.Context, m kernels.Machine) error {
	list := make([]int32, rows)
	for i := range list {
		list[i] = int32(i)
	}
	const perEpoch = (rows + batch - 1) / batch
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		first := step % perEpoch * batch
		b := kernels.Batch{
			Order: &kernels.Order{Rows: list, Batch: batch, Seed: 6, Epoch: uint64(step / perEpoch)},
			First: first, Count: min(batch, rows-first), Step: uint64(step + 1), Seed: 6, LearningRate: 1e-3,
		}
		if r, err := m.Train(b); err != nil || r.NonFinite != kernels.None {
			return fmt.Errorf("step %d ends with loss %v: %w", step+1, r.Loss, err)
		}
	}
	return nil
}

func read(m kernels.Machine, p *kernels.Program) ([]float32, error) {
	var all []float32
	for i, b := range p.Buffers {
		if b.Kind != kernels.Parameter {
			continue
		}
		v := make([]float32, b.Len())
		if err := m.Read(kernels.Buf(i), v); err != nil {
			return nil, err
		}
		all = append(all, v...)
	}
	return all, nil
}

// distance is ‖got-want‖/‖want‖.
func distance(got, want []float32) float64 {
	above, below := 0.0, 0.0
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		above += float64(d * d)
		below += float64(float64(w) * float64(w))
	}
	return math.Sqrt(above / below)
}

// Write prints checks as a table.
func Write(w io.Writer, checks []Check) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "go\t%s\t%s, %s/%s, %d processors\n", OK, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, c := range checks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.Name, c.State, c.Detail)
	}
	return t.Flush()
}
