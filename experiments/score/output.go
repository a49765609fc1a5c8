package score

import (
	"fmt"
	"os"
	"path/filepath"
)

// Output is a file that is whole or not there: it is written beside its place
// and takes it on Commit. Close throws away what was not committed.
type Output struct {
	file *os.File
	path string
}

// CreateOutput begins the file of that path, in a folder that exists.
func CreateOutput(path string) (*Output, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("--out %s is a folder; name a file", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("--out %s: %w", path, err)
	}
	return &Output{f, path}, nil
}

// Write writes to the file beside.
func (o *Output) Write(p []byte) (int, error) { return o.file.Write(p) }

// Commit puts the file in its place, once it is on the disk.
func (o *Output) Commit() error {
	err := o.file.Chmod(0o644)
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
		o.file.Close()
		os.Remove(o.file.Name())
	}
}
