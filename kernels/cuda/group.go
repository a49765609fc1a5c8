package cuda

import (
	"errors"
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
	mu      sync.Mutex
	waiting []*request
	busy    bool // one of those who wait trains for all
}

// NewGroup returns a Group on a device.
func NewGroup(d Driver) *Group { return &Group{Backend: New(d)} }

// request is a Machine's steps on their way through the device.
type request struct {
	machine *machine
	batches []kernels.Batch
	results []kernels.StepResult
	err     error
	done    chan struct{}
	turn    chan struct{} // to train for all who wait
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
	r := &request{machine: m.machine, batches: batches, results: results, done: make(chan struct{}), turn: make(chan struct{})}
	if m.group.enter(r) {
		close(r.turn)
	}
	select {
	case <-r.done:
	case <-r.turn:
		m.group.train()
	}
	return r.err
}

// enter queues r, and says whether its caller is to train.
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

// train trains all who wait, and then hands over to the first who has come since.
func (g *Group) train() {
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

// serve runs the requests as one fleet, those apart that are wrong.
func (g *Group) serve(all []*request) {
	var good []*request
	for _, r := range all {
		for i := range r.results {
			r.results[i] = noResult
		}
		switch r.err = r.machine.checkAll(r.batches); {
		case r.err != nil:
		case len(r.results) != len(r.batches):
			r.err = errors.New("cuda: as many results as batches are needed")
		default:
			good = append(good, r)
		}
	}
	results, err := g.runFleet(good)
	for i, r := range good {
		if r.err = err; err == nil {
			copy(r.results, results[i])
		}
	}
}

func (g *Group) runFleet(list []*request) ([][]kernels.StepResult, error) {
	if len(list) == 0 {
		return nil, nil
	}
	machines, batches := make([]kernels.Machine, len(list)), make([][]kernels.Batch, len(list))
	for i, r := range list {
		machines[i], batches[i] = r.machine, r.batches
	}
	f, err := g.NewFleet(machines)
	if err != nil {
		return nil, err
	}
	results, err := f.Train(batches)
	return results, errors.Join(err, f.Close())
}
