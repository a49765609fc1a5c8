// Package disktest has disks that fail: at a chosen operation, or by losing what
// was not synced when the power went. A test that lets each operation of some
// work fail in turn shows that what the work leaves can always be gone on from.
package disktest

import (
	"errors"
	"io/fs"
	"sync"
	"syscall"

	"flowbench/train/checkpoint"
)

// Fault is a way in which an operation fails.
type Fault int

// Faults. All but Crash fail one operation alone; those after it succeed.
const (
	Plain   Fault = iota // the operation does nothing and says ErrFault
	Short                // a write writes half and says ErrFault; others as Plain
	NoSpace              // as Short, but says syscall.ENOSPC
	Crash                // as Short, and nothing that comes after it happens either
)

// Faults lists every Fault.
func Faults() []Fault { return []Fault{Plain, Short, NoSpace, Crash} }

func (f Fault) String() string {
	return [...]string{Plain: "error", Short: "short write", NoSpace: "no space", Crash: "crash"}[f]
}

// ErrFault is the reason of a failed operation, and of every one after a Crash.
var ErrFault = errors.New("a fault that a test wants")

// Faulty is a disk of which one operation fails. It may be used by several
// goroutines.
type Faulty struct {
	checkpoint.Disk
	At    int // which operation fails, from 1; 0 is none
	Fault Fault

	mu   sync.Mutex
	done int
}

// Operations is how many operations there have been, the failed one and those
// after a crash included.
func (f *Faulty) Operations() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done
}

// next counts an operation, and is its error where that fails; torn says that a
// write is to write half.
func (f *Faulty) next(op, path string) (torn bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done++
	hit := f.At > 0 && f.done == f.At
	if !hit && !(f.At > 0 && f.done > f.At && f.Fault == Crash) {
		return false, nil
	}
	reason := ErrFault
	if f.Fault == NoSpace {
		reason = syscall.ENOSPC
	}
	return hit && f.Fault != Plain, &fs.PathError{Op: op, Path: path, Err: reason}
}

// Open is Disk's.
func (f *Faulty) Open(path string, flag int) (checkpoint.Handle, error) {
	if _, err := f.next("open", path); err != nil {
		return nil, err
	}
	h, err := f.Disk.Open(path, flag)
	if err != nil {
		return nil, err
	}
	return &faultyHandle{h, f, path}, nil
}

// Read is Disk's.
func (f *Faulty) Read(path string) ([]byte, error) {
	if _, err := f.next("read", path); err != nil {
		return nil, err
	}
	return f.Disk.Read(path)
}

// List is Disk's.
func (f *Faulty) List(folder string) ([]string, error) {
	if _, err := f.next("list", folder); err != nil {
		return nil, err
	}
	return f.Disk.List(folder)
}

// Rename is Disk's.
func (f *Faulty) Rename(from, to string) error {
	if _, err := f.next("rename", from); err != nil {
		return err
	}
	return f.Disk.Rename(from, to)
}

// Remove is Disk's.
func (f *Faulty) Remove(path string) error {
	if _, err := f.next("remove", path); err != nil {
		return err
	}
	return f.Disk.Remove(path)
}

// SyncFolder is Disk's.
func (f *Faulty) SyncFolder(folder string) error {
	if _, err := f.next("sync", folder); err != nil {
		return err
	}
	return f.Disk.SyncFolder(folder)
}

type faultyHandle struct {
	checkpoint.Handle
	disk *Faulty
	path string
}

func (h *faultyHandle) Write(p []byte) (int, error) {
	torn, err := h.disk.next("write", h.path)
	if err == nil {
		return h.Handle.Write(p)
	}
	if torn {
		n, _ := h.Handle.Write(p[:len(p)/2])
		return n, err
	}
	return 0, err
}

func (h *faultyHandle) Sync() error {
	if _, err := h.disk.next("sync", h.path); err != nil {
		return err
	}
	return h.Handle.Sync()
}

// Close closes the file even where it fails, for no test is to run out of files.
func (h *faultyHandle) Close() error {
	_, err := h.disk.next("close", h.path)
	return errors.Join(err, h.Handle.Close())
}
