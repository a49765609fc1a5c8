package study

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"flowbench/data/parallel"
	"flowbench/experiments/compare"
	"flowbench/experiments/spec"
	"flowbench/experiments/store"
	"flowbench/train"
	"flowbench/train/checkpoint"
	"flowbench/train/metric"
)

// Comparison sets the study's configurations side by side, as far as their
// trials have ended.
func (s *Study) Comparison(ctx context.Context) (*compare.Table, error) {
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	ends, err := s.ends(ctx)
	if err != nil {
		return nil, err
	}
	t := &compare.Table{Metric: s.Plan.Metric.Name, Maximize: s.Plan.Metric.Goal != "minimize"}
	var example *train.Result
	settings := make([]map[string]any, len(s.Plan.Configurations))
	parallel.Each(len(settings), func(i int) {
		if c := s.configuration(i); c.run != nil && !c.Baseline {
			settings[i] = c.run.Settings()
		}
	})
	for i := range s.Plan.Configurations {
		c := s.configuration(i)
		row := compare.Configuration{
			Study: s.Plan.Study, Name: c.Name, Model: c.Model, Baseline: c.Baseline, Params: c.params(),
			Settings: settings[i], Metrics: map[string][]*float64{},
		}
		if c.run != nil { // else it has no parameters yet
			row.Overlap = c.run.Overlap()
		}
		replicate := 0
		for _, index := range s.Plan.trialsOf(i) {
			trial := s.Plan.Trials[index]
			end := ends[trial.Index]
			row.Seeds, row.Folders = append(row.Seeds, trial.Seed), append(row.Folders, s.trialDir(trial.Index))
			addReplicate(&row, replicate, end)
			if _, judged := end.metrics["test.rows"]; judged && example == nil {
				if example, err = train.ReadResult(s.trialDir(index)); err != nil {
					return nil, err
				}
			}
			// Baselines tell two classes apart, whatever the task.
			_, macro := end.metrics["test.macro_average_precision"]
			t.Multiclass = t.Multiclass || macro
			replicate++
		}
		t.Configurations = append(t.Configurations, row)
	}
	t.Title = s.title(example)
	t.Named, t.Drawn = s.named(), s.drawn()
	return t, nil
}

// drawn is what each parameter is drawn from, by its path; those of a list of
// values, and those that variants draw unlike one another, have nothing.
func (s *Study) drawn() map[string]string {
	drawn := map[string]string{}
	if s.Spec.Sweep == nil {
		return drawn
	}
	lists := []spec.Parameters{s.Spec.Sweep.Parameters}
	for _, v := range s.Spec.Sweep.Variants {
		lists = append(lists, v.Parameters)
	}
	for _, p := range slices.Concat(lists...) {
		if known, ok := drawn[p.Path]; ok && known != p.Distribution {
			p.Distribution = ""
		}
		drawn[p.Path] = p.Distribution
	}
	return drawn
}

// end is how a trial stands: its state and its figures in the store.
type end struct {
	state, reason string
	metrics       map[string]float64 // train.Result.Metrics; nil where it has none
}

// ends reads how every trial stands. The figures are the store's, which are those
// of result.json: a large study has too many of those files to read them all.
func (s *Study) ends(ctx context.Context) ([]end, error) {
	trials, err := s.Store.Trials(ctx)
	if err != nil {
		return nil, err
	}
	ends := make([]end, len(s.Plan.Trials))
	for _, t := range trials {
		e := end{state: string(t.State), reason: t.Reason}
		if t.State.Ended() && t.Result != nil {
			if err := json.Unmarshal(t.Result, &e.metrics); err != nil {
				return nil, fmt.Errorf("study: the result of trial %d in the store: %w", t.Index, err)
			}
		}
		path := filepath.Join(s.trialDir(t.Index), "result.json")
		if _, err := os.Stat(path); t.State == store.Done && errors.Is(err, fs.ErrNotExist) {
			e = end{state: "lost", reason: path + " is gone"}
		}
		ends[t.Index] = e
	}
	return ends, nil
}

// addReplicate puts one trial's figures at its place in the row.
func addReplicate(row *compare.Configuration, replicate int, e end) {
	row.States, row.Reasons = append(row.States, e.state), append(row.Reasons, e.reason)
	var found *metric.Proportion
	for name, v := range e.metrics {
		for len(row.Metrics[name]) < replicate {
			row.Metrics[name] = append(row.Metrics[name], nil)
		}
		row.Metrics[name] = append(row.Metrics[name], &v)
	}
	if tp, ok := e.metrics["test.tp"]; ok {
		found = &metric.Proportion{K: int(tp), N: int(tp + e.metrics["test.fn"])}
	}
	row.Found = append(row.Found, found)
	for name, values := range row.Metrics {
		for len(values) <= replicate {
			values = append(values, nil)
		}
		row.Metrics[name] = values
	}
}

// title says what was compared, on which rows.
func (s *Study) title(example *train.Result) []string {
	lines := []string{fmt.Sprintf("study %s: %d configurations, %d trials", s.Spec.Name, len(s.Plan.Configurations), len(s.Plan.Trials))}
	if example != nil {
		lines = append(lines, fmt.Sprintf("test part of a replicate: %d flows, %d attacks; device %s", example.Test.Rows, example.Test.Positives, example.Device))
	}
	return lines
}

// writeComparison keeps the final table in the study's folder.
func (s *Study) writeComparison(t *compare.Table) error {
	var text, rows bytes.Buffer
	if err := t.Write(&text); err != nil {
		return err
	}
	if err := compare.WriteJSON(&rows, t.Configurations); err != nil {
		return err
	}
	if err := checkpoint.WriteFile(filepath.Join(s.Dir, comparisonName), text.Bytes()); err != nil {
		return err
	}
	return checkpoint.WriteFile(filepath.Join(s.Dir, rowsName), rows.Bytes())
}
