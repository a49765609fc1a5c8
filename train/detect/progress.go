package detect

import (
	"sync"
	"time"
)

// Progress hears that done of total equal pieces of a stage of work are done.
// The pieces of an iterative stage may end before the last.
type Progress func(stage string, done, total int)

// report tells Progress, where there is one.
func (p Progress) report(stage string, done, total int) {
	if p != nil {
		p(stage, done, total)
	}
}

// part is the progress of one of several equal parts, counted from 0.
func (p Progress) part(index, parts int) Progress {
	if p == nil || parts == 1 {
		return p
	}
	return func(stage string, done, total int) { p(stage, index*total+done, parts*total) }
}

// watch counts the pieces of a stage that goroutines finish in any order, and
// reports at most once an interval.
type watch struct {
	progress Progress
	stage    string
	total    int
	mutex    sync.Mutex
	count    int
	last     time.Time
}

// watchInterval keeps reports rare beside the work they tell of.
const watchInterval = 100 * time.Millisecond

func newWatch(progress Progress, stage string, total int) *watch {
	return &watch{progress: progress, stage: stage, total: total}
}

// done counts one piece.
func (w *watch) done() {
	if w.progress == nil {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.count++
	if now := time.Now(); w.count == w.total || now.Sub(w.last) >= watchInterval {
		w.last = now
		w.progress(w.stage, w.count, w.total)
	}
}
