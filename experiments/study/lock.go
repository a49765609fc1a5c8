package study

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fileLock is an advisory lock on a file. The kernel drops it when its process
// ends, however that happens, so that a crash never leaves a folder locked.
type fileLock struct{ file *os.File }

// errLocked is a lock that another process holds.
type errLocked struct{ holder string }

func (e *errLocked) Error() string { return "locked by " + e.holder }

// lockTime is how often waitLock looks whether a lock has become free.
const lockTime = 50 * time.Millisecond

// waitLock takes the lock on path as soon as its holder is gone, or returns
// ctx's error where that ends first.
func waitLock(ctx context.Context, path string) (*fileLock, error) {
	for {
		held, err := tryLock(path)
		var busy *errLocked
		if !errors.As(err, &busy) {
			return held, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockTime):
		}
	}
}

// tryLock takes the lock on path, or returns *errLocked naming who has it.
func tryLock(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err == nil {
		if err = writeHolder(f); err == nil {
			return &fileLock{f}, nil
		}
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, &errLocked{holderOf(path)}
	}
	return nil, fmt.Errorf("lock: %s: %w", path, err)
}

func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
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
