//go:build emu

package cuda_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"flowbench/kernels"
	"flowbench/kernels/cuda"
	"flowbench/kernels/cuda/emulator"
	"flowbench/kernels/kernelstest"
)

// scored is what a machine says of 150 rows.
func scored(t *testing.T, p *kernels.Program, m kernels.Machine) []float32 {
	t.Helper()
	out := make([]float32, 150*p.Buffers[p.Output].Cols)
	if err := m.Predict(someRows(150), out); err != nil {
		t.Fatal(err)
	}
	return out
}

// ordered are steps whose rows follow from an epoch's order.
func ordered(n int, seed uint64) []kernels.Batch {
	list := steps(n, seed, 1e-3)
	o := &kernels.Order{Rows: someRows(tableRows), Batch: 48, Seed: seed}
	for i := range list {
		list[i].Rows, list[i].Order, list[i].First, list[i].Count = nil, o, i%4*48, 48
	}
	return list
}

// limited is a device with room for so many bytes beyond what a machine of p takes
// before data is bound.
func limited(t *testing.T, p *kernels.Program, bytes int) *emulator.Emulator {
	t.Helper()
	device := emulator.New()
	before, _ := device.Memory()
	m, err := cuda.New(device).Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	after, _ := device.Memory()
	closeAll(t, m)
	device.Capacity = before - after + bytes
	return device
}

// trainedBits is the parameters and scores after the steps, layer by layer or in a
// group, with what the record says that was taken for want of memory.
func trainedBits(t *testing.T, device *emulator.Emulator, fleet bool, p *kernels.Program, list []kernels.Batch) (bits []float32, yielded string) {
	t.Helper()
	b := cuda.New(device).Metered()
	if fleet {
		b = cuda.NewGroup(device).Metered()
	}
	m := trained(t, b, p, flows(78), 3)
	results := make([]kernels.StepResult, len(list))
	if err := m.(kernels.Sequencer).TrainAll(list, results); err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if !(r.Loss > 0) || r.NonFinite != kernels.None {
			t.Errorf("step %d: %+v", i, r)
		}
	}
	bits = append(parameters(t, p, m), scored(t, p, m)...)
	closeAll(t, m)
	if err := device.Close(); err != nil {
		t.Error(err)
	}
	return bits, strings.Join(b.Record().Yielded, "\n")
}

// Where the flows have no room on the device, their rows are sent with the batches;
// where a launch has none, it takes fewer steps. The bits must be those of a device
// with room for all, and the record must say what was asked, free and to be lowered.
func TestSmallMemoryKeepsBits(t *testing.T) {
	p := kernelstest.DNN(48)
	const table, lists, launch = 4 * tableRows * (78 + 1), 4 * tableRows, 3 << 10
	given, drawn := steps(16, 9, 1e-3), ordered(16, 9)
	sent := []string{"flows stay on the host", "MiB asked", "MiB free", "lower train.batch"}
	fewer := []string{"fewer steps a launch", "MiB asked", "MiB free", "lower train.batch"}
	for _, c := range []struct {
		name  string
		fleet bool
		list  []kernels.Batch
		bytes int
		said  []string
	}{
		{"layers, given rows, no room for the flows", false, given, table - 4, sent},
		{"layers, given rows, no room for 16 steps", false, given, table + launch, fewer},
		{"layers, drawn rows, no room for the flows", false, drawn, table - 4, sent},
		{"layers, drawn rows, no room for 16 steps", false, drawn, table + lists + launch/2, fewer},
		{"fleet, given rows, no room for the flows", true, given, table - 4, sent},
		{"fleet, given rows, no room for 16 steps", true, given, table + launch, fewer},
		{"fleet, drawn rows, no room for the flows", true, drawn, table - 4, sent},
		{"fleet, drawn rows, no room for 16 steps", true, drawn, table + lists + launch/2, fewer},
	} {
		want, said := trainedBits(t, emulator.New(), c.fleet, p, c.list)
		if said != "" {
			t.Errorf("%s: with room for all: %s", c.name, said)
		}
		got, said := trainedBits(t, limited(t, p, c.bytes), c.fleet, p, c.list)
		for _, w := range c.said {
			if !strings.Contains(said, w) {
				t.Errorf("%s: the record lacks %q:\n%s", c.name, w, said)
			}
		}
		sameBits(t, got, want)
	}
}

// A fleet for which there is no memory must run as several, trials by trials.
func TestSmallMemoryTakesFewerTrials(t *testing.T) {
	p, d := kernelstest.DNN(48), flows(78)
	device := emulator.New()
	b := cuda.New(device)
	machines, batches := make([]kernels.Machine, 4), make([][]kernels.Batch, 4)
	want := make([][]float32, 4)
	for i := range machines {
		batches[i] = steps(2, uint64(i), 1e-3)
		machines[i] = trained(t, b, p, d, uint64(i))
		train(t, b, machines[i:i+1], batches[i:i+1])
		want[i] = parameters(t, p, machines[i])
		closeAll(t, machines[i])
		machines[i] = trained(t, b, p, d, uint64(i))
	}
	f, err := b.NewFleet(machines)
	if err != nil {
		t.Fatal(err)
	}
	free, _ := device.Memory()
	device.Capacity -= free - 5<<10 // a trial and two steps of it take 2 KB
	results, err := f.Train(batches)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range machines {
		sameBits(t, parameters(t, p, m), want[i])
		if len(results[i]) != 2 || slices.ContainsFunc(results[i], func(r kernels.StepResult) bool { return !(r.Loss > 0) }) {
			t.Errorf("machine %d: %+v", i, results[i])
		}
	}
	if n := b.Record().Launches["fleet"]; n < 4+2 {
		t.Errorf("%d launches of fleets, want four alone and some smaller ones", n)
	}
	device.Capacity += free - 5<<10
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	closeAll(t, machines...)
}

// Where no plan fits, the error says how much was asked, what is free, and what to lower.
func TestNoMemoryForAnyPlan(t *testing.T) {
	p := kernelstest.DNN(48)
	device := limited(t, p, 100)
	b := cuda.New(device)
	m, err := b.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	err = m.Bind(flows(78))
	var full *cuda.OutOfMemoryError
	if !errors.As(err, &full) || full.Free > 100 || !strings.Contains(err.Error(), "lower train.batch") {
		t.Errorf("%v", err)
	}
	closeAll(t, m)
	if err := device.Close(); err != nil {
		t.Error(err)
	}
}

// A fleet fetches rows ahead where a block has the memory, and ends with the same
// bits where it has not.
func TestRowsAheadKeepBits(t *testing.T) {
	n := kernelstest.NewBuilder(200, 78)
	n.Dense(8, true, n.Epilogue(kernels.ReLU, 0)).Dense(1, true, kernels.Epilogue{}).Loss(kernels.Loss{Kind: kernels.BCE}, false)
	p := n.Finish(kernelstest.Adam())
	roomy := emulator.New()
	list := steps(5, 9, 1e-3)
	for i := range list {
		list[i].Rows = append(list[i].Rows, someRows(30+20*i)...)
	}
	want, _ := trainedBits(t, roomy, true, p, list)
	shared, ahead := cuda.FleetMemory(p, roomy.Shared)
	if !ahead {
		t.Fatalf("a block of %d bytes fetches nothing ahead", roomy.Shared)
	}
	tight := emulator.New()
	tight.Shared = shared - 4
	if _, ahead := cuda.FleetMemory(p, tight.Shared); ahead {
		t.Fatalf("a block of %d bytes fetches ahead", tight.Shared)
	}
	got, _ := trainedBits(t, tight, true, p, list)
	sameBits(t, got, want)
}

// A fleet lets rows start in different banks where a block has the memory for it, and
// ends with the same bits where it has not.
func TestRowsInBanksKeepBits(t *testing.T) {
	p, list := kernelstest.DNN(48), steps(5, 9, 1e-3)
	roomy, tight := emulator.New(), emulator.New()
	shared, _ := cuda.FleetMemory(p, roomy.Shared)
	tight.Shared = shared - 4
	if less, _ := cuda.FleetMemory(p, tight.Shared); less < shared-16<<10 {
		t.Fatalf("a block of %d bytes has a smaller tile: %d", tight.Shared, less)
	}
	want, _ := trainedBits(t, roomy, true, p, list)
	got, _ := trainedBits(t, tight, true, p, list)
	sameBits(t, got, want)
}

// Trials of a group whose gradients lie apart, for which there is memory for two at
// once, must train in turn and end with the bits that each has alone.
func TestSmallMemorySplitsAGroup(t *testing.T) {
	p, d := kernelstest.DNN(48), flows(78)
	device := emulator.New()
	device.Shared = 99 << 10 // as compute capability 8.6 gives: parameters alone fit
	g := cuda.NewGroup(device)
	trials := make([]*cuda.Metered, 4)
	machines, want := make([]kernels.Machine, len(trials)), make([][]float32, len(trials))
	for i := range machines {
		alone := trained(t, g.Backend, p, d, uint64(i))
		train(t, g.Backend, []kernels.Machine{alone}, [][]kernels.Batch{steps(4, uint64(i), 1e-3)})
		want[i] = parameters(t, p, alone)
		closeAll(t, alone)
		trials[i] = g.Metered()
		machines[i] = trained(t, trials[i], p, d, uint64(i))
	}
	free, _ := device.Memory()
	device.Capacity -= free - 200<<10 // 81 KB of gradients each
	var all sync.WaitGroup
	for i, m := range machines {
		all.Go(func() {
			for _, step := range steps(4, uint64(i), 1e-3) {
				if err := m.(kernels.Sequencer).TrainAll([]kernels.Batch{step}, make([]kernels.StepResult, 1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	said := ""
	for i, m := range machines {
		sameBits(t, parameters(t, p, m), want[i])
		said += strings.Join(trials[i].Record().Yielded, "\n")
	}
	if !strings.Contains(said, "fewer trials a launch") {
		t.Errorf("no fleet was split: %q", said)
	}
	closeAll(t, machines...)
	if err := device.Close(); err != nil {
		t.Error(err)
	}
}
