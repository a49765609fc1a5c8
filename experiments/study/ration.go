package study

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"flowbench/kernels"
)

// rationed is a Backend whose trials share a memory of its own.
type rationed interface {
	// Memory is how many bytes of it are free.
	Memory() (int64, error)
}

// rationMargin is how much more than a trial was seen to need must be free for
// another one: drivers round allocations up and keep some for themselves.
const rationMargin = 1.1

// ration admits trials to a device as its memory allows. The first one trains
// alone, which shows what one needs; from then on another begins only where that
// much is free beside what is kept for those that train, which take their memory
// some time after they begin, and give it back between the networks of an
// ensemble. A Backend without a memory of its own admits all.
type ration struct {
	device rationed // nil: admits all

	mu       sync.Mutex
	training int
	alone    bool  // the one that trains began alone
	before   int64 // free bytes when last one began alone
	need     int64 // what a trial was seen to need at most; 0: not known yet
}

func newRation(b kernels.Backend) *ration {
	r := &ration{}
	r.device, _ = b.(rationed)
	return r
}

// enter admits a trial, or says that it must wait. leave must follow.
func (r *ration) enter() (bool, error) {
	if r.device == nil {
		return true, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	free, err := r.device.Memory()
	if err != nil {
		return false, err
	}
	if r.training > 0 && !r.fits(free) {
		return false, nil
	}
	r.alone = r.training == 0
	if r.alone {
		r.before = free
	}
	r.training++
	return true, nil
}

// fits says whether one more has room in what is free now, which others than
// these trials may have taken, and in what was free before any of them.
func (r *ration) fits(free int64) bool {
	each := rationMargin * float64(r.need)
	return r.need > 0 && each <= float64(free) && each*float64(r.training+1) <= float64(r.before)
}

// observe measures the trial that trains alone, which it is called by.
func (r *ration) observe() {
	if r.device == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.alone || r.training != 1 {
		return
	}
	// One that cannot be measured now is measured at its next epoch.
	if free, err := r.device.Memory(); err == nil {
		r.need = max(r.need, r.before-free, 1)
	}
}

func (r *ration) leave() {
	if r.device == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.training--
	r.alone = false
}

// HoldDevice keeps other sweeps of this machine off a device until the returned
// function gives it back, and waits for its turn, which say hears of.
func HoldDevice(ctx context.Context, uuid string, say func(string)) (release func() error, err error) {
	path := filepath.Join(os.TempDir(), "flowbench-"+strings.Map(plainLetter, uuid)+".lock")
	if held, err := tryLock(path); err == nil {
		return held.unlock, nil
	}
	say(fmt.Sprintf("device %s is held by %s; waiting for it", uuid, holderOf(path)))
	held, err := waitLock(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", uuid, err)
	}
	say(fmt.Sprintf("device %s is free", uuid))
	return held.unlock, nil
}

func plainLetter(r rune) rune {
	if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return '_'
}

// rationTime is how often a slot that waits for memory looks for it.
const rationTime = 200 * time.Millisecond
