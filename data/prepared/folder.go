package prepared

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// folder is a place for a prepared set while it is built: a temporary sibling
// of the place where it goes, so that one rename publishes it.
type folder struct {
	final     string
	temporary string
	made      []string // folders above final that did not exist, outermost first
	replace   bool     // final is a prepared set, or empty, and makes way
	unlock    func()
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
	if err := f.makeParents(); err != nil {
		return nil, errors.Join(explain(dir, err), f.remove())
	}
	f.clearStale()
	if err := f.makeTemporary(); err != nil {
		return nil, errors.Join(explain(dir, err), f.remove())
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

// makeParents makes the folders above final.
func (f *folder) makeParents() error {
	var missing []string
	for dir := filepath.Dir(f.final); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		missing = append(missing, dir)
	}
	slices.Reverse(missing)
	for _, dir := range missing {
		if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		f.made = append(f.made, dir)
	}
	return nil
}

// prefix starts the names of temporary folders for this place.
func (f *folder) prefix() string {
	return filepath.Join(filepath.Dir(f.final), "."+filepath.Base(f.final)+".partial-")
}

// errHeld is lockFolder's error for a folder that another holds, or has removed.
var errHeld = errors.New("held by another")

// makeTemporary makes and locks a folder with a name of its own. Between the two
// another writer's clearStale may take it for one that was left behind.
func (f *folder) makeTemporary() error {
	for i := 0; ; i++ {
		name := fmt.Sprintf("%s%d-%d", f.prefix(), os.Getpid(), i)
		err := os.Mkdir(name, 0o777)
		if errors.Is(err, fs.ErrExist) && i < 1000 {
			continue
		}
		if err != nil {
			return err
		}
		unlock, err := lockFolder(name)
		if (errors.Is(err, errHeld) || errors.Is(err, fs.ErrNotExist)) && i < 1000 {
			continue
		}
		if err != nil {
			unlock = func() {} // a file system without locks: nothing counts as left behind there
		}
		f.temporary, f.unlock = name, unlock
		return nil
	}
}

// clearStale removes temporary folders that a killed process left: those that
// nobody holds a lock on. What cannot be removed does not matter here.
func (f *folder) clearStale() {
	siblings, _ := os.ReadDir(filepath.Dir(f.final))
	for _, s := range siblings {
		path := filepath.Join(filepath.Dir(f.final), s.Name())
		if !s.IsDir() || !strings.HasPrefix(path, f.prefix()) {
			continue
		}
		if unlock, err := lockFolder(path); err == nil {
			os.RemoveAll(path)
			unlock()
		}
	}
}

// publish puts the temporary folder in its final place, for good: when it
// returns nil the folder survives a loss of power.
func (f *folder) publish() error {
	if err := syncFolder(f.temporary); err != nil {
		return explain(f.final, err)
	}
	old := ""
	if f.replace {
		// Not a name that clearStale takes: killed right here, the old set is still to be found.
		old = filepath.Join(filepath.Dir(f.final), fmt.Sprintf(".%s.replaced-%d", filepath.Base(f.final), os.Getpid()))
		if err := os.Rename(f.final, old); err != nil {
			return explain(f.final, err)
		}
	}
	if err := os.Rename(f.temporary, f.final); err != nil {
		if old != "" {
			err = errors.Join(err, os.Rename(old, f.final))
		}
		if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s: somebody else put something there meanwhile; nothing was written: choose another folder", f.final)
		}
		return explain(f.final, err)
	}
	f.unlock()
	if err := syncFolder(filepath.Dir(f.final)); err != nil {
		return explain(f.final, err)
	}
	if old != "" {
		os.RemoveAll(old) // the new set is in place whether or not this succeeds
	}
	return nil
}

// remove takes away everything that newFolder made and publish did not move.
func (f *folder) remove() error {
	var err error
	if f.temporary != "" {
		err = os.RemoveAll(f.temporary)
	}
	if f.unlock != nil {
		f.unlock()
	}
	for _, dir := range slices.Backward(f.made) {
		os.Remove(dir) // fails, as it should, where somebody else put something in
	}
	return err
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
