package cpu

import (
	"runtime"
	"sync/atomic"
)

// pool is the threads of one Machine. Helpers are started once. Between jobs
// they spin for a while, since a step gives the next job within microseconds,
// and then sleep, so that an idle Machine costs nothing. A job allocates nothing
// and takes no lock.
type pool struct {
	workers []*worker // workers[0] is the caller's own

	// state is the number of the job, whether it is open, and how many helpers
	// are in it: number<<32 | open | count. The caller may change job and step
	// only while no helper is in.
	state  atomic.Uint64
	closed atomic.Bool
	job    job
	step   *step
}

const open = 1 << 31

// job is work split into numbered cells. Cells run in any order, on any thread,
// and no cell may read what another writes unless it takes care itself.
type job interface {
	cell(s *step, w *worker, index int)
}

// worker is what belongs to one thread.
type worker struct {
	// left is the run of cells that this thread is to take, first<<32 | end. It
	// takes them from the front; who has none left steals from the back.
	left   atomic.Uint64
	asleep atomic.Bool
	wake   chan struct{}
	_      [64]byte // keeps the words above off the cache line of what follows

	current    slice
	memory     []float32 // a slice's activations, where they are not kept (see places)
	transposed []float32 // plainOuter
	panels     [][plainWidth]float32
}

func newPool(threads int, newWorker func() *worker) *pool {
	p := &pool{workers: make([]*worker, threads)}
	for i := range p.workers {
		p.workers[i] = newWorker()
		p.workers[i].wake = make(chan struct{}, 1)
		if i > 0 {
			go p.help(p.workers[i])
		}
	}
	return p
}

// worthSharing is how many multiply-adds, or operations of like cost, a job must
// have before it is spread: about a microsecond at AVX-512's speed, which is
// what a spinning helper needs to join and leave (measured on two cores).
const worthSharing = 1 << 15

// run runs cells 0 to count-1 and returns when all are done. operations is the
// job's size; a small job stays on the calling thread. A helper that comes too
// late finds the job closed, and nobody waits for it.
func (p *pool) run(s *step, j job, count, operations int) {
	threads := min(len(p.workers), count)
	if operations < worthSharing || threads < 2 {
		for i := range count {
			j.cell(s, p.workers[0], i)
		}
		return
	}
	for i, w := range p.workers {
		first, end := i*count/threads, (i+1)*count/threads
		if i >= threads {
			first, end = 0, 0
		}
		w.left.Store(uint64(first)<<32 | uint64(end))
	}
	p.job, p.step = j, s
	p.state.Store((p.state.Load()>>32+1)<<32 | open)
	for _, w := range p.workers[1:threads] {
		if w.asleep.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	p.work(p.workers[0])
	p.state.And(^uint64(open))
	for spins := 0; uint32(p.state.Load()) != 0; spins++ {
		rest(spins)
	}
}

// work runs cells until none is left to take.
func (p *pool) work(w *worker) {
	for {
		index, ok := w.take()
		for i := 0; !ok && i < len(p.workers); i++ {
			index, ok = p.workers[i].lose()
		}
		if !ok {
			return
		}
		p.job.cell(p.step, w, index)
	}
}

// take takes the first of w's own cells.
func (w *worker) take() (int, bool) {
	for {
		left := w.left.Load()
		if left>>32 >= left&0xFFFFFFFF {
			return 0, false
		}
		if w.left.CompareAndSwap(left, left+1<<32) {
			return int(left >> 32), true
		}
	}
}

// lose takes the last of w's cells for another.
func (w *worker) lose() (int, bool) {
	for {
		left := w.left.Load()
		if left>>32 >= left&0xFFFFFFFF {
			return 0, false
		}
		if w.left.CompareAndSwap(left, left-1) {
			return int(left&0xFFFFFFFF) - 1, true
		}
	}
}

// help joins one job after the other.
func (p *pool) help(w *worker) {
	done := uint64(0) // the last job that this helper was in
	for spins := 0; !p.closed.Load(); spins++ {
		state := p.state.Load()
		if state&open == 0 || state>>32 == done {
			if spins >= patience {
				w.sleep(p, state)
				spins = 0
			}
			rest(spins)
			continue
		}
		if p.state.CompareAndSwap(state, state+1) {
			done, spins = state>>32, 0
			p.work(w)
			p.state.Add(^uint64(0))
		}
	}
}

// sleep waits for a token, unless a job came after state was read.
func (w *worker) sleep(p *pool, state uint64) {
	w.asleep.Store(true)
	if (p.state.Load()>>32 != state>>32 || p.closed.Load()) && w.asleep.CompareAndSwap(true, false) {
		return
	}
	<-w.wake
}

// patience is how many rests a helper spins before it sleeps, some 50 µs: longer
// than what a step does between two jobs, shorter than anyone would notice.
const patience = 1000

// rest waits about 50 ns; a long wait gives the thread to others now and then.
func rest(spins int) {
	if spins%256 == 255 {
		runtime.Gosched()
	}
	pause()
}

// close ends the helpers; the pool must not run again.
func (p *pool) close() {
	p.closed.Store(true)
	for _, w := range p.workers[1:] {
		if w.asleep.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
}
