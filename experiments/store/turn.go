package store

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// turn lets the processes that write to a file do so one after the other. SQLite
// itself lets them ask again after pauses that grow to 100 ms, in which nobody
// may be writing; the kernel wakes the next one at once.
//
// What is locked is the file's folder: a lock on the file itself would be lost,
// and SQLite's with it, whenever any part of the process closed that file. The
// lock is a courtesy, SQLite's are what keeps the file whole: where the file
// system has none, nothing is lost but time.
type turn struct {
	folder *os.File
	mine   chan struct{} // holds one while somebody in this process has the lock or waits for it
}

func newTurn(folder string) (*turn, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	return &turn{folder: f, mine: make(chan struct{}, 1)}, nil
}

// errTurn is a turn that did not come.
var errTurn = errors.New("another process has held it for long: look for one that hangs")

// take waits for the turn, until ctx ends or patience is over. Whoever has it
// gives it back.
func (t *turn) take(ctx context.Context, patience time.Duration) error {
	over := time.NewTimer(patience)
	defer over.Stop()
	select {
	case t.mine <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-over.C:
		return errTurn
	}
	if err := flock(t.folder, unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	got := make(chan struct{})
	go func() {
		flock(t.folder, unix.LOCK_EX)
		close(got)
	}()
	var err error
	select {
	case <-got:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-over.C:
		err = errTurn
	}
	go func() { // the kernel's queue cannot be left
		<-got
		t.give()
	}()
	return err
}

// give lets the next one have the turn.
func (t *turn) give() {
	flock(t.folder, unix.LOCK_UN)
	<-t.mine
}

// close gives the turn up for good. Whoever still waits for the lock drops it
// with the folder.
func (t *turn) close() error { return t.folder.Close() }

func flock(f *os.File, how int) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var locked error
	err = raw.Control(func(fd uintptr) {
		for {
			if locked = unix.Flock(int(fd), how); !errors.Is(locked, unix.EINTR) {
				return
			}
		}
	})
	return errors.Join(err, locked)
}
