package study

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fileLock is an advisory lock on a file. The kernel drops it when its process
// ends, however that happens, so that a crash never leaves a folder locked.
type fileLock struct{ file *os.File }

// errLocked is a lock that another process holds.
type errLocked struct{ holder string }

func (e *errLocked) Error() string { return "locked by " + e.holder }

// tryLock takes the lock on path, or returns *errLocked naming who has it.
func tryLock(path string) (*fileLock, error) {
	return lock(path, unix.LOCK_EX|unix.LOCK_NB)
}

// waitLock takes the lock on path as soon as its holder is gone.
func waitLock(path string) (*fileLock, error) {
	return lock(path, unix.LOCK_EX)
}

func lock(path string, how int) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer f.Close()
		return nil, &errLocked{holderOf(path)}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock: %s: %w", path, err)
	}
	return &fileLock{f}, writeHolder(f)
}

func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	return nil
}

func holderOf(path string) string {
	raw, err := os.ReadFile(path)
	pid := strings.TrimSpace(string(raw))
	if err != nil || pid == "" {
		return "another process"
	}
	return "process " + pid
}

// unlock gives the lock back.
func (l *fileLock) unlock() error { return l.file.Close() }
