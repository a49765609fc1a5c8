//go:build !unix

package prepared

import (
	"errors"
	"os"
)

// mapFile reads a file; release leaves it to the garbage collector.
func mapFile(path string) (data []byte, release func() error, err error) {
	data, err = os.ReadFile(path)
	return data, func() error { return nil }, err
}

// lockFolder knows no locks: no folder ever counts as left behind.
func lockFolder(path string) (unlock func(), err error) {
	return nil, errors.ErrUnsupported
}

// syncFolder has nothing to do: folders cannot be synced here.
func syncFolder(string) error { return nil }
