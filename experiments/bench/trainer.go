package bench

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"flowbench/kernels"
	"flowbench/train/graph"
)

const (
	learningRate = 1e-3
	seed         = 0
	// warmUp is how many steps run before the clock starts, as the rulers do.
	warmUp = 5
)

// trainer takes steps through the matrix in the order of an epoch, which each step
// makes its part of, as training does.
type trainer struct {
	program *kernels.Program
	machine kernels.Machine
	order   *kernels.Order
	step    int
}

// newTrainer compiles the network for the threads that GOMAXPROCS allows now. rows
// are those of m to go over. Whoever makes it closes its machine.
func newTrainer(backend kernels.Backend, n Network, m *Matrix, rows []int32, batch int) (*trainer, error) {
	if batch >= m.Rows {
		return nil, fmt.Errorf("bench: a batch of %d needs more rows than the %d there are", batch, m.Rows)
	}
	model, program, err := n.model(batch, m.balanced())
	if err != nil {
		return nil, err
	}
	machine, err := backend.Compile(program)
	if err != nil {
		return nil, err
	}
	t := &trainer{program: program, machine: machine, order: &kernels.Order{Rows: rows, Batch: batch, Seed: seed}}
	if err := t.begin(model, m); err != nil {
		machine.Close()
		return nil, err
	}
	return t, nil
}

// begin binds the data and draws the first parameters.
func (t *trainer) begin(model *graph.Model, m *Matrix) error {
	if err := t.machine.Bind(kernels.Data{X: m.X, Rows: m.Rows, Cols: Cols, Y: m.Y}); err != nil {
		return err
	}
	first, err := model.Init(graph.He, seed)
	if err != nil {
		return err
	}
	for i, b := range t.program.Buffers {
		if values, ok := first[b.Name]; ok {
			if err := t.machine.Write(kernels.Buf(i), values); err != nil {
				return err
			}
		}
	}
	return nil
}

// batchNext is the next step, with the next of the order's rows; where too few are
// left, with those near its front.
func (t *trainer) batchNext() kernels.Batch {
	n := t.order.Batch
	first := t.step * n % (t.order.Len() - n)
	t.step++
	return kernels.Batch{Order: t.order, First: first, Count: n, Step: uint64(t.step), Seed: seed, LearningRate: learningRate}
}

// next takes one step on the next rows.
func (t *trainer) next() error {
	r, err := t.machine.Train(t.batchNext())
	if err == nil && r.NonFinite != kernels.None {
		err = fmt.Errorf("bench: step %d: %s is not finite: the data cannot be trained on", t.step, t.program.Buffers[r.NonFinite].Name)
	}
	return err
}

// rate is samples a second over a time, after a warm-up.
func (t *trainer) rate(ctx context.Context, during time.Duration) (float64, error) {
	start := time.Now()
	for i := 0; i < warmUp && (i == 0 || time.Since(start) < during); i++ {
		if err := t.nextUntil(ctx); err != nil {
			return 0, err
		}
	}
	start = time.Now()
	for steps := 1; ; steps++ {
		if err := t.nextUntil(ctx); err != nil {
			return 0, err
		}
		if took := time.Since(start); took > during {
			return float64(steps*t.order.Batch) / took.Seconds(), nil
		}
	}
}

func (t *trainer) nextUntil(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return t.next()
}

// trainRate measures one case on so many threads.
func trainRate(ctx context.Context, backend kernels.Backend, c StepCase, m *Matrix, rows []int32, during time.Duration) (float64, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(c.Threads))
	t, err := newTrainer(backend, c.Network, m, rows, c.Batch)
	if err != nil {
		return 0, err
	}
	defer t.machine.Close()
	runtime.GC() // so that it does not run while the clock does
	return t.rate(ctx, during)
}
