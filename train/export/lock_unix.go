//go:build unix

package export

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFolder takes a lock that ends with the process; it is an error if another
// holds it, and errors.ErrUnsupported, with an unlock that does nothing, where the
// file system has none.
func lockFolder(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return func() {}, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return func() { f.Close() }, nil
	}
	f.Close()
	if !errors.Is(err, unix.EWOULDBLOCK) {
		err = errors.Join(errors.ErrUnsupported, err)
	}
	return func() {}, &os.PathError{Op: "lock", Path: path, Err: err}
}
