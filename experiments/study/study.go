// Package study runs a sweep: a folder with a plan, a store of trials, and
// worker processes that claim them. Whatever is killed at whatever moment, the
// same command finishes the trials that are missing and no other.
//
// A study's folder holds
//
//	study.json        the spec as it was written, and where it lay
//	plan.json         every trial, written before the first one starts
//	study-1.json ...  the spec as it was extended, and plan-1.json ... the plan then
//	study.db          the store: who has claimed what, and how each trial ended;
//	                  or store.json, which names a store elsewhere
//	data/             the prepared flows, where the spec names no prepared folder
//	flows.sha256      the fingerprint of the flows, which must not change
//	data-report.txt   the ledger, the split, what leaks, single features
//	data-report.json  the same as values
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
	"slices"
	"strings"
	"sync"

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
	locationName   = "store.json"
	servedName     = "served.json"
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
	Spec  *spec.Spec // as it was before any extension
	Plan  *Plan
	Store store.Store
	lock  *fileLock // nil for a worker or a reader

	mu sync.RWMutex // guards Plan.Configurations, which suggestions fill in

	fresh bool     // Create found no study in the folder
	made  []string // the folders that Create made, the innermost first
}

// Create makes the folder of a study of s at dir, or opens it to go on with it,
// and locks it against a second sweep. url is where its store is to be, see
// store.Open; without one it is in the folder, or where it was before. A folder
// that holds something else, or another study, is an error that says so.
func Create(dir string, s *spec.Spec, plan *Plan, url string) (*Study, error) {
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	made := missing(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("output folder: %w; choose another with --out", err)
	}
	held, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	_, err = os.Stat(filepath.Join(dir, documentName))
	fresh := errors.Is(err, fs.ErrNotExist)
	study, err := create(dir, s, plan, url)
	if err != nil {
		held.unlock()
		return nil, err
	}
	study.lock, study.fresh, study.made = held, fresh, made
	return study, nil
}

// lockFolder keeps a second sweep out of a study's folder.
func lockFolder(dir string) (*fileLock, error) {
	held, err := tryLock(filepath.Join(dir, lockName))
	var busy *errLocked
	if errors.As(err, &busy) {
		return nil, fmt.Errorf("%s: another sweep (%s) works in this folder; wait for it, or choose another folder with --out", dir, busy.holder)
	}
	if err != nil {
		return nil, fmt.Errorf("output folder: %w; choose another with --out", err)
	}
	return held, nil
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
func create(dir string, s *spec.Spec, plan *Plan, url string) (*Study, error) {
	if err := checkpoint.ClearTemporary(checkpoint.OS{}, dir); err != nil {
		return nil, fmt.Errorf("output folder: %w", err)
	}
	if err := keepDocument(dir, s); err != nil {
		return nil, err
	}
	if err := plan.keep(planPath(dir, 0)); err != nil {
		return nil, err
	}
	if err := keepLocation(dir, url); err != nil {
		return nil, err
	}
	study := &Study{Dir: dir, Spec: s, Plan: plan}
	later, err := readVersions(dir)
	if err != nil {
		return nil, err
	}
	if study.Store, err = openStore(dir, s.Name, true); err != nil {
		return nil, err
	}
	if err := study.fillStore(context.Background(), later); err != nil {
		study.Store.Close()
		return nil, err
	}
	return study, nil
}

// keepDocument writes study.json, or makes sure that the one there is of the same
// study. What of a spec does not decide results, such as a budget, may differ,
// and is then that of s.
func keepDocument(dir string, s *spec.Spec) error {
	path := filepath.Join(dir, documentName)
	raw, err := encodeDocument(s)
	if err != nil {
		return err
	}
	known, err := readSpec(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case string(known.Canonical()) != string(s.Canonical()):
		return fmt.Errorf("%s holds a study of another spec (%s as it was then); to sweep the new one choose another folder with --out, or remove this one", dir, known.Document().Path)
	case known.Document().Text == s.Document().Text && slices.Equal(known.Document().Set, s.Document().Set):
		return nil
	}
	if err := checkpoint.WriteFile(path, raw); err != nil {
		return fmt.Errorf("output folder: %w; choose another with --out", err)
	}
	return nil
}

func encodeDocument(s *spec.Spec) ([]byte, error) {
	document := s.Document()
	var err error
	if document.Path, err = filepath.Abs(document.Path); err != nil {
		return nil, fmt.Errorf("study: %w", err)
	}
	raw, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("study: %w", err)
	}
	return append(raw, '\n'), nil
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

// Reopen opens the study in dir to go on with it, as Create does with its spec.
func Reopen(dir string) (*Study, error) {
	s, err := readSpec(filepath.Join(dir, documentName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no study: it has no %s", dir, documentName)
	}
	if err != nil {
		return nil, err
	}
	plan, err := readPlan(dir, s, nil)
	if err != nil {
		return nil, err
	}
	return Create(dir, s, plan, "")
}

// Open opens the study in dir to read it or to work in it.
func Open(dir string) (*Study, error) { return open(dir, openStore) }

// OpenServed is Open for a worker to which the sweep's launcher serves the store.
func OpenServed(dir string) (*Study, error) { return open(dir, openServed) }

func open(dir string, openStore func(dir, study string, create bool) (store.Store, error)) (*Study, error) {
	s, err := readSpec(filepath.Join(dir, documentName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no study: it has no %s", dir, documentName)
	}
	if err != nil {
		return nil, err
	}
	later, err := readVersions(dir)
	if err != nil {
		return nil, err
	}
	plan, err := readPlan(dir, s, later)
	if err != nil {
		return nil, err
	}
	db, err := openStore(dir, s.Name, false)
	if err != nil {
		return nil, err
	}
	study := &Study{Dir: dir, Spec: s, Plan: plan, Store: db}
	held, err := db.Study(context.Background())
	if err == nil && held.Fingerprint != plan.fingerprint() {
		err = fmt.Errorf("study: the store of %s does not hold the trials of its plan; flowbench sweep makes a new study whole", dir)
	}
	if err == nil {
		err = study.Refresh(context.Background())
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return study, nil
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

// TrialDir is the folder of a trial, which may not be there before it starts.
func (s *Study) TrialDir(index int) string { return s.trialDir(index) }

// trialDir is the folder of a trial.
func (s *Study) trialDir(index int) string {
	return filepath.Join(s.Dir, "trials", fmt.Sprintf("%04d", index))
}
