package study

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"flowbench/experiments/store"
	"flowbench/train/checkpoint"
)

// location is what store.json holds: where a study's store is, without passwords.
type location struct {
	URL string `json:"url"`
}

// served is what served.json holds while a launcher serves its store to workers
// on other machines. The file may be read by its owner alone.
type served struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// keepLocation records where the study's store is, or makes sure that it is where
// it was before. No url leaves it where it is.
func keepLocation(dir, url string) error {
	if url == "" {
		return nil
	}
	known, err := readLocation(dir)
	if err != nil {
		return err
	}
	shown := store.Redacted(url)
	if known != "" && known != shown {
		return fmt.Errorf("the store of %s is %s, not %s: leave --store out, or choose another folder with --out", dir, known, shown)
	}
	if _, err := os.Stat(filepath.Join(dir, storeName)); err == nil {
		return fmt.Errorf("the store of %s is in its folder, not at %s: leave --store out, or choose another folder with --out", dir, shown)
	}
	if known != "" {
		return nil
	}
	raw, err := json.Marshal(location{shown})
	if err != nil {
		return fmt.Errorf("study: %w", err)
	}
	return explain(checkpoint.WriteFile(filepath.Join(dir, locationName), append(raw, '\n')))
}

// readLocation is where the study's store is; empty for its folder.
func readLocation(dir string) (string, error) {
	var l location
	err := readJSON(filepath.Join(dir, locationName), &l)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return l.URL, err
}

// Elsewhere says whether the study's store is not in its folder.
func (s *Study) Elsewhere() bool {
	_, err := os.Stat(filepath.Join(s.Dir, locationName))
	return err == nil
}

func readJSON(path string, into any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("study: %w", err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("study: %s: %w", path, err)
	}
	return nil
}

// openStore opens the store of the study in dir. One in the folder must be there
// unless it is to be made.
func openStore(dir, study string, create bool) (store.Store, error) {
	url, err := readLocation(dir)
	if err != nil {
		return nil, err
	}
	if url != "" {
		return store.Open(store.ForStudy(url, study))
	}
	path := filepath.Join(dir, storeName)
	if _, err := os.Stat(path); err != nil && !create {
		return nil, fmt.Errorf("study: %w; flowbench sweep makes it whole again", err)
	}
	return store.OpenSQLite(path)
}

// openServed opens the store that a launcher serves.
func openServed(dir, _ string, _ bool) (store.Store, error) {
	var at served
	err := readJSON(filepath.Join(dir, servedName), &at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("nobody serves the store of %s: its sweep has ended, or must be started again", dir)
	}
	if err != nil {
		return nil, err
	}
	return store.OpenRemote(at.URL, at.Token)
}

// keepServed writes served.json, whole or not at all, for its owner alone.
func (s *Study) keepServed(at served) error {
	raw, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("study: %w", err)
	}
	// A temporary file of this name is removed by the next sweep, should a crash
	// leave it; os.CreateTemp makes it readable by its owner alone.
	tmp, err := os.CreateTemp(s.Dir, "."+servedName+".*")
	if err != nil {
		return fmt.Errorf("study: %w", explain(err))
	}
	_, err = tmp.Write(append(raw, '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(s.Dir, servedName))
	}
	if err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("study: %w", explain(err))
	}
	return nil
}
