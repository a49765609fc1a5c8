package cuda

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"flowbench/kernels"
)

// The plans by which machines train and score.
const (
	planLayers = "layer by layer" // each kernel on the whole device
	planFleet  = "fleet"          // each trial in a block of its own
	PlanSpread = "spread"         // each trial over the whole device
)

// Record is what a run keeps of the device that it ran on and of what ran there.
type Record struct {
	Device     string `json:"device"`
	UUID       string `json:"uuid"`
	Capability string `json:"compute_capability"`
	Driver     string `json:"driver"`
	// Plans are those that were followed, in the order of their first launches.
	Plans []string `json:"plans"`
	// Launches counts them by kernel. One that trains several trials counts for each.
	Launches map[string]int `json:"launches"`
	// Yielded says which smaller plans were taken for want of memory, and why.
	Yielded []string `json:"yielded,omitempty"`
}

func newRecord(d Device, t *tally) Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Record{
		Device: d.Name, UUID: d.UUID, Driver: d.DriverVersion,
		Capability: fmt.Sprintf("%d.%d", d.Capability/10, d.Capability%10),
		Plans:      slices.Clone(t.plans), Launches: maps.Clone(t.launches),
		Yielded: slices.Clone(t.notes),
	}
}

// String tells it in a line.
func (r Record) String() string {
	var launches []string
	for _, name := range slices.Sorted(maps.Keys(r.Launches)) {
		launches = append(launches, fmt.Sprintf("%s %d", name, r.Launches[name]))
	}
	line := fmt.Sprintf("%s, %s, compute capability %s, driver %s; %s; launched %s",
		r.Device, r.UUID, r.Capability, r.Driver, orNothing(r.Plans), orNothing(launches))
	for _, why := range r.Yielded {
		line += "; " + why
	}
	return line
}

func orNothing(words []string) string {
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

// tally counts launches by kernel. It may be used by several goroutines.
type tally struct {
	mu       sync.Mutex
	plans    []string
	launches map[string]int
	noted    map[string]bool
	notes    []string
}

// note keeps the first text of a kind.
func (t *tally) note(kind, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.noted == nil {
		t.noted = map[string]bool{}
	}
	if !t.noted[kind] {
		t.noted[kind] = true
		t.notes = append(t.notes, text)
	}
}

func (t *tally) add(plan string, kernels map[string]int, times int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Contains(t.plans, plan) {
		t.plans = append(t.plans, plan)
	}
	if t.launches == nil {
		t.launches = map[string]int{}
	}
	for kernel, n := range kernels {
		t.launches[kernel] += n * times
	}
}

// launched counts the launches of a list, times over.
func (m *machine) launched(list []Launch, times int) {
	names := map[string]int{}
	for _, l := range list {
		names[l.Kernel]++
	}
	m.backend.tally.add(planLayers, names, times)
	if m.tally != nil {
		m.tally.add(planLayers, names, times)
	}
}

// launched counts a launch of a fleet's kernel for the Backend, and for each of the
// machines that have work in it.
func (f *Fleet) launched(kernel string, works func(machine int) bool) {
	one := map[string]int{kernel: 1}
	f.backend.tally.add(planFleet, one, 1)
	for i, m := range f.machines {
		if m.tally != nil && works(i) {
			m.tally.add(planFleet, one, 1)
		}
	}
}

// spreadLaunched counts the launches of a step, for each step of a call that is spread.
func (f *Fleet) spreadLaunched(s *spread, step []Launch) {
	names := map[string]int{}
	for _, l := range step {
		names[l.Kernel]++
	}
	f.backend.tally.add(PlanSpread, names, s.steps)
	for _, l := range s.loads {
		if l.machine.tally != nil {
			l.machine.tally.add(PlanSpread, names, len(l.batches))
		}
	}
}

// Metered is a Backend that counts apart what the Machines launch that it compiles:
// those of one trial, whose record it keeps.
type Metered struct {
	kernels.Backend
	device Device
	tally  tally
}

// Metered returns a Backend like b for one trial.
func (b *Backend) Metered() *Metered { return &Metered{Backend: b, device: b.driver.Device()} }

// Metered returns a Backend like g for one trial.
func (g *Group) Metered() *Metered { return &Metered{Backend: g, device: g.driver.Device()} }

func (b *Metered) Compile(p *kernels.Program) (kernels.Machine, error) {
	m, err := b.Backend.Compile(p)
	if err != nil {
		return nil, err
	}
	m.(interface{ countIn(*tally) }).countIn(&b.tally)
	return m, nil
}

// Record is what the Machines have launched so far, and on what.
func (b *Metered) Record() Record { return newRecord(b.device, &b.tally) }

func (m *machine) countIn(t *tally) { m.tally = t }
