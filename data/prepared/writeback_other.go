//go:build !linux

package prepared

// startWriteback has nothing to do: the system begins when it likes.
func startWriteback(f file, offset, size int64) {}
