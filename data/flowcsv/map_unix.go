//go:build unix

package flowcsv

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps a regular file for reading, as long as it is now. ok is false
// for everything that cannot be mapped.
func mapFile(f *os.File) (mapped []byte, release func() error, ok bool) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || info.Size() > math.MaxInt-lookahead {
		return nil, nil, false
	}
	mapped, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, false
	}
	// Advice that is not taken costs time and nothing else.
	_ = unix.Madvise(mapped, unix.MADV_SEQUENTIAL)
	return mapped, func() error { return unix.Munmap(mapped) }, true
}

// dropPages gives the memory of mapped pages back; they can be read again.
func dropPages(pages []byte) { _ = unix.Madvise(pages, unix.MADV_DONTNEED) }
