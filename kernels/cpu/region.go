package cpu

import (
	"sync/atomic"

	"flowbench/kernels"
)

// A region is a run of instructions, or parts of them, whose samples do not
// depend on one another. Its batch is cut into slots, and a slot into slices: a
// worker takes a slice through all stages of the region while it is in cache.

// sliceRows is the samples of a slice: small enough for a slice of the README's
// networks to stay in a second-level cache, large enough that a register tile of
// a weight's gradient is loaded and stored seldom.
const sliceRows = 64

const (
	maxSlots     = 16
	manyRows     = 1024          // a larger batch has up to maxSlots slots, others half of that
	manySums     = 1 << 17       // float32 a slot: half a megabyte
	manySumsRows = 4 * sliceRows // the least rows of a slot with more sums than that
)

// slots says how many rows a slot has and how many slots there are. More slots
// keep more threads busy, fewer have less to merge; with many parameters a merge
// costs more. The numbers depend on the batch and the Program alone.
func slots(batch, sums int) (rows, count int) {
	most := maxSlots / 2
	if batch > manyRows {
		most = maxSlots
	}
	rows = max(sliceRows, blocks(blocks(batch, most), sliceRows)*sliceRows)
	if sums > manySums {
		rows = max(rows, manySumsRows)
	}
	return rows, blocks(batch, rows)
}

// slotCount is the most slots that a batch of up to batch rows has. A smaller one
// may have more than the largest: 600 rows make 5 slots of 128, 512 make 8 of 64.
func slotCount(batch, sums int) int {
	least := sliceRows
	if sums > manySums {
		least = manySumsRows
	}
	most := maxSlots / 2
	if batch > manyRows {
		most = maxSlots
	}
	return min(blocks(batch, least), most)
}

func blocks(n, size int) int { return (n + size - 1) / size }

// slice is the samples first to first+n of the batch, with the memory that holds them.
type slice struct {
	*worker
	memory   []float32
	at       int // row of the first sample in memory
	first, n int
	// partial is the slot's part of the sums over samples, of which the first
	// slice of a slot sets what later ones add to.
	partial []float32
	fresh   bool
}

// stage is a part of an instruction that computes a slice's rows from the same
// slice's rows, and adds to its slot's sums.
type stage interface {
	slice(s *step, sl *slice)
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// finisher is a stage with something left to do when all slices are done.
type finisher interface{ finish(s *step) }

// partials is the slots' memory for sums. Slots are merged in a tree whose shape
// their number alone decides: whoever finishes the second of two slots adds it to
// the first. Threads take neighbouring slots, so most merges stay in one cache.
type partials struct {
	memory  []float32
	stride  int // float32 a slot
	arrived [maxSlots]atomic.Int32
}

func newPartials(sums, batch int) partials {
	stride := roundUp(sums, kernels.Alignment)
	return partials{memory: make([]float32, stride*slotCount(batch, stride)+margin), stride: stride}
}

func (p *partials) slot(i int) []float32 { return p.memory[i*p.stride : (i+1)*p.stride] }

// region runs its stages over slots. Beside the stages' own results it leaves
// the sums from sumFrom to sumEnd in slot 0.
type region struct {
	stages          []stage
	sumFrom, sumEnd int
	operations      int // a sample
	slotRows, slots int // of the batch in hand
}

func (r *region) run(s *step) {
	n := len(s.rows)
	r.slotRows, r.slots = slots(n, s.partials.stride)
	for i := range s.partials.arrived {
		s.partials.arrived[i].Store(0)
	}
	s.pool.run(s, r, r.slots, n*r.operations)
	for _, st := range r.stages {
		if f, ok := st.(finisher); ok {
			f.finish(s)
		}
	}
}

func (r *region) cell(s *step, w *worker, slot int) {
	end := min((slot+1)*r.slotRows, len(s.rows))
	for i := slot * r.slotRows; i < end; i += sliceRows {
		sl := &w.current
		*sl = s.slice(w, i, min(sliceRows, end-i))
		sl.fresh = i == slot*r.slotRows
		if s.partials.stride > 0 {
			sl.partial = s.partials.slot(slot)
		}
		r.through(s, sl)
	}
	if r.sumEnd > r.sumFrom {
		r.merge(s, slot)
	}
}

// through takes a slice through all stages.
func (r *region) through(s *step, sl *slice) {
	for _, st := range r.stages {
		st.slice(s, sl)
	}
}

// merge adds the slot to its neighbours as far as they have arrived.
func (r *region) merge(s *step, slot int) {
	for width := 1; width < r.slots; width *= 2 {
		first := slot / (2 * width) * 2 * width
		if first+width >= r.slots {
			continue // it has no neighbour on this level
		}
		// The merges of one width lie together, those of twice the width before them.
		merge := maxSlots/(2*width) + first/(2*width)
		if s.partials.arrived[merge].Add(1) == 1 {
			return // the neighbour will do it
		}
		into, from := s.partials.slot(first), s.partials.slot(first+width)
		s.level.add(into[r.sumFrom:r.sumEnd], from[r.sumFrom:r.sumEnd])
		slot = first
	}
}
