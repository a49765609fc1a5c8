package cuda_test

import (
	"bytes"
	"runtime"
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

// idleRows is the table that idle devices have bound.
const idleRows = 1000

// idleTrials are machines of the DNN on a device that is not a real one, with some
// batches for each.
func idleTrials(t testing.TB, d cuda.Driver, trials, batch int, steps func(trial int) []kernels.Batch) (*cuda.Backend, []kernels.Machine, [][]kernels.Batch) {
	t.Helper()
	p, backend := kernelstest.DNN(batch), cuda.New(d)
	data := kernels.Data{X: make([]float32, 78*idleRows), Y: make([]float32, idleRows), Rows: idleRows, Cols: 78}
	machines, batches := make([]kernels.Machine, trials), make([][]kernels.Batch, trials)
	for i := range machines {
		m, err := backend.Compile(p)
		if err == nil {
			err = m.Bind(data)
		}
		if err != nil {
			t.Fatal(err)
		}
		machines[i], batches[i] = m, steps(i)
	}
	return backend, machines, batches
}

// idleFlows is n rows of the table, over and over.
func idleFlows(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i % idleRows)
	}
	return rows
}

// epochs are a trial's steps, through the orders of one epoch after the other.
func epochs(steps, batch int, rows []int32, seed uint64) []kernels.Batch {
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

// memo is an idle device that keeps what it was sent last.
type memo struct {
	idle
	sent []byte
}

func (d *memo) CopyIn(_ cuda.Pointer, src []byte) error {
	d.sent = bytes.Clone(src)
	return nil
}

// A fleet must send the same bytes from one thread and from several, at first and in
// the buffer that it keeps, whether rows are given or drawn.
func TestFleetSendsTheSameFromAnyThreads(t *testing.T) {
	const trials, batch, fewest = 9, 16, 100
	rows := idleFlows(3000)
	mixed := func(trial int) []kernels.Batch {
		list := epochs(fewest+trial, batch, rows, uint64(trial))
		for s := range list {
			if b := &list[s]; (s+trial)%3 == 0 {
				b.Rows, b.Order, b.First, b.Count = rows[s:][:1+(s+trial)%batch], nil, 0, 0
			}
		}
		return list
	}
	var want []byte
	for _, threads := range []int{1, 2, 5} {
		previous := runtime.GOMAXPROCS(threads)
		defer runtime.GOMAXPROCS(previous)
		device := &memo{}
		backend, machines, batches := idleTrials(t, device, trials, batch, mixed)
		fleet, err := backend.NewFleet(machines)
		if err != nil {
			t.Fatal(err)
		}
		for call := range 3 {
			if _, err := fleet.Train(batches); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = device.sent
			}
			if !bytes.Equal(device.sent, want) || len(want) < trials*fewest*40 {
				t.Errorf("%d threads, call %d: sends %d bytes, not the %d of one thread", threads, call, len(device.sent), len(want))
			}
		}
	}
}

// BenchmarkFleetHost is what a step of 132 trials, one for each multiprocessor of an
// H100 or H200, costs the host: the device waits for that. Its own time for such a
// step is at least 207 µs (BENCH.md). Calls are of many steps, and of as many as
// training takes at once, with a Fleet for each call, as a Group has it.
func BenchmarkFleetHost(b *testing.B) {
	const trials, batch = 132, 1024
	rows := idleFlows(1_400_000) // half of the flows of CICIDS2017 are trained on
	for _, c := range []struct {
		name  string
		steps int
		each  bool // call has its Fleet
	}{{"steps=5000", 5000, false}, {"steps=256/group", 256, true}} {
		b.Run(c.name, func(b *testing.B) {
			backend, machines, batches := idleTrials(b, &idle{}, trials, batch, func(trial int) []kernels.Batch {
				return epochs(c.steps, batch, rows, uint64(trial))
			})
			var fleet *cuda.Fleet
			run := func() (err error) {
				if fleet == nil {
					if fleet, err = backend.NewFleet(machines); err != nil {
						return err
					}
				}
				if _, err = fleet.Train(batches); err == nil && c.each {
					err, fleet = fleet.Close(), nil
				}
				return err
			}
			if err := run(); err != nil { // sends the lists
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(c.steps*b.N), "µs/step")
		})
	}
}
