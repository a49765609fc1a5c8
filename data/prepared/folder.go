package prepared

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"flowbench/data/staging"
)

// folder is a place for a prepared set while it is built, so that one rename
// publishes it.
type folder struct {
	*staging.Folder
	final   string
	replace bool // final is a prepared set, or empty, and makes way
}

// newFolder makes the temporary folder, and checks that it can be published.
func newFolder(dir string, replace bool) (*folder, error) {
	final, err := filepath.Abs(dir)
	if err != nil {
		return nil, explain(dir, err)
	}
	if resolved, err := filepath.EvalSymlinks(final); err == nil {
		final = resolved
	}
	f := &folder{final: final}
	if f.replace, err = replaceable(dir, final, replace); err != nil {
		return nil, err
	}
	if f.Folder, err = staging.New(final, "."+filepath.Base(final)+".partial-"); err != nil {
		return nil, explain(dir, err)
	}
	return f, nil
}

// replaceable reports whether final exists and may make way: it is empty, or a
// prepared set. It is an error if something else is there.
func replaceable(dir, final string, replace bool) (bool, error) {
	entries, err := os.ReadDir(final)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, syscall.ENOTDIR):
		return false, fmt.Errorf("%s: there is a file of this name or above it; choose another folder", dir)
	case err != nil:
		return false, explain(dir, err)
	case len(entries) == 0:
		return true, nil
	}
	m, err := readManifest(final)
	if errors.Is(err, errNoManifest) {
		return false, fmt.Errorf("%s: the folder holds other files and is no prepared set; choose another folder", dir)
	}
	known := []string{manifestName, featuresName, labelsName, groupsName, filesName}
	for _, e := range entries {
		if !slices.Contains(known, e.Name()) {
			return false, fmt.Errorf("%s: the folder also holds %s, which is no part of a prepared set; choose another folder", dir, e.Name())
		}
	}
	if !replace {
		what := "it cannot be read"
		if err == nil {
			what = fmt.Sprintf("%d rows of %s", m.Rows, m.Source)
		}
		return false, fmt.Errorf("%s: %w (%s); use it, choose another folder, or ask for it to be replaced", dir, ErrExists, what)
	}
	return true, nil
}

// publish puts the temporary folder in its final place, for good: when it
// returns nil the folder survives a loss of power.
func (f *folder) publish() error {
	if err := syncFolder(f.Path); err != nil {
		return explain(f.final, err)
	}
	old := ""
	if f.replace {
		// Not a name that counts as left behind: killed right here, the old set is still to be found.
		old = filepath.Join(f.Parent(), fmt.Sprintf(".%s.replaced-%d", filepath.Base(f.final), os.Getpid()))
		if err := os.Rename(f.final, old); err != nil {
			return explain(f.final, err)
		}
	}
	if err := f.Publish(os.Rename); err != nil {
		if old != "" {
			err = errors.Join(err, os.Rename(old, f.final))
		}
		if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s: somebody else put something there meanwhile; nothing was written: choose another folder", f.final)
		}
		return explain(f.final, err)
	}
	if err := syncFolder(f.Parent()); err != nil {
		return explain(f.final, err)
	}
	if old != "" {
		os.RemoveAll(old) // the new set is in place whether or not this succeeds
	}
	return nil
}

// explain adds the folder and a remedy to errors of the file system.
func explain(dir string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: %w; nothing was written: free some space or choose another folder", dir, err)
	case errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%s: %w; nothing was written: raise the limit on the size of files (ulimit -f), or choose a folder on a file system that takes larger ones", dir, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s: cannot be written: %w; choose another folder", dir, err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s: there is a file above it: %w; choose another folder", dir, err)
	}
	return err
}
