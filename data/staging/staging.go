// Package staging makes folders that are there whole or not at all: a folder is
// filled under a temporary name beside its place, and one rename puts it there.
// What a killed process left half filled is removed by the next one that comes
// to the same place; a lock, which the system drops with its process, tells the
// two apart.
package staging

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// Folder is a temporary folder beside the place where it goes.
type Folder struct {
	Path   string // of the temporary folder, until it is published
	final  string
	made   []string // folders above final that were not there, outermost first
	unlock func()
}

// New makes and locks a temporary folder beside final, and the folders above it
// that are not there. Its name is stem and two numbers; folders of such names
// that nobody holds are removed first. Errors are those of the file system, and
// leave nothing behind.
func New(final, stem string) (*Folder, error) {
	f := &Folder{final: filepath.Clean(final), unlock: func() {}}
	err := f.makeParents()
	if err == nil {
		f.clearLeft(stem)
		err = f.make(stem)
	}
	if err != nil {
		return nil, errors.Join(err, f.Remove())
	}
	return f, nil
}

// Parent is the folder that holds the place.
func (f *Folder) Parent() string { return filepath.Dir(f.final) }

// Publish puts the folder in its place by rename, which is os.Rename or a
// test's. The place must be free, or what os.Rename replaces.
func (f *Folder) Publish(rename func(from, to string) error) error {
	if err := rename(f.Path, f.final); err != nil {
		return err
	}
	f.Path, f.made = "", nil
	f.unlock()
	return nil
}

// Remove takes away everything that New made and Publish did not move.
func (f *Folder) Remove() error {
	var err error
	if f.Path != "" {
		err = os.RemoveAll(f.Path)
		f.Path = ""
		f.unlock()
	}
	for _, dir := range slices.Backward(f.made) {
		os.Remove(dir) // fails, as it should, where somebody else put something in
	}
	return err
}

func (f *Folder) makeParents() error {
	var missing []string
	for dir := f.Parent(); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		missing = append(missing, dir)
	}
	for _, dir := range slices.Backward(missing) {
		if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		f.made = append(f.made, dir)
	}
	return nil
}

// clearLeft removes what no living process holds. What cannot be removed does not
// matter here.
func (f *Folder) clearLeft(stem string) {
	name := regexp.MustCompile("^" + regexp.QuoteMeta(stem) + "[0-9]+-[0-9]+$")
	siblings, _ := os.ReadDir(f.Parent())
	for _, s := range siblings {
		path := filepath.Join(f.Parent(), s.Name())
		if !s.IsDir() || !name.MatchString(s.Name()) {
			continue
		}
		if unlock, err := Lock(path); err == nil {
			os.RemoveAll(path)
			unlock()
		}
	}
}

// tries bounds the names that are tried.
const tries = 1000

// make makes and locks a folder with a name of its own. Between the two another
// process's clearLeft may take it for one that was left behind.
func (f *Folder) make(stem string) error {
	for i := range tries {
		name := filepath.Join(f.Parent(), fmt.Sprintf("%s%d-%d", stem, os.Getpid(), i))
		err := os.Mkdir(name, 0o777)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		unlock, err := Lock(name)
		if errors.Is(err, ErrHeld) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil { // else a file system without locks: nothing counts as left behind there
			f.unlock = unlock
		}
		f.Path = name
		return nil
	}
	return fmt.Errorf("%s: no name is free for a temporary folder %s", f.Parent(), stem)
}

// ErrHeld is Lock's error for a folder that another holds, or has removed.
var ErrHeld = errors.New("held by another")
