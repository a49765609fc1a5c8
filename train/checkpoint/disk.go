package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
)

// Disk is what durable state needs of a file system. It is a seam: disktest has
// disks whose operations fail. Errors are those of package os and wrap its
// reasons, so that errors.Is finds fs.ErrNotExist or syscall.ENOSPC.
type Disk interface {
	// Open opens a file for writing; flag is that of os.OpenFile.
	Open(path string, flag int) (Handle, error)
	// Read returns a whole file.
	Read(path string) ([]byte, error)
	// List returns the names of what is in a folder, sorted.
	List(folder string) ([]string, error)
	Rename(from, to string) error
	Remove(path string) error
	// SyncFolder returns when the names in a folder are durable: those of files
	// that were made, renamed or removed there.
	SyncFolder(folder string) error
}

// Handle is a file that is being written. What was written is durable after Sync.
type Handle interface {
	io.Writer
	Sync() error
	Close() error
}

// OS is the disk of the operating system.
type OS struct{}

// Open is os.OpenFile; a new file may be read by all.
func (OS) Open(path string, flag int) (Handle, error) {
	f, err := os.OpenFile(path, flag, 0o644)
	if err != nil {
		return nil, err // a nil *os.File would be a Handle that is not nil
	}
	return f, nil
}

// Read is os.ReadFile.
func (OS) Read(path string) ([]byte, error) { return os.ReadFile(path) }

// List is the names that os.ReadDir finds.
func (OS) List(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// Rename is os.Rename.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove is os.Remove.
func (OS) Remove(path string) error { return os.Remove(path) }

// SyncFolder is fsync of the folder. Where the system knows no such thing, as
// Windows and some file systems of Linux do not, it does nothing.
func (OS) SyncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// Replace writes content to path so that a crash leaves the old content or the
// new, never a part, and the new once Replace has returned: a temporary file
// beside it is synced and renamed, and the folder is synced.
func Replace(disk Disk, path string, content []byte) error {
	if err := put(disk, path, content); err != nil {
		return err
	}
	if err := disk.SyncFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("checkpoint: writing %s: %w", path, err)
	}
	return nil
}

// WriteFile is Replace on the disk of the operating system.
func WriteFile(path string, content []byte) error { return Replace(OS{}, path, content) }

// put is Replace without the sync of the folder: after a crash the old content
// may be there again.
func put(disk Disk, path string, content []byte) error {
	temporary, err := writeBeside(disk, path, content)
	if err == nil {
		if err = disk.Rename(temporary, path); err != nil {
			disk.Remove(temporary)
		}
	}
	if err != nil {
		return fmt.Errorf("checkpoint: writing %s: %w", path, err)
	}
	return nil
}

// writeBeside writes content to a new file in the folder of path, and syncs it.
// A failure leaves no file, where the disk still lets one be removed.
func writeBeside(disk Disk, path string, content []byte) (name string, err error) {
	file, name, err := openTemporary(disk, path)
	if err != nil {
		return "", err
	}
	n, err := file.Write(content)
	if err == nil && n < len(content) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		disk.Remove(name)
	}
	return name, err
}

// temporaryTries is how many names are tried for a temporary file. They have 2³²
// numbers to choose from, so that a second is hardly ever taken as well.
const temporaryTries = 100

// openTemporary makes a file that no other writer has, whose name temporaryName
// matches.
func openTemporary(disk Disk, path string) (file Handle, name string, err error) {
	for range temporaryTries {
		name = filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), rand.Uint32()))
		file, err = disk.Open(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
		if !errors.Is(err, os.ErrExist) {
			return file, name, err
		}
	}
	return nil, "", err
}

// temporaryName is what a file is called until it is whole.
var temporaryName = regexp.MustCompile(`^\..+\.[0-9]+$`)

// ClearTemporary removes the temporary files that a writer left in folder when it
// was killed. The caller must be the only writer there.
func ClearTemporary(disk Disk, folder string) error {
	names, err := disk.List(folder)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	for _, name := range names {
		if !temporaryName.MatchString(name) {
			continue
		}
		if err := disk.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	return nil
}
