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
	During   time.Duration // of one measurement, about
	Progress Progress
}

// GPUResult is a timed case: the median of its rounds. An order is one step with
// all rows for its batch.
type GPUResult struct {
	Work             string  `json:"work"`
	Batch            int     `json:"batch"`
	Trials           int     `json:"trials"`
	Plan             string  `json:"plan"` // layers, fleet or order
	SamplesPerSecond float64 `json:"samples_per_second"`
	StepMicroseconds float64 `json:"step_microseconds"` // of all trials together
	GFlops           float64 `json:"gflops"`
	Repeats          int     `json:"repeats"`
	Device           string  `json:"device"`
	UUID             string  `json:"uuid"`
	Driver           string  `json:"driver"`
}

// Run measures every case in every round.
func (g *GPU) Run(ctx context.Context) ([]GPUResult, error) {
	rows := g.Matrix.list()
	rates := make([][]float64, len(g.Cases))
	for round := range g.Rounds {
		for i, c := range g.Cases {
			g.Progress.report(round*len(g.Cases)+i, g.Rounds*len(g.Cases), c.String())
			rate, err := g.measure(ctx, c, rows)
			if err != nil {
				return nil, fmt.Errorf("%v: %w", c, err)
			}
			rates[i] = append(rates[i], rate)
		}
	}
	device := g.Driver.Device()
	results := make([]GPUResult, len(g.Cases))
	for i, c := range g.Cases {
		r := median(rates[i])
		results[i] = GPUResult{
			Work: c.Network.Work, Batch: c.Batch, Trials: c.Trials, Plan: c.plan(),
			SamplesPerSecond: r, Repeats: len(rates[i]),
			Device: device.Name, UUID: device.UUID, Driver: device.DriverVersion,
		}
		if c.Order {
			results[i].Work, results[i].Batch, results[i].Trials = "order", len(rows), 1
		} else {
			results[i].GFlops = r * c.Network.flops() / 1e9
		}
		results[i].StepMicroseconds = 1e6 * float64(results[i].Batch*results[i].Trials) / r
	}
	return results, nil
}

// run takes steps on every trial at once.
type run func(batches [][]kernels.Batch) error

// measure doubles the steps of a run until one lasts long enough.
func (g *GPU) measure(ctx context.Context, c GPUCase, rows []int32) (float64, error) {
	if c.Order {
		return g.measureOrder(ctx, rows)
	}
	trainers, run, closeAll, err := g.open(c, rows)
	if err != nil {
		return 0, err
	}
	defer closeAll()
	for steps := warmUp; ; steps *= 2 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		batches := make([][]kernels.Batch, len(trainers))
		for i, t := range trainers {
			for range steps {
				batches[i] = append(batches[i], t.batchNext())
			}
		}
		start := time.Now()
		if err := run(batches); err != nil {
			return 0, err
		}
		if took := time.Since(start); took > g.During || steps > math.MaxInt32/c.Batch/4 {
			return float64(steps*c.Batch*c.Trials) / took.Seconds(), nil
		}
	}
}

// measureOrder doubles the epochs that are put in order in a run until one lasts
// long enough, and returns rows a second.
func (g *GPU) measureOrder(ctx context.Context, rows []int32) (rate float64, err error) {
	epoch, err := cuda.New(g.Driver).NewEpoch(&kernels.Order{Rows: rows, Batch: len(rows), Seed: seed})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, epoch.Close()) }()
	if err := epoch.Draw(warmUp); err != nil {
		return 0, err
	}
	for times := 1; ; times *= 2 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := epoch.Draw(times); err != nil {
			return 0, err
		}
		if took := time.Since(start); took > g.During || times > math.MaxInt32/4 {
			return float64(times*len(rows)) / took.Seconds(), nil
		}
	}
}

// open compiles the trials of a case and says how they run.
func (g *GPU) open(c GPUCase, rows []int32) (trainers []*trainer, run run, closeAll func(), err error) {
	backend := cuda.New(g.Driver)
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
