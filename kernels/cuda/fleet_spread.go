package cuda

// Spread says when a Fleet spreads its trials over the device: each takes as many
// multiprocessors as its batch has tiles, in three launches a step, instead of one
// multiprocessor in one launch for all its steps. The bits are the same either way.
type Spread int

// A Fleet begins with SpreadFew.
const (
	SpreadFew    Spread = iota // where the trials are so few that it is faster
	SpreadNever                // whatever their number
	SpreadAlways               // wherever the kernels can
)

// SetSpread changes when the Fleet spreads its trials.
func (f *Fleet) SetSpread(s Spread) { f.spread = s }

// spreadTrial is SpreadTrial in fleet.cu.
type spreadTrial struct{ parts, losses, flags Pointer }

type spreadArgs struct {
	trials, spread Pointer
	step, reserved int32
}

// The flags of fleet.cu: 0 is fine, anything else is that of an instruction.
const (
	neverRuns       = -1 << 31
	lastInstruction = 1 << 30
)

// spread is a call that is spread: what its trials' blocks tell one another, in
// device memory. Flags come first, then the table of the trials.
type spread struct {
	loads        []fleetLoad
	trials       []spreadTrial // with places from the beginning of the memory
	tiles, steps int           // most of a trial
	gradients    int
	flags        int // bytes
	table, bytes int
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
		l := &loads[i]
		if l.trial.maxNorm > 0 {
			return nil
		}
		for _, b := range l.batches {
			s.tiles = max(s.tiles, blocks(b.Len(), int(l.trial.tile)))
		}
		s.steps, s.gradients = max(s.steps, len(l.batches)), max(s.gradients, int(l.trial.gradients))
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
	s.flags = s.bytes
	s.table = take(len(bytesOf(s.trials)))
	for i := range s.trials {
		s.trials[i].losses = Pointer(take(8 * s.tiles))
		s.trials[i].parts = Pointer(take(4 * s.tiles * s.gradients))
	}
}

// launchSpread takes the steps of the trials, which are on the device with their
// cargo, using the memory at that place.
func (f *Fleet) launchSpread(s *spread, trials, memory Pointer) error {
	driver := f.backend.driver
	for i := range s.trials {
		t := &s.trials[i]
		t.parts, t.losses, t.flags = t.parts+memory, t.losses+memory, t.flags+memory
	}
	table := memory + Pointer(s.table)
	if err := driver.Zero(memory, s.flags); err != nil {
		return err
	}
	if err := driver.CopyIn(table, bytesOf(s.trials)); err != nil {
		return err
	}
	cells := [3]int{blocks(s.gradients, fleetThreads), len(s.trials), 1}
	step := []Launch{
		{Kernel: "spread_tile", Grid: [3]int{s.tiles, len(s.trials), 1}, Shared: f.shared},
		{Kernel: "spread_sum", Grid: cells},
		{Kernel: "spread_update", Grid: cells},
	}
	for i := range s.steps {
		args := bytesOf([]spreadArgs{{trials: trials, spread: table, step: int32(i)}})
		for _, l := range step {
			l.Block, l.Args = fleetThreads, args
			if err := driver.Launch(l); err != nil {
				return err
			}
		}
	}
	f.spreadLaunched(s, step)
	return nil
}

// addFlags fetches the flags and completes the reports with them.
func (f *Fleet) addFlags(s *spread, memory Pointer) error {
	flags := make([]int32, s.flags/4)
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
