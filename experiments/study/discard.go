package study

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// missing lists dir and the folders above it that are not there, dir first.
func missing(dir string) []string {
	var folders []string
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			return folders
		}
		folders = append(folders, dir)
		dir = filepath.Dir(dir)
	}
}

// Discard closes the study and takes away what Create and Prepare wrote, where
// Create found no study in the folder: one that cannot begin must not stand in
// the way of the spec that has been put right. An earlier study stays.
func (s *Study) Discard() error {
	if !s.fresh {
		return s.Close()
	}
	err := s.Store.Close()
	// Close has folded the store's write-ahead log into it.
	for _, name := range []string{documentName, planName, storeName, dataName, flowsName, reportName, reportValuesName, lockName} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(s.Dir, name)))
	}
	for _, dir := range s.made {
		os.Remove(dir) // fails, as it should, where somebody else put something in
	}
	return errors.Join(err, s.lock.unlock())
}
