// Package doctor checks what a machine computes with: every level of the processor
// and every GPU trains and scores the same small networks, and must agree.
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

// check trains on a backend and compares with want.
func check(ctx context.Context, name string, want [][]float32, open func() (kernels.Backend, error)) Check {
	got, err := trained(ctx, open)
	if err != nil {
		return Check{Name: name, State: Failed, Detail: err.Error()}
	}
	worst := 0.0
	for i := range want {
		worst = math.Max(worst, distance(got[i], want[i])) // NaN where either is
	}
	c := Check{Name: name, State: OK, Detail: fmt.Sprintf("%d steps of %d networks within %.1e of plain Go", steps, len(networks()), worst)}
	if !(worst <= tolerance) {
		c.State = Failed
	}
	return c
}

// network is what a self-test trains and scores.
type network struct {
	architecture graph.Architecture
	objective    graph.Objective
	clipNorm     float64
}

// networks have between them every instruction that a backend knows.
func networks() []network {
	weighted := graph.Objective{Kind: kernels.BCE, ClassWeight: []float32{1, 5}}
	dnn := graph.Architecture{Inputs: cols, Hidden: []int{128, 64, 32}, Outputs: 1, Activation: kernels.ReLU, Dropout: 0.1}
	noisy := graph.Architecture{Inputs: cols, Hidden: []int{64, 32, 16, 32, 64}, Outputs: cols, Activation: kernels.GELU, Sigma: 0.5}
	layer := graph.Architecture{Inputs: cols, Hidden: []int{32, 16}, Outputs: 1, Activation: kernels.ReLU, Norm: "layer"}
	batch := graph.Architecture{Inputs: cols, Hidden: []int{32, 16}, Outputs: 1, Activation: kernels.Tanh, Norm: "batch"}
	return []network{
		{architecture: dnn, objective: weighted},
		{architecture: noisy, objective: graph.Objective{Kind: kernels.MSE}},
		{architecture: layer, objective: weighted, clipNorm: 0.1},
		{architecture: batch, objective: weighted},
	}
}

// trained is, of each network, the parameters after the steps and what it then says
// of the flows.
func trained(ctx context.Context, open func() (kernels.Backend, error)) ([][]float32, error) {
	backend, err := open()
	if err != nil {
		return nil, err
	}
	var all [][]float32
	for _, n := range networks() {
		parameters, scores, err := n.train(ctx, backend)
		if err != nil {
			return nil, fmt.Errorf("doctor: %w", err)
		}
		all = append(all, parameters, scores)
	}
	return all, nil
}

// train takes the steps with a network.
func (n network) train(ctx context.Context, backend kernels.Backend) (parameters, scores []float32, err error) {
	model, err := graph.Build(n.architecture, n.objective, batch)
	if err != nil {
		return nil, nil, err
	}
	program, err := model.Lower(graph.Optimizer{Kind: kernels.Adam, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, ClipNorm: n.clipNorm})
	if err != nil {
		return nil, nil, err
	}
	m, err := backend.Compile(program)
	if err != nil {
		return nil, nil, err
	}
	defer m.Close()
	if err := prepare(m, program, model); err != nil {
		return nil, nil, err
	}
	if err := takeSteps(ctx, m); err != nil {
		return nil, nil, err
	}
	scores = make([]float32, rows*program.Buffers[program.Output].Cols)
	if err := m.Predict(everyRow(), scores); err != nil {
		return nil, nil, err
	}
	parameters, err = read(m, program)
	return parameters, scores, err
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
	list := everyRow()
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

func everyRow() []int32 {
	list := make([]int32, rows)
	for i := range list {
		list[i] = int32(i)
	}
	return list
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
