package cuda_test

import (
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cuda"
	"flowbench/kernels/kernelstest"
)

// idle is a Driver whose device takes no time and does nothing: what is left is what
// the host does.
type idle struct{ next cuda.Pointer }

func (d *idle) Device() cuda.Device {
	return cuda.Device{Name: "idle", Capability: 90, Processors: 132, SharedPerBlock: 227 << 10}
}

func (d *idle) Allocate(bytes int) (cuda.Pointer, error) {
	d.next += 256
	at := d.next
	d.next += cuda.Pointer(bytes+255) / 256 * 256
	return at, nil
}

func (d *idle) Free(cuda.Pointer) error                  { return nil }
func (d *idle) Memory() (int, error)                     { return 1 << 40, nil }
func (d *idle) CopyIn(cuda.Pointer, []byte) error        { return nil }
func (d *idle) CopyOut([]byte, cuda.Pointer) error       { return nil }
func (d *idle) Zero(cuda.Pointer, int) error             { return nil }
func (d *idle) Launch(cuda.Launch) error                 { return nil }
func (d *idle) Record([]cuda.Launch) (cuda.Graph, error) { return idleGraph{}, nil }
func (d *idle) Close() error                             { return nil }

type idleGraph struct{}

func (idleGraph) Replay() error { return nil }
func (idleGraph) Close() error  { return nil }

// epochs are a trial's steps of whole epochs over as many flows as CICIDS2017 has to
// train on, each a row of a small table.
func epochs(steps, batch, tableRows int, rows []int32, seed uint64) []kernels.Batch {
	list := make([]kernels.Batch, steps)
	var order *kernels.Order
	each := len(rows) / batch
	for i := range list {
		if i%each == 0 {
			order = &kernels.Order{Rows: rows, Batch: batch, Seed: seed, Epoch: uint64(i / each)}
		}
		list[i] = kernels.Batch{Order: order, First: i % each * batch, Count: batch, Step: uint64(i + 1), Seed: seed, LearningRate: 1e-3}
	}
	return list
}

// BenchmarkFleetHost is what a step of 132 trials, one for each multiprocessor of an
// H100 or H200, costs the host: the device waits for that. Its own time for such a
// step is at least 207 µs (BENCH.md).
func BenchmarkFleetHost(b *testing.B) {
	const trials, batch, steps, tableRows = 132, 1024, 5000, 1000
	rows := make([]int32, 2_000_000)
	for i := range rows {
		rows[i] = int32(i % tableRows)
	}
	p := kernelstest.DNN(batch)
	backend := cuda.New(&idle{})
	d := kernels.Data{X: make([]float32, 78*tableRows), Y: make([]float32, tableRows), Rows: tableRows, Cols: 78}
	machines, batches := make([]kernels.Machine, trials), make([][]kernels.Batch, trials)
	for i := range machines {
		m, err := backend.Compile(p)
		if err == nil {
			err = m.Bind(d)
		}
		if err != nil {
			b.Fatal(err)
		}
		machines[i], batches[i] = m, epochs(steps, batch, tableRows, rows, uint64(i))
	}
	fleet, err := backend.NewFleet(machines)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := fleet.Train(batches); err != nil { // sends the lists
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fleet.Train(batches); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(steps*b.N), "µs/step")
}
