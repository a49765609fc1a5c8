package cuda

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"flowbench/kernels"
)

// Fleet trains Machines of one shape at once, each in a block of its own on one
// multiprocessor, with its weights in shared memory (fleet.cu). What the Machines
// learn does not depend on one another.
type Fleet struct {
	backend  *Backend
	machines []*machine
	plans    []fleetTrial
	shared   int  // bytes of shared memory a block needs
	keep     bool // leave what a step computes in the arenas
	owned    []Pointer
	memory   Pointer // what a call sends and fetches
	size     int     // bytes there
}

// ErrNotForFleet is wrapped by the errors of NewFleet that mean that the programs
// must be trained layer by layer, each on the whole device.
var ErrNotForFleet = errors.New("the program does not fit a multiprocessor")

// mostLayers and the rest are fleet.cu's.
const (
	mostLayers   = 8
	mostTile     = 64
	fleetThreads = 256
)

// NewFleet takes Machines that this Backend compiled. They stay the caller's, who
// binds data, writes and reads parameters and scores between calls of Train.
func (b *Backend) NewFleet(members []kernels.Machine) (*Fleet, error) {
	f := &Fleet{backend: b}
	for i, member := range members {
		m, ok := member.(*machine)
		if !ok || m.backend != b {
			return nil, fmt.Errorf("cuda: machine %d is not this backend's", i)
		}
		f.machines = append(f.machines, m)
	}
	b.turn.Lock()
	defer b.turn.Unlock()
	for i, m := range f.machines {
		if err := f.add(m); err != nil {
			return nil, errors.Join(fmt.Errorf("cuda: machine %d: %w", i, err), f.free())
		}
	}
	return f, nil
}

func (f *Fleet) add(m *machine) error {
	p, err := newFleetPlan(m)
	if err != nil {
		return err
	}
	shared, err := p.place(f.backend.driver.Device().SharedPerBlock)
	if err != nil {
		return err
	}
	f.shared = max(f.shared, shared)
	if p.apart {
		if p.grads, err = f.allocate(4 * int(p.trial.gradients)); err != nil {
			return err
		}
	}
	if p.trial.loss, err = p.rule(f); err != nil {
		return err
	}
	p.trial.grads = p.grads
	f.plans = append(f.plans, p.trial)
	return nil
}

func (f *Fleet) allocate(bytes int) (Pointer, error) {
	p, err := f.backend.driver.Allocate(max(bytes, 1))
	if err == nil {
		f.owned = append(f.owned, p)
	}
	return p, err
}

// upload puts v on the device until Close.
func upload[T any](f *Fleet, v []T) (Pointer, error) {
	p, err := f.allocate(len(v) * int(unsafe.Sizeof(v[0])))
	if err != nil {
		return 0, err
	}
	return p, f.backend.driver.CopyIn(p, bytesOf(v))
}

// Train runs batches[i] in turn on machine i, all machines at once, and returns
// what each step reports. A machine stops at the first step that is not finite;
// the results of later ones have a NaN loss and name nothing.
func (f *Fleet) Train(batches [][]kernels.Batch) ([][]kernels.StepResult, error) {
	if len(batches) != len(f.machines) {
		return nil, fmt.Errorf("cuda: batches for %d machines, want %d", len(batches), len(f.machines))
	}
	for i, m := range f.machines {
		if err := m.checkAll(batches[i]); err != nil {
			return nil, fmt.Errorf("machine %d: %w", i, err)
		}
	}
	f.backend.turn.Lock()
	defer f.backend.turn.Unlock()
	return f.runAll(batches)
}

// runAll takes all steps in one launch, or in as few as memory has room for.
func (f *Fleet) runAll(batches [][]kernels.Batch) ([][]kernels.StepResult, error) {
	results, counts := make([][]kernels.StepResult, len(batches)), make([]int, len(batches))
	for i, list := range batches {
		counts[i] = len(list)
		results[i] = slices.Repeat([]kernels.StepResult{noResult}, len(list))
	}
	steps := newPasses(counts)
	for {
		part := steps.next(counts, func(i, from, n int) int { return f.machines[i].fits(batches[i][from : from+n]) })
		if part == nil {
			return results, nil
		}
		some := make([][]kernels.Batch, len(batches))
		for i, n := range part {
			some[i] = batches[i][steps.done[i]:][:n]
		}
		got, err := f.run(some)
		if err != nil && outOfMemory(err) && f.shrink(steps, part, planFewerSteps, err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for i, n := range part {
			copy(results[i][steps.done[i]:], got[i])
			steps.done[i] += n
			if stopped(got[i]) {
				steps.done[i] = counts[i]
			}
		}
	}
}

// shrink makes launches smaller than part was, for which there was no memory, and
// says whether that can be.
func (f *Fleet) shrink(p *passes, part []int, pieces string, why error) bool {
	plan := p.shrink(part, pieces)
	for i, n := range part {
		if n > 0 && plan != "" {
			f.machines[i].yields(plan, why)
		}
	}
	return plan != ""
}

// run launches the kernel once, for machines that have steps. What it needs goes to
// the device in one piece, and what the steps report comes back in one. Where memory
// is lacking, no step has run.
func (f *Fleet) run(batches [][]kernels.Batch) ([][]kernels.StepResult, error) {
	var trials []fleetTrial
	var cargo cargo
	reports, total := make([]int, len(batches)), 0
	for i, list := range batches {
		reports[i] = total
		total += len(list)
		if len(list) == 0 {
			continue
		}
		t := f.plans[i]
		if err := f.load(&t, f.machines[i], list, &cargo); err != nil {
			return nil, err
		}
		t.results = Pointer(reports[i]) * Pointer(unsafe.Sizeof(stepResult{}))
		trials = append(trials, t)
	}
	raw := make([]stepResult, total)
	at, list := load(&cargo, raw), cargo.reserve(len(bytesOf(trials)))
	base, err := f.room(len(cargo.bytes))
	if err != nil {
		return nil, err
	}
	for i := range trials {
		t := &trials[i]
		t.rows, t.orders, t.steps, t.results = t.rows+base, t.orders+base, t.steps+base, t.results+base+at
	}
	copy(cargo.bytes[list:], bytesOf(trials))
	driver := f.backend.driver
	if err := driver.CopyIn(base, cargo.bytes); err != nil {
		return nil, err
	}
	f.launched("fleet", func(i int) bool { return len(batches[i]) > 0 })
	err = driver.Launch(Launch{
		Kernel: "fleet", Grid: [3]int{len(trials), 1, 1}, Block: fleetThreads, Shared: f.shared,
		Args: bytesOf([]fleetArgs{{trials: base + list}}),
	})
	if err != nil {
		return nil, err
	}
	if err := driver.CopyOut(bytesOf(raw), base+at); err != nil {
		return nil, err
	}
	results := make([][]kernels.StepResult, len(batches))
	for i := range batches {
		if results[i], err = f.collect(f.machines[i], raw[reports[i]:], batches[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// cargo is memory on its way to the device; places in it are aligned to 16 bytes.
type cargo struct{ bytes []byte }

func (c *cargo) reserve(n int) Pointer {
	at := (len(c.bytes) + 15) / 16 * 16
	c.bytes = append(c.bytes, make([]byte, at+n-len(c.bytes))...)
	return Pointer(at)
}

// load adds v and returns its place.
func load[T any](c *cargo, v []T) Pointer {
	at := c.reserve(len(bytesOf(v)))
	copy(c.bytes[at:], bytesOf(v))
	return at
}

// room is the Fleet's own memory on the device, made larger where it must be.
func (f *Fleet) room(bytes int) (Pointer, error) {
	if bytes <= f.size {
		return f.memory, nil
	}
	if f.memory != 0 {
		if err := f.backend.driver.Free(f.memory); err != nil {
			return 0, err
		}
		f.owned = slices.DeleteFunc(f.owned, func(p Pointer) bool { return p == f.memory })
	}
	f.memory, f.size = 0, 0
	p, err := f.allocate(bytes)
	if err == nil {
		f.memory, f.size = p, bytes
	}
	return p, err
}

// load loads a trial's steps, at least one, their orders, and rows that are given.
// The places are those in the cargo until it is known where that goes.
func (f *Fleet) load(t *fleetTrial, m *machine, batches []kernels.Batch, c *cargo) error {
	batches, err := m.local(batches)
	if err != nil {
		return err
	}
	t.count, t.seed = int32(len(batches)), batches[0].Seed
	t.x, t.targets = m.source()
	if f.keep {
		t.keep = 1
	}
	orders, of, err := m.orders(batches)
	if err != nil {
		return err
	}
	var rows []int32
	steps := make([]fleetStep, len(batches))
	for i, b := range batches {
		steps[i] = fleetStep{step: b.Step, order: int32(of[i]), first: int32(b.First), n: int32(b.Len()), rate: b.LearningRate}
		steps[i].corrected, steps[i].correction = corrections(m.optimizer, b)
		if b.Order == nil {
			steps[i].first = int32(len(rows))
		}
		rows = append(rows, b.Rows...)
	}
	t.rows, t.orders, t.steps = load(c, rows), load(c, orders), load(c, steps)
	return nil
}

// collect turns what the device says of a machine's steps into results.
func (f *Fleet) collect(m *machine, raw []stepResult, batches []kernels.Batch) ([]kernels.StepResult, error) {
	results := make([]kernels.StepResult, len(batches))
	for i := range results {
		results[i] = noResult
		if err := f.report(m, &results[i], raw[i], batches[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// report is machine.report, but where the step was not kept and changed no
// parameter, it is done again, layer by layer, to see which buffer was not finite.
func (f *Fleet) report(m *machine, result *kernels.StepResult, r stepResult, b kernels.Batch) error {
	if r.sick == 0 || f.keep {
		return m.report(result, r, b)
	}
	if _, updated := m.program.Train[r.sick-1].(kernels.Update); updated {
		return m.report(result, r, b)
	}
	again := make([]kernels.StepResult, 1)
	err := m.trainAll([]kernels.Batch{b}, again)
	*result = again[0]
	return err
}

// Close frees what the Fleet added to its Machines, which it leaves open.
func (f *Fleet) Close() error {
	f.backend.turn.Lock()
	defer f.backend.turn.Unlock()
	return f.free()
}

func (f *Fleet) free() error {
	var failed []error
	for _, p := range f.owned {
		failed = append(failed, f.backend.driver.Free(p))
	}
	f.owned = nil
	return errors.Join(failed...)
}
