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
	spread   Spread
	owned    []Pointer
	memory   Pointer      // what a call sends and fetches
	size     int          // bytes there
	cargo    cargo        // what it sends
	raw      []stepResult // what it fetches
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
	if p.layout.gradientsApart {
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
	wrong := make([]error, len(batches))
	inParallel(len(batches), func(i int) { wrong[i] = f.machines[i].checkAll(batches[i]) })
	for i, err := range wrong {
		if err != nil {
			return nil, fmt.Errorf("machine %d: %w", i, err)
		}
	}
	return f.trainChecked(batches)
}

// trainChecked is Train of batches, some for each machine, that checkAll has passed.
func (f *Fleet) trainChecked(batches [][]kernels.Batch) ([][]kernels.StepResult, error) {
	f.backend.turn.Lock()
	defer f.backend.turn.Unlock()
	results := make([][]kernels.StepResult, len(batches))
	inParallel(len(batches), func(i int) {
		results[i] = slices.Repeat([]kernels.StepResult{noResult}, len(batches[i]))
	})
	if err := f.runAll(batches, results); err != nil {
		return nil, err
	}
	return results, nil
}

// runAll takes all steps in one launch, or in as few as memory has room for. The
// results are none so far.
func (f *Fleet) runAll(batches [][]kernels.Batch, results [][]kernels.StepResult) error {
	counts := make([]int, len(batches))
	for i, list := range batches {
		counts[i] = len(list)
	}
	steps := newPasses(counts)
	for {
		part := steps.next(counts, func(i, from, n int) int { return f.machines[i].fits(batches[i][from : from+n]) })
		if part == nil {
			return nil
		}
		some, into := make([][]kernels.Batch, len(batches)), make([][]kernels.StepResult, len(batches))
		for i, n := range part {
			some[i], into[i] = batches[i][steps.done[i]:][:n], results[i][steps.done[i]:][:n]
		}
		err := f.run(some, into)
		if err != nil && outOfMemory(err) && f.shrink(steps, part, planFewerSteps, err) {
			continue
		}
		if err != nil {
			return err
		}
		for i, n := range part {
			steps.done[i] += n
			if stopped(into[i]) {
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

// run takes steps, of machines that have some. What they need goes to the device in
// one piece, and what they report comes back in one. Where memory is lacking, no step
// has run.
func (f *Fleet) run(batches [][]kernels.Batch, results [][]kernels.StepResult) error {
	loads, err := f.loads(batches)
	if err != nil {
		return err
	}
	c, total := &f.cargo, 0
	c.empty()
	for i := range loads {
		loads[i].reserve(c)
		total += len(loads[i].batches)
	}
	list := reserve[fleetTrial](c, len(loads))
	f.raw = slices.Grow(f.raw[:0], total)[:total]
	reports, size := c.end(), len(bytesOf(f.raw))
	end := (int(reports) + size + 15) / 16 * 16
	spread, base, err := f.spreadRoom(loads, end)
	if err != nil {
		return err
	}
	reports += base
	c.pack()
	trials := within[fleetTrial](c, list, len(loads))
	inParallel(len(loads), func(i int) { trials[i] = loads[i].fill(c, base, reports, f.keep) })
	driver := f.backend.driver
	if err := driver.CopyIn(base, c.bytes()); err != nil {
		return err
	}
	if err := driver.Zero(reports, size); err != nil { // for steps that do not run
		return err
	}
	if err := f.launch(loads, spread, base+list, base+Pointer(end)); err != nil {
		return err
	}
	if err := driver.CopyOut(bytesOf(f.raw), reports); err != nil {
		return err
	}
	if spread != nil {
		if err := f.addFlags(spread, base+Pointer(end)); err != nil {
			return err
		}
	}
	return f.collect(loads, batches, results)
}

// spreadRoom makes room for a call's cargo and reports, which end there, and for what
// spreads its trials, if they are to be spread and memory has room for that.
func (f *Fleet) spreadRoom(loads []fleetLoad, end int) (*spread, Pointer, error) {
	if s := f.planSpread(loads); s != nil {
		base, err := f.room(end + s.bytes)
		if !outOfMemory(err) {
			return s, base, err
		}
	}
	base, err := f.room(end)
	return nil, base, err
}

// launch trains the trials of the loads: spread, where that is planned, with the
// memory at that place, or each in a block of its own.
func (f *Fleet) launch(loads []fleetLoad, s *spread, trials, memory Pointer) error {
	if s != nil {
		return f.launchSpread(s, trials, memory)
	}
	works := map[int]bool{}
	for _, l := range loads {
		works[l.index] = true
	}
	f.launched("fleet", func(i int) bool { return works[i] })
	return f.backend.driver.Launch(Launch{
		Kernel: "fleet", Grid: [3]int{len(loads), 1, 1}, Block: fleetThreads, Shared: f.shared,
		Args: bytesOf([]fleetArgs{{trials: trials}}),
	})
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

// collect turns what the device says of the machines' steps into results, which are
// none so far.
func (f *Fleet) collect(loads []fleetLoad, batches [][]kernels.Batch, results [][]kernels.StepResult) error {
	fine := make([]int, len(loads))
	inParallel(len(loads), func(i int) { fine[i] = reportFine(results[loads[i].index], f.raw[loads[i].reports:]) })
	for i, l := range loads {
		into, raw := results[l.index], f.raw[l.reports:]
		for s := fine[i]; s < len(into); s++ {
			if err := f.report(l.machine, &into[s], raw[s], batches[l.index][s]); err != nil {
				return err
			}
		}
	}
	return nil
}

// reportFine is machine.report for the steps before the first that is not finite,
// and says how many those are.
func reportFine(results []kernels.StepResult, raw []stepResult) int {
	for i := range results {
		if raw[i].sick != 0 {
			return i
		}
		if raw[i].done != 0 {
			results[i].Loss = raw[i].loss
		}
	}
	return len(results)
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
