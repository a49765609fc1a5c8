package prepared

import "golang.org/x/sys/unix"

// startWriteback lets the disk begin with a part of a file that is complete, so
// that the Sync at the end has little left to wait for. It is advice: an error
// is found again by Sync.
func startWriteback(f file, offset, size int64) {
	if f, ok := f.(interface{ Fd() uintptr }); ok {
		_ = unix.SyncFileRange(int(f.Fd()), offset, size, unix.SYNC_FILE_RANGE_WRITE)
	}
}
