package study

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"flowbench/experiments/store"
)

const (
	// roomTime is how often a worker that waits for room on the disk looks for it.
	roomTime = 500 * time.Millisecond
	// roomGain is how much more room than when the disk was full is taken for
	// somebody's having made some.
	roomGain = 1 << 20
	// roomTries is after how many looks the work is tried again all the same: what
	// was full may have been a quota, or another disk.
	roomTries = 60
)

// diskFull says whether err is that of a disk, or a quota on it, without room.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || store.Full(err)
}

// whenRoom does what do says, again and again for as long as the disk is full.
func (w *Worker) whenRoom(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !diskFull(err) {
			return err
		}
		if err := w.untilRoom(ctx, err); err != nil {
			return err
		}
	}
}

// pause waits, with a trial that a full disk ended, for room, and then gives the
// trial back, which goes on from its last checkpoint.
func (w *Worker) pause(ctx context.Context, claim *store.Claim, why error) error {
	if err := w.untilRoom(ctx, why); err != nil {
		return err
	}
	return w.whenRoom(ctx, func() error { return w.release(ctx, claim) })
}

// untilRoom says that the disk is full and waits until it is less so.
func (w *Worker) untilRoom(ctx context.Context, full error) error {
	// Measured before it is said, so that room that is made upon it is seen.
	before := freeSpace(w.Study.Dir)
	w.say("waits for room on the disk of %s: %v", w.Study.Dir, full)
	for range roomTries {
		if err := w.rest(ctx, roomTime); err != nil {
			return err
		}
		if free := freeSpace(w.Study.Dir); free >= before+roomGain && free >= w.Study.minFree() {
			w.say("goes on: the disk has %d MB free", free>>20)
			break
		}
	}
	return nil
}

// waitForRoom holds a worker back for as long as the disk has less room than the
// spec wants left on it.
func (w *Worker) waitForRoom(ctx context.Context) error {
	least := w.Study.minFree()
	if least == 0 {
		return nil
	}
	for said := false; ; {
		free := freeSpace(w.Study.Dir)
		if free >= least {
			return nil
		}
		if !said {
			said = true
			w.say("waits for room on the disk of %s: %d MB are free, sweep.budget.min_free_disk is %d MB", w.Study.Dir, free>>20, least>>20)
		}
		if err := w.rest(ctx, roomTime); err != nil {
			return err
		}
	}
}

// rest waits; its error is ctx's, or why the worker is to halt.
func (w *Worker) rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.halt.done:
		return w.halt.asked()
	case <-time.After(d):
		return nil
	}
}

// minFree is how many bytes the spec wants left on the disk.
func (s *Study) minFree() int64 {
	if s.Spec.Sweep == nil {
		return 0
	}
	return int64(s.Spec.Sweep.Budget.MinFreeDisk)
}

// freeSpace is how many bytes the disk of dir has for who is not root. Where the
// system does not say, it has as many as anybody could want.
func freeSpace(dir string) int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 1 << 62
	}
	return int64(s.Bavail) * int64(s.Bsize)
}

// CheckRoom is an error where the disk of dir has less room than the spec wants
// left on it, or than need bytes beside that.
func (s *Study) CheckRoom(need int64) error {
	free, least := freeSpace(s.Dir), s.minFree()
	if free < least+need {
		return fmt.Errorf("the disk of %s has %d MB free; the study needs about %d MB and sweep.budget.min_free_disk keeps %d MB: make room, or choose another folder with --out",
			s.Dir, free>>20, need>>20, least>>20)
	}
	return nil
}
