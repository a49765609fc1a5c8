package export

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"flowbench/train/checkpoint"
)

// place is where a folder goes that is there whole or not at all: it is filled
// under a temporary name beside it, which one rename takes away.
type place struct {
	disk      checkpoint.Disk
	final     string
	temporary string
	made      []string // folders above final that were not there, outermost first
	unlock    func()
}

// newPlace makes the temporary folder for dir, which must not exist. verb, export
// or import, is in its name. Folders that a killed process left for the same place
// are removed: those that nobody holds a lock on.
func newPlace(disk checkpoint.Disk, verb, dir string) (*place, error) {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s exists already: name another folder with --out, or remove it", dir)
	}
	p := &place{disk: disk, final: filepath.Clean(dir), unlock: func() {}}
	stem := "." + verb + "-" + filepath.Base(p.final) + "-"
	err := p.makeParents()
	if err == nil {
		p.clearLeft(stem)
		err = p.makeTemporary(stem)
	}
	if err != nil {
		p.remove()
		return nil, fmt.Errorf("%s: %w", verb, err)
	}
	return p, nil
}

func (p *place) parent() string { return filepath.Dir(p.final) }

func (p *place) makeParents() error {
	var missing []string
	for dir := p.parent(); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		missing = append(missing, dir)
	}
	for _, dir := range slices.Backward(missing) {
		if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		p.made = append(p.made, dir)
	}
	return nil
}

// clearLeft removes what no living process holds. What cannot be removed does not
// matter here.
func (p *place) clearLeft(stem string) {
	name := regexp.MustCompile("^" + regexp.QuoteMeta(stem) + "[0-9]+-[0-9]+$")
	siblings, _ := os.ReadDir(p.parent())
	for _, s := range siblings {
		path := filepath.Join(p.parent(), s.Name())
		if !s.IsDir() || !name.MatchString(s.Name()) {
			continue
		}
		if unlock, err := lockFolder(path); err == nil {
			os.RemoveAll(path)
			unlock()
		}
	}
}

// temporaryTries bounds the names that are tried.
const temporaryTries = 1000

// makeTemporary makes and locks a folder with a name of its own. One that another
// process took for left between the two is made again.
func (p *place) makeTemporary(stem string) error {
	for i := range temporaryTries {
		name := filepath.Join(p.parent(), fmt.Sprintf("%s%d-%d", stem, os.Getpid(), i))
		err := os.Mkdir(name, 0o777)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		unlock, err := lockFolder(name)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			os.Remove(name)
			continue
		}
		if _, gone := os.Stat(name); gone != nil {
			unlock()
			continue
		}
		p.temporary, p.unlock = name, unlock
		return nil
	}
	return fmt.Errorf("%s: no name is free for a temporary folder of %s", p.parent(), stem)
}

// save writes files, in the order of their names.
func (p *place) save(files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := checkpoint.Replace(p.disk, filepath.Join(p.temporary, name), files[name]); err != nil {
			return err
		}
	}
	return nil
}

// publish puts the folder in its place, for good: when it returns nil the folder
// survives a loss of power.
func (p *place) publish() error {
	if err := p.disk.SyncFolder(p.temporary); err != nil {
		return err
	}
	if err := p.disk.Rename(p.temporary, p.final); err != nil {
		return err
	}
	p.temporary, p.made = "", nil
	return p.disk.SyncFolder(p.parent())
}

// remove takes away everything that newPlace made and publish did not move.
func (p *place) remove() {
	if p.temporary != "" {
		os.RemoveAll(p.temporary)
	}
	p.unlock()
	for _, dir := range slices.Backward(p.made) {
		os.Remove(dir) // fails, as it should, where somebody else put something in
	}
}
