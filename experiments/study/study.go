// Package study runs a sweep: a folder with a plan, a store of trials, and
// worker processes that claim them. Whatever is killed at whatever moment, the
// same command finishes the trials that are missing and no other.
//
// A study's folder holds
//
//	study.json        the spec as it was written, and where it lay
//	plan.json         every trial, written before the first one starts
//	study.db          the store: who has claimed what, and how each trial ended
//	data/             the prepared flows, where the spec names no prepared folder
//	flows.sha256      the fingerprint of the flows, which must not change
//	data-report.txt   the ledger, the split, what leaks, single features
//	trials/0000/      a trial's own folder, with one writer
//	comparison.txt    the final table
//	comparison.jsonl  the same, one configuration a line, one value a replicate
package study

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"flowbench/data/prepared"
	"flowbench/experiments/dataset"
	"flowbench/experiments/spec"
	"flowbench/experiments/store"
	"flowbench/train/checkpoint"
)

// Names in a study's folder.
const (
	documentName   = "study.json"
	planName       = "plan.json"
	storeName      = "study.db"
	dataName       = "data"
	flowsName      = "flows.sha256"
	reportName     = "data-report.txt"
	comparisonName = "comparison.txt"
	rowsName       = "comparison.jsonl"
	lockName       = "lock"
)

// Study is a sweep in its folder. Close gives back its store and its lock.
type Study struct {
	Dir   string
	Spec  *spec.Spec
	Plan  *Plan
	Store store.Store
	lock  *fileLock // nil for a worker or a reader

	fresh bool     // Create found no study in the folder
	made  []string // the folders that Create made, the innermost first
}

// Create makes the folder of a study of s at dir, or opens it to go on with it,
// and locks it against a second sweep. A folder that holds something else, or
// another study, is an error that says so.
func Create(dir string, s *spec.Spec, plan *Plan) (*Study, error) {
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	made := missing(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("output folder: %w; choose another with --out", err)
	}
	held, err := tryLock(filepath.Join(dir, lockName))
	var busy *errLocked
	if errors.As(err, &busy) {
		return nil, fmt.Errorf("%s: another sweep (%s) works in this folder; wait for it, or choose another folder with --out", dir, busy.holder)
	}
	if err != nil {
		return nil, fmt.Errorf("output folder: %w; choose another with --out", err)
	}
	_, err = os.Stat(filepath.Join(dir, documentName))
	fresh := errors.Is(err, fs.ErrNotExist)
	study, err := create(dir, s, plan)
	if err != nil {
		held.unlock()
		return nil, err
	}
	study.lock, study.fresh, study.made = held, fresh, made
	return study, nil
}

// checkFolder refuses a folder that holds files but no study.
func checkFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("output folder: %w; choose another with --out", err)
	}
	for _, e := range entries {
		// A sweep killed in its first moment leaves the lock and temporary files alone.
		if name := e.Name(); name != lockName && name[0] != '.' {
			if _, err := os.Stat(filepath.Join(dir, documentName)); err != nil {
				return fmt.Errorf("output folder %s holds %s but no study; choose another folder with --out", dir, name)
			}
			return nil
		}
	}
	return nil
}

// create writes what is not there yet: the spec first, the plan next, the store last.
func create(dir string, s *spec.Spec, plan *Plan) (*Study, error) {
	if err := clearTemporary(dir); err != nil {
		return nil, fmt.Errorf("output folder: %w", err)
	}
	if err := keepDocument(dir, s); err != nil {
		return nil, err
	}
	if err := plan.keep(filepath.Join(dir, planName)); err != nil {
		return nil, err
	}
	db, err := store.OpenSQLite(filepath.Join(dir, storeName))
	if err != nil {
		return nil, err
	}
	if err := db.Create(context.Background(), s.Name, plan.fingerprint(), plan.stored()); err != nil {
		db.Close()
		return nil, err
	}
	return &Study{Dir: dir, Spec: s, Plan: plan, Store: db}, nil
}

// keepDocument writes study.json, or makes sure that the one there is of the same study.
func keepDocument(dir string, s *spec.Spec) error {
	path := filepath.Join(dir, documentName)
	known, err := readSpec(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		document := s.Document()
		if document.Path, err = filepath.Abs(document.Path); err != nil {
			return fmt.Errorf("study: %w", err)
		}
		raw, err := json.MarshalIndent(document, "", "  ")
		if err != nil {
			return fmt.Errorf("study: %w", err)
		}
		if err := checkpoint.WriteFile(path, append(raw, '\n')); err != nil {
			return fmt.Errorf("output folder: %w; choose another with --out", err)
		}
		return nil
	case err != nil:
		return err
	case string(known.Canonical()) != string(s.Canonical()):
		return fmt.Errorf("%s holds a study of another spec (%s as it was then); to sweep the new one choose another folder with --out, or remove this one", dir, known.Document().Path)
	}
	return nil
}

func readSpec(path string) (*spec.Spec, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("study: %w", err)
	}
	var d spec.Document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("study: %s: %w", path, err)
	}
	return spec.Restore(d)
}

// Open opens the study in dir to read it or to work in it.
func Open(dir string) (*Study, error) {
	s, err := readSpec(filepath.Join(dir, documentName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no study: it has no %s", dir, documentName)
	}
	if err != nil {
		return nil, err
	}
	plan, err := readPlan(filepath.Join(dir, planName), s)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, storeName)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("study: %w; flowbench sweep makes it whole again", err)
	}
	db, err := store.OpenSQLite(path)
	if err != nil {
		return nil, err
	}
	if held, err := db.Study(context.Background()); err != nil || held.Fingerprint != plan.fingerprint() {
		db.Close()
		return nil, errors.Join(err, fmt.Errorf("study: %s does not hold the trials of %s; flowbench sweep makes a new study whole", path, planName))
	}
	return &Study{Dir: dir, Spec: s, Plan: plan, Store: db}, nil
}

// Close gives back the store and the lock.
func (s *Study) Close() error {
	err := s.Store.Close()
	if s.lock != nil {
		err = errors.Join(err, s.lock.unlock())
	}
	return err
}

// flows opens the study's flows, which Prepare has made ready.
func (s *Study) flows(ctx context.Context) (*prepared.Set, error) {
	if _, err := os.Stat(filepath.Join(s.Dir, flowsName)); err != nil {
		return nil, fmt.Errorf("the flows of %s are not ready: start its sweep first, which reads them", s.Dir)
	}
	return s.openFlows(ctx, nil)
}

// openFlows opens the flows, preparing them where they are not yet. Flows that
// are not those that the study began with are an error.
func (s *Study) openFlows(ctx context.Context, progress func(done, total int64)) (*prepared.Set, error) {
	set, err := dataset.Open(ctx, s.Plan.Configurations[0].run.Data, filepath.Join(s.Dir, dataName), progress)
	if err != nil {
		return nil, err
	}
	if err := s.keepFingerprint(set.Manifest().Fingerprint); err != nil {
		set.Close()
		return nil, err
	}
	return set, nil
}

// keepFingerprint writes the fingerprint of the study's flows, or makes sure that
// it is the one there.
func (s *Study) keepFingerprint(fingerprint string) error {
	path := filepath.Join(s.Dir, flowsName)
	known, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return explain(checkpoint.WriteFile(path, []byte(fingerprint+"\n")))
	case err != nil:
		return fmt.Errorf("study: %w", err)
	case strings.TrimSpace(string(known)) != fingerprint:
		return fmt.Errorf("the flows have changed since this study began (fingerprint %.12s, was %.12s): put the old ones back, or sweep the new ones in another folder with --out", fingerprint, known)
	}
	return nil
}

// trialDir is the folder of a trial.
func (s *Study) trialDir(index int) string {
	return filepath.Join(s.Dir, "trials", fmt.Sprintf("%04d", index))
}
