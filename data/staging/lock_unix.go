//go:build unix

package staging

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Lock takes a lock on a folder that ends with the process. It returns ErrHeld
// where another has it, and errors.ErrUnsupported where the file system has none.
func Lock(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK) || err == nil && !stillAt(path, f):
		err = ErrHeld
	case err != nil:
		err = &os.PathError{Op: "lock", Path: path, Err: errors.Join(errors.ErrUnsupported, err)}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// stillAt says whether path leads to f: who held the lock before may have removed it.
func stillAt(path string, f *os.File) bool {
	there, err := os.Stat(path)
	if err != nil {
		return false
	}
	locked, err := f.Stat()
	return err == nil && os.SameFile(there, locked)
}
