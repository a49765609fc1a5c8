package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"flowbench/data/table"
	"flowbench/kernels"
	"flowbench/kernels/cuda"
)

// GPUCase is training steps to time on a GPU: of one trial layer by layer on the
// whole device, or of several at once as a fleet. Or it is the making of an epoch's
// order there, of all rows and nothing else, which those steps do as well.
type GPUCase struct {
	Order   bool // and no more
	Network Network
	Batch   int
	Trials  int
	Fleet   bool
}

func (c GPUCase) String() string {
	if c.Order {
		return "order of an epoch"
	}
	return fmt.Sprintf("%s, batch %d, %s, %s", c.Network.Work, c.Batch, plural(c.Trials, "trial"), c.plan())
}

func (c GPUCase) plan() string {
	switch {
	case c.Order:
		return "order"
	case c.Fleet:
		return "fleet"
	}
	return "layers"
}

// GPU times training steps on one device.
type GPU struct {
	Driver   cuda.Driver
	Matrix   *Matrix
	Cases    []GPUCase
	Rounds   int
	During   time.Duration // of one measurement, at least
	Progress Progress
	// Done is told of a case as soon as it is measured: what comes after may fail.
	Done func(GPUResult) error
}

// GPUResult is a timed case: the median of its rounds. An order is one step with
// all rows for its batch.
type GPUResult struct {
	Work             string  `json:"work"`
	Batch            int     `json:"batch"`
	Trials           int     `json:"trials"`
	Plan             string  `json:"plan"` // layers, fleet, spread (what a fleet of few trials is) or order
	SamplesPerSecond float64 `json:"samples_per_second"`
	StepMicroseconds float64 `json:"step_microseconds"` // of all trials together
	GFlops           float64 `json:"gflops"`
	StepFlops        float64 `json:"step_flops"` // of its matrix products, all trials together
	StepBytes        float64 `json:"step_bytes"` // that it moves through device memory at least
	Repeats          int     `json:"repeats"`
	Device           string  `json:"device"`
	UUID             string  `json:"uuid"`
	Driver           string  `json:"driver"`
}

// Run measures one case after the other, each in all its rounds. What is measured
// before an error is returned with it.
func (g *GPU) Run(ctx context.Context) ([]GPUResult, error) {
	rows := g.Matrix.list()
	var results []GPUResult
	for i, c := range g.Cases {
		g.Progress.report(i, len(g.Cases), c.String())
		backend := cuda.New(g.Driver)
		rates, err := g.measure(ctx, backend, c, rows)
		if err != nil {
			return results, fmt.Errorf("%v: %w", c, err)
		}
		plan := c.plan()
		if c.Fleet && slices.Contains(backend.Record().Plans, cuda.PlanSpread) {
			plan = cuda.PlanSpread
		}
		r := g.result(c, plan, rates, len(rows))
		results = append(results, r)
		if g.Done != nil {
			if err := g.Done(r); err != nil {
				return results, err
			}
		}
	}
	return results, nil
}

// result is that of a case with these rates of samples a second, on so many rows, by
// the plan that was followed.
func (g *GPU) result(c GPUCase, plan string, rates []float64, rows int) GPUResult {
	device := g.Driver.Device()
	r := GPUResult{
		Work: c.Network.Work, Batch: c.Batch, Trials: c.Trials, Plan: plan,
		SamplesPerSecond: median(rates), Repeats: len(rates),
		Device: device.Name, UUID: device.UUID, Driver: device.DriverVersion,
	}
	if c.Order {
		r.Work, r.Batch, r.Trials = "order", rows, 1
	} else {
		r.GFlops = r.SamplesPerSecond * c.Network.flops() / 1e9
		r.StepFlops = float64(c.Batch*c.Trials) * c.Network.flops()
		r.StepBytes = float64(c.Trials) * c.bytes(plan)
	}
	r.StepMicroseconds = 1e6 * float64(r.Batch*r.Trials) / r.SamplesPerSecond
	return r
}

// bytes is what a step of one trial moves through device memory at least: its rows,
// and for every parameter Adam's two moments, there and back; the parameter too
// where it does not stay in a multiprocessor.
func (c GPUCase) bytes(plan string) float64 {
	words := 6
	if plan == "fleet" {
		words = 4
	}
	return 4 * float64(c.Batch*c.Network.cells()+words*c.Network.parameters())
}

// run takes steps on every trial at once.
type run func(batches [][]kernels.Batch) error

// measure returns the rates of a case's rounds, in samples a second.
func (g *GPU) measure(ctx context.Context, backend *cuda.Backend, c GPUCase, rows []int32) ([]float64, error) {
	if c.Order {
		return g.measureOrder(ctx, backend, rows)
	}
	trainers, run, closeAll, err := g.open(backend, c, rows)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	return g.rates(ctx, warmUp, c.Batch*c.Trials, math.MaxInt32/c.Batch/4, func(steps int) (time.Duration, error) {
		batches := make([][]kernels.Batch, len(trainers))
		for i, t := range trainers {
			for range steps {
				batches[i] = append(batches[i], t.batchNext())
			}
		}
		start := time.Now()
		err := run(batches)
		return time.Since(start), err
	})
}

// measureOrder puts epochs in order, and returns rows a second.
func (g *GPU) measureOrder(ctx context.Context, backend *cuda.Backend, rows []int32) (rates []float64, err error) {
	epoch, err := backend.NewEpoch(&kernels.Order{Rows: rows, Batch: len(rows), Seed: seed})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, epoch.Close()) }()
	if err := epoch.Draw(warmUp); err != nil {
		return nil, err
	}
	return g.rates(ctx, 1, len(rows), math.MaxInt32/4, func(times int) (time.Duration, error) {
		start := time.Now()
		err := epoch.Draw(times)
		return time.Since(start), err
	})
}

// rates doubles the times that something is done, from so many up to about most,
// until that lasts long enough, and returns what each round then makes of it:
// samples a second, where one time is so many.
func (g *GPU) rates(ctx context.Context, from, samples, most int, do func(times int) (time.Duration, error)) ([]float64, error) {
	var rates []float64
	for times := from; len(rates) < g.Rounds; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		took, err := do(times)
		if err != nil {
			return nil, err
		}
		if len(rates) == 0 && took < g.During && times <= most {
			times *= 2
			continue
		}
		rates = append(rates, float64(times)*float64(samples)/took.Seconds())
	}
	return rates, nil
}

// open compiles the trials of a case and says how they run.
func (g *GPU) open(backend *cuda.Backend, c GPUCase, rows []int32) (trainers []*trainer, run run, closeAll func(), err error) {
	var machines []kernels.Machine
	closeAll = func() {
		for _, m := range machines {
			m.Close()
		}
	}
	for range c.Trials {
		t, err := newTrainer(backend, c.Network, g.Matrix, rows, c.Batch)
		if err != nil {
			closeAll()
			return nil, nil, nil, err
		}
		trainers, machines = append(trainers, t), append(machines, t.machine)
	}
	if !c.Fleet {
		return trainers, layers(machines), closeAll, nil
	}
	fleet, err := backend.NewFleet(machines)
	if err != nil {
		closeAll()
		return nil, nil, nil, err
	}
	closeMachines := closeAll
	closeAll = func() { fleet.Close(); closeMachines() }
	return trainers, func(batches [][]kernels.Batch) error {
		results, err := fleet.Train(batches)
		if err != nil {
			return err
		}
		return soundAll(results)
	}, closeAll, nil
}

// layers trains one machine after the other.
func layers(machines []kernels.Machine) run {
	return func(batches [][]kernels.Batch) error {
		all := make([][]kernels.StepResult, len(machines))
		for i, m := range machines {
			all[i] = make([]kernels.StepResult, len(batches[i]))
			if err := m.(kernels.Sequencer).TrainAll(batches[i], all[i]); err != nil {
				return err
			}
		}
		return soundAll(all)
	}
}

// soundAll makes sure that what was timed was training.
func soundAll(results [][]kernels.StepResult) error {
	for _, list := range results {
		for i, r := range list {
			if r.NonFinite != kernels.None || math.IsNaN(r.Loss) {
				return fmt.Errorf("bench: step %d ends with loss %v: the data cannot be trained on", i+1, r.Loss)
			}
		}
	}
	return nil
}

// WriteGPU prints a table.
func WriteGPU(w io.Writer, results []GPUResult) error {
	t := table.New(table.Left("work"), table.Right("batch"), table.Right("trials"), table.Left("plan"),
		table.Right("samples/s"), table.Right("a step"), table.Right("GFlop/s"))
	for _, r := range results {
		gflops := fmt.Sprintf("%.0f", r.GFlops)
		if r.Plan == "order" {
			gflops = "" // whole numbers alone
		}
		t.Row(r.Work, table.Count(r.Batch), fmt.Sprint(r.Trials), r.Plan,
			table.Count(int(r.SamplesPerSecond)), fmt.Sprintf("%.1f µs", r.StepMicroseconds), gflops)
	}
	return t.Write(w, "")
}

// GPUCases are the order of an epoch, and each network with each batch: one trial
// layer by layer, and fleets of one and of the given sizes.
func GPUCases(batches, trials []int) []GPUCase {
	cases := []GPUCase{{Order: true}}
	for _, network := range networks {
		for _, batch := range batches {
			cases = append(cases, GPUCase{Network: network, Batch: batch, Trials: 1})
			for _, n := range slices.Compact(append([]int{1}, trials...)) {
				cases = append(cases, GPUCase{Network: network, Batch: batch, Trials: n, Fleet: true})
			}
		}
	}
	return cases
}
