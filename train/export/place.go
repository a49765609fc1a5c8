package export

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"flowbench/data/staging"
	"flowbench/train/checkpoint"
)

// place is where a folder goes that is there whole or not at all.
type place struct {
	*staging.Folder
	disk checkpoint.Disk
}

// newPlace makes the temporary folder for dir, which must not exist. verb, export
// or import, is in its name.
func newPlace(disk checkpoint.Disk, verb, dir string) (*place, error) {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s exists already: name another folder with --out, or remove it", dir)
	}
	f, err := staging.New(dir, "."+verb+"-"+filepath.Base(dir)+"-")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", verb, err)
	}
	return &place{f, disk}, nil
}

// save writes files, in the order of their names.
func (p *place) save(files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := checkpoint.Replace(p.disk, filepath.Join(p.Path, name), files[name]); err != nil {
			return err
		}
	}
	return nil
}

// publish puts the folder in its place, for good: when it returns nil the folder
// survives a loss of power.
func (p *place) publish() error {
	if err := p.disk.SyncFolder(p.Path); err != nil {
		return err
	}
	if err := p.Publish(p.disk.Rename); err != nil {
		return err
	}
	return p.disk.SyncFolder(p.Parent())
}
