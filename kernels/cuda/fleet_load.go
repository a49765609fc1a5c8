package cuda

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"flowbench/kernels"
)

// fleetLoad is what a launch of a Fleet takes to the device for one of its machines:
// the steps, at least one, their orders, and rows that are given.
type fleetLoad struct {
	machine  *machine
	index    int             // of the machine in the Fleet
	batches  []kernels.Batch // with the places of their rows on the device
	trial    fleetTrial
	set      orderSet // of the batches
	orders   []order  // as the device sees them
	rows     int      // that are given
	from, to uint64   // the lowest and the highest number of a step
	biases   *biases
	reports  int // place of its first stepResult among all
}

// loads looks at the steps of those machines that have some, and sends what lists
// and rows of theirs the device lacks.
func (f *Fleet) loads(batches [][]kernels.Batch) ([]fleetLoad, error) {
	loads := make([]fleetLoad, 0, len(batches))
	reports := 0
	for i, list := range batches {
		if len(list) == 0 {
			continue
		}
		local, err := f.machines[i].local(list)
		if err != nil {
			return nil, err
		}
		loads = append(loads, fleetLoad{machine: f.machines[i], index: i, batches: local, trial: f.plans[i], reports: reports})
		reports += len(list)
	}
	inParallel(len(loads), func(i int) { loads[i].survey() })
	for i := range loads {
		l := &loads[i]
		var err error
		if l.orders, err = l.machine.holdAll(l.set.list); err != nil {
			return nil, err
		}
	}
	shareBiases(loads)
	return loads, nil
}

// survey counts what the batches bring.
func (l *fleetLoad) survey() {
	l.from = l.batches[0].Step
	for i := range l.batches {
		b := &l.batches[i]
		l.set.number(b.Order)
		l.rows += len(b.Rows)
		l.from, l.to = min(l.from, b.Step), max(l.to, b.Step)
	}
}

// reserve finds the places in the cargo.
func (l *fleetLoad) reserve(c *cargo) {
	t := &l.trial
	t.rows, t.orders, t.steps = reserve[int32](c, l.rows), reserve[order](c, len(l.orders)), reserve[fleetStep](c, len(l.batches))
}

// fill fills them, and returns the trial of a cargo that goes to base, with results
// at the other place. It may run beside that of other loads.
func (l *fleetLoad) fill(c *cargo, base, results Pointer, keep bool) fleetTrial {
	t := l.trial
	rows, steps := within[int32](c, t.rows, l.rows), within[fleetStep](c, t.steps, len(l.batches))
	copy(within[order](c, t.orders, len(l.orders)), l.orders)
	sent := 0
	for i := range l.batches {
		b := &l.batches[i]
		s := &steps[i]
		*s = fleetStep{step: b.Step, order: l.set.number(b.Order), first: int32(b.First), n: int32(b.Len()), rate: b.LearningRate}
		s.corrected, s.correction = l.biases.at(b.Step).corrections(b.LearningRate)
		if b.Order == nil {
			s.first = int32(sent)
		}
		sent += copy(rows[sent:], b.Rows)
	}
	t.count, t.seed = int32(len(l.batches)), l.batches[0].Seed
	t.x, t.targets = l.machine.source()
	t.rows, t.orders, t.steps = t.rows+base, t.orders+base, t.steps+base
	t.results = results + Pointer(l.reports)*Pointer(unsafe.Sizeof(stepResult{}))
	if keep {
		t.keep = 1
	}
	return t
}

// inParallel calls work for the numbers below n, in any order, from as many
// goroutines as GOMAXPROCS allows, and returns after the last.
func inParallel(n int, work func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var at atomic.Int64
	takeAll := func() {
		for i := int(at.Add(1)) - 1; i < n; i = int(at.Add(1)) - 1 {
			work(i)
		}
	}
	var others sync.WaitGroup
	for range workers - 1 {
		others.Go(takeAll)
	}
	takeAll()
	others.Wait()
}
