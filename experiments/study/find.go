package study

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"flowbench/experiments/store"
)

// FindTrial is the folder of the trial that an address names: the folder itself,
// such as runs/demo/trials/0003; STUDY:3, a trial of the study in that folder by
// its number; STUDY:best, of its trials that are done the one that is best by the
// study's metric, baselines left out; or STUDY, where one trial is no baseline.
func FindTrial(ctx context.Context, address string) (dir string, err error) {
	folder, which := address, ""
	if _, err := os.Stat(address); errors.Is(err, fs.ErrNotExist) {
		if at := strings.LastIndexByte(address, ':'); at > 0 {
			folder, which = address[:at], address[at+1:]
		}
	}
	if _, err := os.Stat(filepath.Join(folder, documentName)); err != nil {
		if which != "" {
			return "", fmt.Errorf("%s is no study: it has no %s", folder, documentName)
		}
		return folder, nil // whoever opens it says what it lacks
	}
	s, err := Open(folder)
	if err != nil {
		return "", err
	}
	defer s.Close()
	return s.find(ctx, which)
}

// find is the folder of the trial that is called which in the study.
func (s *Study) find(ctx context.Context, which string) (string, error) {
	if which == "best" {
		return s.best(ctx)
	}
	if which != "" {
		n, err := strconv.Atoi(which)
		if err != nil || n < 0 || n >= len(s.Plan.Trials) {
			return "", fmt.Errorf("%s has no trial %q: write %s:best, or :0 to :%d", s.Dir, which, s.Dir, len(s.Plan.Trials)-1)
		}
		return s.trialDir(n), nil
	}
	var models []int
	for _, t := range s.Plan.Trials {
		if !s.Plan.Configurations[t.Configuration].Baseline {
			models = append(models, t.Index)
		}
	}
	if len(models) != 1 {
		return "", fmt.Errorf("%s holds %d models: write %s:best, or :0 to :%d (flowbench runs %s lists them)", s.Dir, len(models), s.Dir, len(s.Plan.Trials)-1, s.Dir)
	}
	return s.trialDir(models[0]), nil
}

// best is the folder of the best trial, of equals the first.
func (s *Study) best(ctx context.Context) (string, error) {
	ends, err := s.ends(ctx)
	if err != nil {
		return "", err
	}
	metric, found, most := s.Plan.Metric, -1, 0.0
	for _, t := range s.Plan.Trials {
		e := ends[t.Index]
		if e.state != string(store.Done) || s.Plan.Configurations[t.Configuration].Baseline {
			continue
		}
		v, ok := e.metrics[metric.Name]
		if metric.Goal == "minimize" {
			v = -v
		}
		if ok && (found < 0 || v > most) {
			found, most = t.Index, v
		}
	}
	if found < 0 {
		return "", fmt.Errorf("%s: no model has finished with a %s; flowbench runs %s says how each trial ended", s.Dir, metric.Name, s.Dir)
	}
	return s.trialDir(found), nil
}
