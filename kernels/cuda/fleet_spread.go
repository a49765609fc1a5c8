package cuda

import "errors"

// Spread says when a Fleet spreads its trials over the device: each takes all of it
// that it can, in four launches a step, instead of one multiprocessor in one launch
// for all its steps. The bits are the same either way.
type Spread int

// A Fleet begins with SpreadFew.
const (
	SpreadFew    Spread = iota // where the trials are so few that it is faster
	SpreadNever                // whatever their number
	SpreadAlways               // wherever the kernels can
)

// SetSpread changes when the Fleet spreads its trials.
func (f *Fleet) SetSpread(s Spread) { f.spread = s }

// spreadTrial is SpreadTrial in spread.cu.
type spreadTrial struct {
	saved, losses, parts, flags Pointer
	batch, reserved             int32
}

type spreadArgs struct {
	trials, spread, next Pointer
	rows, reserved       int32
}

// The flags of spread.cu: 0 is fine, anything else is that of an instruction.
const (
	neverRuns       = -1 << 31
	lastInstruction = 1 << 30
)

// spread is a call that is spread: what its trials' blocks tell one another, in
// device memory. Flags come first, then the number of the step, then the table of the
// trials.
type spread struct {
	loads  []fleetLoad
	trials []spreadTrial // with places from the beginning of the memory
	// The most of a trial: steps, rows of a batch, tiles, layers, float32 that are saved
	// of a row, and gradients.
	steps, batch, tiles, layers, saved, gradients int
	next                                          int // place of the two numbers of the step
	zeros                                         int // bytes that begin with zeros
	table, bytes                                  int
}

// planSpread plans the call, or returns nil where its trials are not to be spread.
// Clipping needs all of a trial's gradients in one place, as keeping does what a
// step computes.
func (f *Fleet) planSpread(loads []fleetLoad) *spread {
	if f.keep || f.spread == SpreadNever {
		return nil
	}
	s := &spread{loads: loads, trials: make([]spreadTrial, len(loads))}
	for i := range loads {
		t := &loads[i].trial
		if t.maxNorm > 0 {
			return nil
		}
		saved := int(t.inputPitch)
		for _, l := range t.layer[:t.layers] {
			saved += 2 * int(l.pitch)
		}
		for _, b := range loads[i].batches {
			s.batch, s.tiles = max(s.batch, b.Len()), max(s.tiles, blocks(b.Len(), int(t.tile)))
		}
		s.steps, s.layers = max(s.steps, len(loads[i].batches)), max(s.layers, int(t.layers))
		s.saved, s.gradients = max(s.saved, saved), max(s.gradients, int(t.gradients))
	}
	// A tile by itself is taken to last twice as long: it fetches the weights and
	// leaves as many gradients to be added up.
	rounds := blocks(len(loads)*s.tiles, f.backend.driver.Device().Processors)
	if f.spread == SpreadFew && 2*rounds >= s.tiles {
		return nil
	}
	s.place()
	return s
}

// place lays out the memory.
func (s *spread) place() {
	take := func(bytes int) int {
		at := s.bytes
		s.bytes += (bytes + 15) / 16 * 16
		return at
	}
	for i := range s.trials {
		s.trials[i].flags = Pointer(take(4 * 2 * len(s.loads[i].batches)))
	}
	s.next = take(2 * 4)
	s.zeros = s.bytes
	s.table = take(len(bytesOf(s.trials)))
	for i := range s.trials {
		s.trials[i].batch = int32(s.batch)
		s.trials[i].losses = Pointer(take(8 * s.batch))
		s.trials[i].saved = Pointer(take(4 * s.batch * s.saved))
		s.trials[i].parts = Pointer(take(4 * s.tiles * s.gradients))
	}
}

// rows is how many samples a block of spread_rows takes: the device's share, but
// eight at least, as few rows keep no more threads busy, and a tile at most.
func (s *spread) rows(processors int) int {
	rows := max((blocks(len(s.trials)*s.batch, processors)+7)/8*8, 8)
	for i := range s.loads {
		rows = min(rows, int(s.loads[i].trial.tile))
	}
	return rows
}

// launchSpread takes the steps of the trials, which are on the device with their
// cargo, using the memory at that place.
func (f *Fleet) launchSpread(s *spread, trials, memory Pointer) error {
	driver := f.backend.driver
	for i := range s.trials {
		t := &s.trials[i]
		t.saved, t.losses, t.parts, t.flags = t.saved+memory, t.losses+memory, t.parts+memory, t.flags+memory
	}
	table := memory + Pointer(s.table)
	if err := driver.Zero(memory, s.zeros); err != nil {
		return err
	}
	if err := driver.CopyIn(table, bytesOf(s.trials)); err != nil {
		return err
	}
	rows, each := s.rows(driver.Device().Processors), len(s.trials)
	cells := [3]int{blocks(s.gradients, fleetThreads), each, 1}
	step := []Launch{
		{Kernel: "spread_rows", Grid: [3]int{blocks(s.batch, rows), each, 1}, Shared: f.shared},
		{Kernel: "spread_weights", Grid: [3]int{s.tiles * s.layers, each, 1}, Shared: f.shared},
		{Kernel: "spread_sum", Grid: cells, Shared: 8 * fleetThreads},
		{Kernel: "spread_update", Grid: cells},
	}
	args := bytesOf([]spreadArgs{{trials: trials, spread: table, next: memory + Pointer(s.next), rows: int32(rows)}})
	for i := range step {
		step[i].Block, step[i].Args = fleetThreads, args
	}
	graph, err := driver.Record(step)
	if err != nil {
		return err
	}
	for range s.steps {
		if err := graph.Replay(); err != nil {
			return errors.Join(err, graph.Close())
		}
	}
	f.spreadLaunched(s, step)
	return graph.Close()
}

// addFlags fetches the flags and completes the reports with them.
func (f *Fleet) addFlags(s *spread, memory Pointer) error {
	flags := make([]int32, s.next/4)
	if err := f.backend.driver.CopyOut(bytesOf(flags), memory); err != nil {
		return err
	}
	for i, l := range s.loads {
		raw := f.raw[l.reports:][:len(l.batches)]
		before := flags[(s.trials[i].flags-memory)/4:]
		after := before[len(raw):]
		for k := range raw {
			switch {
			case before[k] != 0 && before[k] != neverRuns:
				raw[k].sick = before[k] + lastInstruction + 1
			case after[k] != 0:
				raw[k].sick = after[k] + lastInstruction + 1
			}
		}
	}
	return nil
}
