package study

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"flowbench/experiments/compare"
	"flowbench/experiments/spec"
	"flowbench/train"
)

// gathered is the comparison of one folder, and the fingerprint of its flows.
type gathered struct {
	folder, flows string
	table         *compare.Table
}

// Gather sets the configurations of studies and of single trials' folders side by
// side. Trials that are alike in everything but the seed become one configuration.
// A folder that is neither, a trial that has not ended, a study without a trial
// that is done, and, unless differentData, folders of different flows are errors
// that say what to do.
func Gather(ctx context.Context, folders []string, differentData bool) (*compare.Table, error) {
	var all []gathered
	for _, folder := range folders {
		g, err := gather(ctx, folder)
		if err != nil {
			return nil, err
		}
		if len(all) > 0 && !differentData && g.flows != all[0].flows {
			return nil, &DifferentDataError{[2]string{all[0].folder, folder}, [2]string{all[0].flows, g.flows}}
		}
		all = append(all, g)
	}
	if len(all) == 1 {
		return all[0].table, nil
	}
	return merge(all)
}

// DifferentDataError says that two folders are of different flows.
type DifferentDataError struct {
	Folders, Flows [2]string // Flows are fingerprints, empty where not known
}

func (e *DifferentDataError) Error() string {
	return fmt.Sprintf("%s (flows %s) and %s (flows %s) are of different data, so that their figures do not compare; give --different-data to set them side by side all the same",
		e.Folders[0], named(e.Flows[0]), e.Folders[1], named(e.Flows[1]))
}

// Flows is the fingerprint of the flows that the study was prepared from; empty
// before that.
func (s *Study) Flows() (string, error) {
	raw, err := os.ReadFile(filepath.Join(s.Dir, flowsName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("study: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

func named(fingerprint string) string {
	if fingerprint == "" {
		return "unknown"
	}
	return fmt.Sprintf("%.12s", fingerprint)
}

func gather(ctx context.Context, folder string) (gathered, error) {
	if _, err := os.Stat(filepath.Join(folder, documentName)); err == nil {
		return gatherStudy(ctx, folder)
	}
	return gatherTrial(folder)
}

func gatherStudy(ctx context.Context, folder string) (gathered, error) {
	s, err := Open(folder)
	if err != nil {
		return gathered{}, err
	}
	defer s.Close()
	table, err := s.Comparison(ctx)
	if err != nil {
		return gathered{}, err
	}
	states, done := map[string]int{}, 0
	for _, c := range table.Configurations {
		for i, state := range c.States {
			states[state]++
			if state == train.StateDone && i < len(c.Folders) {
				done++
			}
		}
	}
	if done == 0 {
		var stand []string
		for _, state := range []string{"planned", "running", "stale", "pruned", "diverged", "failed", "lost"} {
			if states[state] > 0 {
				stand = append(stand, fmt.Sprintf("%d %s", states[state], state))
			}
		}
		return gathered{}, fmt.Errorf("study %s has no trial that is done (%s): flowbench sweep %s --out %s trains them, flowbench runs %s says why each ended",
			folder, strings.Join(stand, ", "), s.Spec.Document().Path, folder, folder)
	}
	flows, err := s.Flows()
	return gathered{folder, flows, table}, err
}

// gatherTrial is the comparison of one trial.
func gatherTrial(folder string) (gathered, error) {
	s, err := spec.Load(filepath.Join(folder, "spec.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		return gathered{}, fmt.Errorf("%s is no study and no trial: it has neither %s nor spec.yaml; name the folder that flowbench sweep wrote, or one of its trials/ folders", folder, documentName)
	}
	if err != nil && strings.Contains(filepath.Base(filepath.Dir(folder)), "trials") {
		return gathered{}, fmt.Errorf("%s: a trivial baseline's folder holds no spec that can be read alone; compare its study: %w", folder, err)
	}
	if err != nil {
		return gathered{}, err
	}
	run, err := s.With(nil)
	if err != nil {
		return gathered{}, err
	}
	result, err := train.ReadResult(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return gathered{}, fmt.Errorf("%s has not finished: it has no result.json; the flowbench sweep or train command that began it ends it", folder)
	}
	if err != nil {
		return gathered{}, err
	}
	row := compare.Configuration{
		Study: run.Name, Name: run.Model.Kind + "-" + filepath.Base(filepath.Clean(folder)), Model: run.Model.Kind, Params: map[string]any{},
		Settings: run.Settings(), Overlap: run.Overlap(), Metrics: map[string][]*float64{},
		Seeds: []uint64{run.Seed}, Folders: []string{folder}, Flows: result.Flows,
	}
	addReplicate(&row, 0, end{state: result.State, reason: result.Reason, metrics: result.Metrics})
	table := &compare.Table{Metric: "validation.average_precision", Maximize: true, Configurations: []compare.Configuration{row}}
	table.Title = []string{fmt.Sprintf("trial %s of study %s, seed %d", folder, run.Name, run.Seed)}
	return gathered{folder, result.Flows, table}, nil
}

// merge puts the tables of several folders into one, ranked as the first is.
func merge(all []gathered) (*compare.Table, error) {
	merged := *all[0].table
	merged.Title, merged.Configurations, merged.Named, merged.Drawn = nil, nil, nil, map[string]string{}
	for _, g := range all {
		t := g.table
		if t.Metric != merged.Metric || t.Maximize != merged.Maximize {
			merged.Title = append(merged.Title, fmt.Sprintf("%s was ranked by %s; here it is ranked by %s", g.folder, t.Metric, merged.Metric))
		}
		merged.Title = append(merged.Title, t.Title...)
		merged.Multiclass = merged.Multiclass || t.Multiclass
		merged.Named = append(merged.Named, t.Named...)
		for path, distribution := range t.Drawn {
			if known, ok := merged.Drawn[path]; ok && known != distribution {
				distribution = ""
			}
			merged.Drawn[path] = distribution
		}
		for _, c := range t.Configurations {
			c.Flows = g.flows
			known := -1
			for i, other := range merged.Configurations {
				if alike(c, other) {
					known = i
				}
			}
			if known < 0 {
				merged.Configurations = append(merged.Configurations, c)
				continue
			}
			merged.Configurations[known] = join(merged.Configurations[known], c)
		}
	}
	showDifferences(merged.Configurations)
	return &merged, nil
}

// alike says whether two configurations differ in the seeds alone.
func alike(a, b compare.Configuration) bool {
	if a.Baseline != b.Baseline || a.Flows != b.Flows || a.Model != b.Model || a.Overlap != b.Overlap {
		return false
	}
	return reflect.DeepEqual(a.Settings, b.Settings)
}

// join adds the replicates of b to those of a, whose seeds a has not.
func join(a, b compare.Configuration) compare.Configuration {
	for i, seed := range b.Seeds {
		known := false
		for _, s := range a.Seeds {
			known = known || s == seed
		}
		if known {
			continue
		}
		at := len(a.States)
		a.Seeds, a.Folders = append(a.Seeds, seed), append(a.Folders, b.Folders[i])
		a.States, a.Reasons, a.Found = append(a.States, b.States[i]), append(a.Reasons, b.Reasons[i]), append(a.Found, b.Found[i])
		for name, values := range b.Metrics {
			for len(a.Metrics[name]) < at {
				a.Metrics[name] = append(a.Metrics[name], nil)
			}
			a.Metrics[name] = append(a.Metrics[name], values[i])
		}
		for name, values := range a.Metrics {
			for len(values) <= at {
				values = append(values, nil)
			}
			a.Metrics[name] = values
		}
	}
	return a
}

// showDifferences makes every parameter whose value is not the same in all models
// that have it a parameter of the comparison, and tells names apart that are equal.
func showDifferences(configurations []compare.Configuration) {
	first := map[string]any{}
	differs := map[string]bool{}
	names := map[string]int{}
	for _, c := range configurations {
		names[c.Name]++
		for path, v := range c.Settings {
			known, ok := first[path]
			differs[path] = differs[path] || ok && !reflect.DeepEqual(known, v)
			if !ok {
				first[path] = v
			}
		}
	}
	for i := range configurations {
		c := &configurations[i]
		if names[c.Name] > 1 {
			c.Name = c.ID()
		}
		if c.Baseline {
			continue
		}
		params := map[string]any{}
		for path := range differs {
			if v, ok := c.Settings[path]; ok && differs[path] {
				params[path] = v
			}
		}
		c.Params = params
	}
}
