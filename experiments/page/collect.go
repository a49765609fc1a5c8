package page

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"flowbench/data/parallel"
	"flowbench/experiments/compare"
	"flowbench/experiments/store"
	"flowbench/experiments/study"
	"flowbench/train"
)

// A page holds the curves of the best configurations, the learning curves of
// all. heldConfigs times heldReplicates curves of at most a thousand points each
// are some megabytes.
const (
	heldConfigs    = 24
	heldReplicates = 5
)

// NoneEndedError says that there is nothing to report on yet.
type NoneEndedError struct{ Dir string }

func (e *NoneEndedError) Error() string {
	return fmt.Sprintf("%s: no trial is done yet, so that there is nothing to report: finish its sweep with flowbench sweep, or look on with flowbench serve %s", e.Dir, e.Dir)
}

// Collector makes the document of a study, again and again while it runs: what it
// has read of a trial that has ended it does not read again. It is for one
// goroutine. The caller closes the study.
type Collector struct {
	study *study.Study
	// Scores reads what a trial gave its test flows; nil with a nil error where it
	// kept none.
	Scores func(trial int) (*TestScores, error)

	trials []trialFacts
	held   map[int]heldCurves
}

// trialFacts is what a trial's folder says.
type trialFacts struct {
	ended  bool // nothing in the folder changes any more
	result *train.Result
	epochs []train.EpochMetrics
}

// heldCurves is what the test scores of a trial come to; nil fields where there are none.
type heldCurves struct {
	curve  *Curve
	scores *Scores
}

// NewCollector collects from st, whose trials record their test scores as
// scores reads them; nil where they record none.
func NewCollector(st *study.Study, scores func(trial int) (*TestScores, error)) *Collector {
	return &Collector{study: st, Scores: scores, trials: make([]trialFacts, len(st.Plan.Trials)), held: map[int]heldCurves{}}
}

// Collect reads the study as it stands. Before a trial is done there is an
// Overview that says so, and no figure.
func (c *Collector) Collect(ctx context.Context) (*Study, error) {
	trials, err := c.study.Store.Trials(ctx)
	if err != nil {
		return nil, err
	}
	table, err := c.study.Comparison(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.read(trials); err != nil {
		return nil, err
	}
	s := &Study{Kind: "study", Title: c.study.Spec.Name, Progress: c.progress(trials)}
	ranked := compare.Rank(table.Configurations, table.Metric, table.Maximize)
	s.Metric = figureOf(table.Metric)
	s.Figures = figuresOf(table)
	s.Params = paramsOf(ranked, table.Named)
	places := c.places()
	for _, row := range ranked {
		s.Configs = append(s.Configs, c.config(s, row, places[row.Name]))
	}
	if err := c.addCurves(s, places); err != nil {
		return nil, err
	}
	source, err := c.source(ctx)
	if err != nil {
		return nil, err
	}
	s.Sources = []Source{*source}
	s.Made = made()
	if err := addStatistics(s, table); err != nil {
		return nil, err
	}
	s.Overview = overview(s, c.example(), source.warnings)
	return s, nil
}

// Finished is Collect for a page that stands as it is: a study of which no trial
// is done is a *NoneEndedError.
func (c *Collector) Finished(ctx context.Context) (*Study, error) {
	s, err := c.Collect(ctx)
	if err != nil {
		return nil, err
	}
	if s.Progress.States[string(store.Done)] == 0 {
		return nil, &NoneEndedError{c.study.Dir}
	}
	return s, nil
}

// read brings trials up to date. Trials are read on all cores.
func (c *Collector) read(trials []store.Trial) error {
	for len(c.trials) < len(trials) { // an adaptive study's plan grows
		c.trials = append(c.trials, trialFacts{})
	}
	failed := make([]error, len(trials))
	parallel.Each(len(trials), func(i int) {
		t := &c.trials[i]
		if ended := trials[i].State.Ended(); !t.ended && trials[i].State != store.Planned {
			*t, failed[i] = c.readTrial(i)
			t.ended = ended
		} else if !ended {
			*t = trialFacts{} // put back into the plan
		}
	})
	return errors.Join(failed...)
}

func (c *Collector) readTrial(i int) (trialFacts, error) {
	var t trialFacts
	var err error
	dir := c.study.TrialDir(i)
	if t.result, err = train.ReadResult(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	// Detectors write no epochs.
	if t.epochs, err = train.ReadMetrics(filepath.Join(dir, "metrics.jsonl")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	return t, nil
}

// places lists the trials of each configuration, by its name.
func (c *Collector) places() map[string][]int {
	places := map[string][]int{}
	for _, t := range c.study.Plan.Trials {
		name := c.study.Plan.Configurations[t.Configuration].Name
		places[name] = append(places[name], t.Index)
	}
	return places
}

// progress counts states, and lists what runs.
func (c *Collector) progress(trials []store.Trial) Progress {
	p := Progress{Trials: len(trials), States: map[string]int{}}
	for i, t := range trials {
		p.States[string(t.State)]++
		if t.State.Ended() {
			p.Ended++
		}
		if t.State == store.Running {
			planned := c.study.Plan.Trials[i]
			name := fmt.Sprintf("%s, replicate %d", c.study.Plan.Configurations[planned.Configuration].Name, planned.Replicate)
			p.Running = append(p.Running, RunningTrial{Trial: i, Name: name, Epochs: len(c.trials[i].epochs)})
		}
	}
	return p
}

// example is a result that says on how many flows all were judged; nil before there is one.
func (c *Collector) example() *train.Result {
	for _, t := range c.trials {
		if t.result != nil && t.result.Test != nil {
			return t.result
		}
	}
	return nil
}

// addCurves draws the curves and the scores of the best configurations and of
// the baselines, as far as their trials kept what they scored.
func (c *Collector) addCurves(s *Study, places map[string][]int) error {
	s.Curves = CurveNote{Bound: Bound, Absent: "the trials of this study kept no test scores; those of studies begun with this version do"}
	if c.Scores == nil {
		return nil
	}
	models := 0
	for i := range s.Configs {
		config := &s.Configs[i]
		if !config.Baseline {
			models++
		}
		if !config.Baseline && models > heldConfigs {
			continue
		}
		if err := c.addCurvesOf(config, places[config.Name]); err != nil {
			return err
		}
		if len(config.Curves) > 0 {
			s.Curves.Held++
			s.Curves.Absent = ""
		}
	}
	return nil
}

func (c *Collector) addCurvesOf(config *Config, trials []int) error {
	for _, i := range trials[:min(len(trials), heldReplicates)] {
		t := c.trials[i]
		if !t.ended || t.result == nil {
			continue
		}
		kept, ok := c.held[i]
		if !ok {
			scores, err := c.Scores(i)
			if err != nil {
				return fmt.Errorf("trial %04d: test scores: %w", i, err)
			}
			if scores != nil {
				if kept.curve, err = curveOf(t.result.Seed, *scores); err != nil {
					return fmt.Errorf("trial %04d: %w", i, err)
				}
				kept.scores = scoresOf(t.result.Seed, *scores)
			}
			c.held[i] = kept
		}
		if kept.curve != nil {
			config.Curves = append(config.Curves, *kept.curve)
		}
		if kept.scores != nil {
			config.Scores = append(config.Scores, *kept.scores)
		}
	}
	return nil
}
