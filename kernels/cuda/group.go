package cuda

import (
	"errors"
	"fmt"
	"sync"

	"flowbench/kernels"
)

// Group is a Backend for trials that train at once, each in a goroutine of its
// own. Steps that are asked for while the device is busy wait, and then run side
// by side, a trial a multiprocessor; programs that no multiprocessor holds run
// layer by layer, one after another. Who trains beside whom makes no difference
// to what a trial learns.
type Group struct {
	*Backend
	Spread  Spread // of its fleets; set before the first step
	mu      sync.Mutex
	waiting []*request
	busy    bool // one of those who wait trains for all
}

// NewGroup returns a Group on a device.
func NewGroup(d Driver) *Group { return &Group{Backend: New(d)} }

// request is a Machine's steps, or rows to score, on their way through the device.
type request struct {
	machine *machine
	batches []kernels.Batch
	results []kernels.StepResult
	rows    []int32
	dst     []float32 // nil for steps
	err     error
	done    chan struct{}
	turn    chan struct{} // to do the work of all who wait
}

// Compile is Backend.Compile, for a Machine that trains beside others where it can.
func (g *Group) Compile(p *kernels.Program) (kernels.Machine, error) {
	m, err := g.Backend.Compile(p)
	if err != nil {
		return nil, err
	}
	f, err := g.NewFleet([]kernels.Machine{m})
	if errors.Is(err, ErrNotForFleet) {
		return m, nil
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return &groupMachine{m.(*machine), g}, nil
}

type groupMachine struct {
	*machine
	group *Group
}

func (m *groupMachine) Train(b kernels.Batch) (kernels.StepResult, error) {
	results := make([]kernels.StepResult, 1)
	err := m.TrainAll([]kernels.Batch{b}, results)
	return results[0], err
}

// TrainAll waits for the device and trains together with whoever waits as well.
func (m *groupMachine) TrainAll(batches []kernels.Batch, results []kernels.StepResult) error {
	return m.group.submit(&request{machine: m.machine, batches: batches, results: results})
}

// submit waits until r is done, by its caller or by another who waits.
func (g *Group) submit(r *request) error {
	r.done, r.turn = make(chan struct{}), make(chan struct{})
	if g.enter(r) {
		close(r.turn)
	}
	select {
	case <-r.done:
	case <-r.turn:
		g.work()
	}
	return r.err
}

// enter queues r, and says whether its caller is to do the work.
func (g *Group) enter(r *request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, r)
	if g.busy {
		return false
	}
	g.busy = true
	return true
}

// work serves all who wait, and then hands over to the first who has come since.
func (g *Group) work() {
	g.mu.Lock()
	all := g.waiting
	g.waiting = nil
	g.mu.Unlock()
	g.serve(all)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range all {
		close(r.done)
	}
	if len(g.waiting) == 0 {
		g.busy = false
		return
	}
	close(g.waiting[0].turn)
}

// serve runs the steps as one fleet and the scoring as another; those that are
// wrong are left out.
func (g *Group) serve(all []*request) {
	var train, score []*request
	inParallel(len(all), func(i int) { all[i].err = all[i].check() })
	for _, r := range all {
		if r.err != nil {
			continue
		}
		if r.dst != nil {
			score = append(score, r)
		} else {
			train = append(train, r)
		}
	}
	results, err := g.trainFleet(train)
	for i, r := range train {
		if r.err = err; err == nil {
			copy(r.results, results[i])
		}
	}
	err = g.scoreFleet(score)
	for _, r := range score {
		r.err = err
	}
}

// check says what is wrong with a request, whose results are none so far.
func (r *request) check() error {
	if r.dst != nil {
		return r.machine.checkPredict(r.rows, r.dst)
	}
	for i := range r.results {
		r.results[i] = noResult
	}
	if len(r.results) != len(r.batches) {
		return fmt.Errorf("cuda: %d results for %d batches", len(r.results), len(r.batches))
	}
	return r.machine.checkAll(r.batches)
}

func (g *Group) trainFleet(list []*request) ([][]kernels.StepResult, error) {
	if len(list) == 0 {
		return nil, nil
	}
	f, err := g.NewFleet(machinesOf(list))
	if err == nil {
		f.SetSpread(g.Spread)
	}
	if half := g.half(list, err); half > 0 {
		first, err := g.trainFleet(list[:half])
		if err != nil {
			return nil, err
		}
		rest, err := g.trainFleet(list[half:])
		return append(first, rest...), err
	}
	if err != nil {
		return nil, err
	}
	batches := make([][]kernels.Batch, len(list))
	for i, r := range list {
		batches[i] = r.batches
	}
	results, err := f.trainChecked(batches)
	return results, errors.Join(err, f.Close())
}

// half is how many of list make a fleet of their own where there was no memory for
// all at once; 0: the error is another, or there is but one.
func (g *Group) half(list []*request, err error) int {
	if err == nil || !outOfMemory(err) || len(list) == 1 {
		return 0
	}
	for _, r := range list {
		r.machine.yields(planFewerTrials, err)
	}
	return len(list) / 2
}
