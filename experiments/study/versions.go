package study

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"flowbench/experiments/spec"
	"flowbench/train/checkpoint"
)

// documentPath and planPath are the files of a version, 0 for the spec as it was
// first.
func documentPath(dir string, version int) string { return versioned(dir, documentName, version) }
func planPath(dir string, version int) string     { return versioned(dir, planName, version) }

func versioned(dir, name string, version int) string {
	if version == 0 {
		return filepath.Join(dir, name)
	}
	ext := filepath.Ext(name)
	return filepath.Join(dir, fmt.Sprintf("%s-%d%s", name[:len(name)-len(ext)], version, ext))
}

// readVersions reads the spec as it is after each of the study's extensions.
func readVersions(dir string) ([]*spec.Spec, error) {
	var later []*spec.Spec
	for {
		s, err := readSpec(documentPath(dir, len(later)+1))
		if errors.Is(err, fs.ErrNotExist) {
			return later, nil
		}
		if err != nil {
			return nil, err
		}
		later = append(later, s)
	}
}

// fillStore makes the store hold the study's plan, and brings both to the newest
// version, whatever of an extension a crash has left undone.
func (s *Study) fillStore(ctx context.Context, later []*spec.Spec) error {
	if len(later) == 0 {
		return s.Store.Create(ctx, s.Spec.Name, s.Plan.fingerprint(), s.Plan.stored())
	}
	held, err := s.Store.Study(ctx)
	if err != nil {
		return err
	}
	if held.Fingerprint == "" {
		if err := s.Store.Create(ctx, s.Spec.Name, s.Plan.fingerprint(), s.Plan.stored()); err != nil {
			return err
		}
		held.Fingerprint = s.Plan.fingerprint()
	}
	reached := held.Fingerprint == s.Plan.fingerprint()
	for n := range later {
		next, err := NewVersions(append([]*spec.Spec{s.Spec}, later[:n+1]...))
		if err != nil {
			return err
		}
		if err := next.keep(planPath(s.Dir, n+1)); err != nil {
			return err
		}
		if reached {
			if err := s.Store.Extend(ctx, s.Plan.fingerprint(), next.fingerprint(), next.stored()[len(s.Plan.Trials):]); err != nil {
				return err
			}
		}
		reached = reached || held.Fingerprint == next.fingerprint()
		s.Plan = next
	}
	if !reached {
		return fmt.Errorf("study: the store of %s holds no version of its plan; choose another folder with --out", s.Dir)
	}
	return s.Refresh(ctx)
}

// Extend makes next, the spec with more trials or a narrower space, the newest
// version of the study, and returns how many trials it adds. The spec is written
// first: whatever a crash leaves undone, Create does.
func (s *Study) Extend(ctx context.Context, next *spec.Spec) (int, error) {
	if s.Plan.Single {
		return 0, errors.New("a single run cannot be extended: sweep its spec in another folder")
	}
	later, err := readVersions(s.Dir)
	if err != nil {
		return 0, err
	}
	later = append(later, next)
	plan, err := NewVersions(append([]*spec.Spec{s.Spec}, later...))
	if err != nil {
		return 0, err
	}
	added := len(plan.Trials) - len(s.Plan.Trials)
	if added <= 0 {
		return 0, fmt.Errorf("the extension adds no trial to the %d there are: raise --trials above the %d configurations of the plan, or widen what --set narrows",
			len(s.Plan.Trials), s.Plan.found.Count)
	}
	raw, err := encodeDocument(next)
	if err != nil {
		return 0, err
	}
	if err := checkpoint.WriteFile(documentPath(s.Dir, len(later)), raw); err != nil {
		return 0, explain(err)
	}
	// From the first version on, as after a crash.
	if s.Plan, err = NewPlan(s.Spec); err != nil {
		return 0, err
	}
	return added, s.fillStore(ctx, later)
}

// Newest is the spec as it is after the study's last extension.
func (s *Study) Newest() *spec.Spec { return s.Plan.versions[len(s.Plan.versions)-1] }
