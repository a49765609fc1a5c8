package score

import (
	"fmt"
	"os"
	"path/filepath"
)

// Output is a file that is whole or not there: it is written beside its place
// and takes it on Commit. Close throws away what was not committed.
type Output struct {
	file   *os.File
	path   string
	unsent int           // bytes since the last sync began
	synced chan struct{} // closed when that has ended; nil before the first
	err    error         // of the first sync that failed, which the system reports once
}

// syncEvery is how many bytes are sent to the disk at a time while more is written:
// so that a large file is not waited for at its end.
const syncEvery = 32 << 20

// CreateOutput begins the file of that path, in a folder that exists.
func CreateOutput(path string) (*Output, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("--out %s is a folder; name a file", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("--out %s: %w", path, err)
	}
	return &Output{file: f, path: path}, nil
}

// Write writes to the file beside.
func (o *Output) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if o.unsent += n; o.unsent >= syncEvery && o.rests() {
		o.unsent, o.synced = 0, make(chan struct{})
		go func() {
			defer close(o.synced)
			if err := o.file.Sync(); o.err == nil {
				o.err = err
			}
		}()
	}
	return n, err
}

// rests says whether no sync is under way.
func (o *Output) rests() bool {
	if o.synced == nil {
		return true
	}
	select {
	case <-o.synced:
		return true
	default:
		return false
	}
}

// rest waits for the sync that is under way, and returns what went wrong with any.
func (o *Output) rest() error {
	if o.synced != nil {
		<-o.synced
	}
	return o.err
}

// Commit puts the file in its place, once it is on the disk.
func (o *Output) Commit() error {
	err := o.rest()
	if err == nil {
		err = o.file.Chmod(0o644)
	}
	if err == nil {
		err = o.file.Sync()
	}
	if closing := o.file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(o.file.Name(), o.path)
	}
	if err != nil {
		return fmt.Errorf("--out %s: %w", o.path, err)
	}
	o.file = nil
	return nil
}

// Close removes what was not committed.
func (o *Output) Close() {
	if o.file != nil {
		o.rest()
		o.file.Close()
		os.Remove(o.file.Name())
	}
}
