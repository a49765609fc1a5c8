package cpu

import "sync"

// pool is the threads of one Machine. Its workers are started once and sleep
// between jobs, so that a step creates no goroutine and allocates nothing.
type pool struct {
	wake    chan struct{} // a token is a hint: there may be cells to run
	workers int           // beside the caller of run

	mu       sync.Mutex
	finished sync.Cond // done has reached count
	// The job in progress: cells below next are taken, done of them are done.
	job               job
	step              *step
	next, done, count int
}

// job is work split into numbered cells. Cells run in any order, on any thread,
// and no cell may read what another writes: that is what makes the result
// independent of the number of threads.
type job interface {
	cell(s *step, index int)
}

func newPool(threads int) *pool {
	p := &pool{wake: make(chan struct{}, threads), workers: threads - 1}
	p.finished.L = &p.mu
	for range p.workers {
		go func() {
			for range p.wake {
				p.work()
			}
		}()
	}
	return p
}

// worthWaking is how many multiply-adds, or operations of like cost, a job must
// have before it is spread: about 20 µs of work at the 3 multiply-adds a
// nanosecond that tile.go reaches. In a shorter job a sleeping thread hardly
// gets started; offering one in vain costs the caller 0.1 µs (measured, two cores).
const worthWaking = 1 << 16

// run runs cells 0 to count-1 and returns when all are done. operations is the
// job's size; a small job stays on the calling thread. A worker that wakes too
// late finds nothing to do, and nobody waits for it.
func (p *pool) run(s *step, j job, count, operations int) {
	helpers := min(p.workers, count-1)
	if operations < worthWaking || helpers <= 0 {
		for i := range count {
			j.cell(s, i)
		}
		return
	}
	p.mu.Lock()
	p.job, p.step, p.next, p.done, p.count = j, s, 0, 0, count
	p.mu.Unlock()
	for range helpers {
		select {
		case p.wake <- struct{}{}:
		default: // enough workers are on their way already
		}
	}
	p.work()
	p.mu.Lock()
	for p.done < count {
		p.finished.Wait()
	}
	p.mu.Unlock()
}

// work runs cells of the job in progress until none is left to take.
func (p *pool) work() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.next < p.count {
		job, step, index := p.job, p.step, p.next
		p.next++
		p.mu.Unlock()
		job.cell(step, index)
		p.mu.Lock()
		p.done++
		if p.done == p.count {
			p.finished.Signal()
		}
	}
}

// close ends the workers; the pool must not run again.
func (p *pool) close() { close(p.wake) }
