package cpu

import (
	"runtime"
	"testing"
	"time"
)

func newTestPool(t testing.TB, threads int) *pool {
	p := newPool(threads, func() *worker { return &worker{} })
	t.Cleanup(p.close)
	return p
}

type countingJob struct{ ran []int }

func (j *countingJob) cell(_ *step, _ *worker, index int) {
	runtime.Gosched()
	j.ran[index]++
}

// A pool must run each cell once, whoever is late, and must not start a job's
// successor before it is done: the race detector sees a cell that is still
// running when the next job is made.
func TestPoolRunsEachCellOnce(t *testing.T) {
	p := newTestPool(t, 4)
	for round := range 400 {
		count := round%9 + 1
		j := &countingJob{ran: make([]int, count)}
		p.run(nil, j, count, worthSharing)
		for i, n := range j.ran {
			if n != 1 {
				t.Fatalf("round %d: cell %d of %d ran %d times", round, i, count, n)
			}
		}
		if round%100 == 99 {
			time.Sleep(5 * time.Millisecond) // the helpers fall asleep
		}
	}
}

// ownJob notes the thread of each cell.
type ownJob struct{ by []*worker }

func (j *ownJob) cell(_ *step, w *worker, index int) { j.by[index] = w }

func TestPoolKeepsSmallJobs(t *testing.T) {
	p := newTestPool(t, 3)
	j := &ownJob{by: make([]*worker, 5)}
	p.run(nil, j, len(j.by), worthSharing-1)
	for i, w := range j.by {
		if w != p.workers[0] {
			t.Errorf("cell %d of a small job ran on another thread", i)
		}
	}
}
