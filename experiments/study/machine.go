package study

import (
	"errors"
	"fmt"
	"syscall"
)

// MachineExit is the exit code of a worker process that ends with a
// *MachineError: another one would not fare better, so that the sweep ends too.
const MachineExit = 3

// MachineError is what the operating system refused while a trial ran, such as
// room on the disk. The trial is none the worse for it: it goes back to the
// plan, and no failure of its own is counted.
type MachineError struct {
	Trial int
	Err   error
}

func (e *MachineError) Error() string {
	return fmt.Sprintf("trial %04d: %v", e.Trial, explain(e.Err))
}

func (e *MachineError) Unwrap() error { return e.Err }

// refused says whether err is the operating system's, and one that no other
// worker on this machine would be spared.
func refused(err error) bool {
	for _, r := range remedies {
		if errors.Is(err, r.number) {
			return true
		}
	}
	return false
}

// remedies are for what a person can do something about.
var remedies = []struct {
	number syscall.Errno
	remedy string
}{
	{syscall.ENOSPC, "make room on the disk"},
	{syscall.EDQUOT, "make room within the quota"},
	{syscall.EFBIG, "raise the limit of file sizes (ulimit -f)"},
	{syscall.EMFILE, "raise the limit of open files (ulimit -n)"},
	{syscall.EROFS, "make the file system writable"},
	{syscall.EACCES, "change the permissions"},
	{syscall.EIO, "look after the disk"},
}

// explain adds to an error of the operating system what to do about it.
func explain(err error) error {
	for _, r := range remedies {
		if errors.Is(err, r.number) {
			return fmt.Errorf("%w; %s, then run the same command again", err, r.remedy)
		}
	}
	return err
}
