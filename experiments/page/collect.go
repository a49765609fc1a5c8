package page

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

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
	return fmt.Sprintf("study %s has no trial that is done, so that there is nothing to report: finish its sweep with flowbench sweep, ask flowbench runs %s why its trials ended, or look on with flowbench serve %s", e.Dir, e.Dir, e.Dir)
}

// Collector makes the document of studies, again and again while they run: what
// it has read of a trial that has ended it does not read again. It is for one
// goroutine. The caller closes the studies.
type Collector struct {
	Options Options
	readers []*reader
}

// Options says what a page compares.
type Options struct {
	compare.Options        // of the tests
	Where           string // the condition that configurations must meet; empty is none
	DifferentData   bool   // studies of different flows go on one page all the same
}

// reader is one study as far as it has been read.
type reader struct {
	study  *study.Study
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

// NewCollector collects from studies, at least one, which become one page.
func NewCollector(studies ...*study.Study) *Collector {
	c := &Collector{}
	for _, st := range studies {
		c.readers = append(c.readers, &reader{study: st, trials: make([]trialFacts, len(st.Plan.Trials)), held: map[int]heldCurves{}})
	}
	return c
}

// gathered is the rows of all studies, and where each row's trials are.
type gathered struct {
	compare.Table
	of map[string]place // by the name of the configuration
}

// place is the trials of a configuration.
type place struct {
	study  int // index into Collector.readers
	trials []int
}

// Collect reads the studies as they stand. Before a trial is done there is an
// Overview that says so, and no figure.
func (c *Collector) Collect(ctx context.Context) (*Study, error) {
	s := &Study{Kind: "study", Progress: Progress{States: map[string]int{}}}
	if err := c.checkFlows(); err != nil {
		return nil, err
	}
	all, warnings, err := c.gather(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := all.choose(c.Options.Where); err != nil {
		return nil, err
	}
	ranked := compare.Rank(all.Configurations, all.Metric, all.Maximize)
	s.Metric = figureOf(all.Metric)
	s.Figures = figuresOf(&all.Table)
	s.Params = paramsOf(ranked, all.Named, all.Drawn)
	for _, row := range ranked {
		at := all.of[row.Name]
		config := c.readers[at.study].config(s, row, at.trials)
		config.Study = at.study
		s.Configs = append(s.Configs, config)
	}
	if err := c.addCurves(s, all); err != nil {
		return nil, err
	}
	analysis, err := compare.Analyse(all.Table, c.Options.Options)
	if err != nil {
		return nil, err
	}
	s.addAnalysis(analysis)
	s.Made = made()
	s.Overview = overview(s, c.example(), warnings)
	return s, nil
}

// checkFlows refuses studies of different flows, unless the options say otherwise.
func (c *Collector) checkFlows() error {
	var first string
	for k, r := range c.readers {
		flows, err := r.study.Flows()
		if err != nil {
			return err
		}
		if k == 0 {
			first = flows
		}
		if flows != first && !c.Options.DifferentData {
			return &study.DifferentDataError{Folders: [2]string{c.readers[0].study.Dir, r.study.Dir}, Flows: [2]string{first, flows}}
		}
	}
	return nil
}

// gather reads every study, and puts their rows below one another. Where there
// are several, a configuration has its study's name before its own.
func (c *Collector) gather(ctx context.Context, s *Study) (*gathered, []string, error) {
	all := &gathered{of: map[string]place{}}
	var titles, warnings []string
	for k, r := range c.readers {
		trials, err := r.study.Store.Trials(ctx)
		if err != nil {
			return nil, nil, err
		}
		if err := r.read(trials); err != nil {
			return nil, nil, err
		}
		table, err := r.study.Comparison(ctx)
		if err != nil {
			return nil, nil, err
		}
		source, err := r.source(ctx)
		if err != nil {
			return nil, nil, err
		}
		seen, err := r.study.Glance(ctx)
		if err != nil {
			return nil, nil, err
		}
		s.Progress.add(progressOf(seen))
		s.Sources = append(s.Sources, source.Source)
		titles = append(titles, r.study.Spec.Name)
		for _, w := range source.warnings {
			if !slices.Contains(warnings, w) {
				warnings = append(warnings, w)
			}
		}
		all.add(k, table, r, len(c.readers) > 1)
	}
	s.Title = strings.Join(titles, ", ")
	return all, warnings, nil
}

// add puts the rows of the k-th study below those there are.
func (g *gathered) add(k int, t *compare.Table, r *reader, prefix bool) {
	if k == 0 {
		g.Metric, g.Maximize, g.Drawn = t.Metric, t.Maximize, map[string]string{}
	}
	for path, distribution := range t.Drawn {
		if known, ok := g.Drawn[path]; ok && known != distribution {
			distribution = ""
		}
		g.Drawn[path] = distribution
	}
	g.Multiclass = g.Multiclass || t.Multiclass
	g.Named = append(g.Named, t.Named...)
	places := r.places()
	for i, row := range t.Configurations { // in the order of the plan
		trials := places[i]
		if prefix {
			row.Name = r.study.Spec.Name + "/" + row.Name
			for n := 2; g.of[row.Name].trials != nil; n++ { // studies of one name
				row.Name = fmt.Sprintf("%s (%d)", row.Name, n)
			}
		}
		g.of[row.Name] = place{k, trials}
		g.Configurations = append(g.Configurations, row)
	}
}

// choose keeps the configurations that meet a condition.
func (g *gathered) choose(where string) (err error) {
	if where == "" {
		return nil
	}
	if g.Configurations, err = compare.Where(g.Configurations, where); err != nil {
		return fmt.Errorf("--where: %w", err)
	}
	if len(g.Configurations) == 0 {
		return fmt.Errorf("--where: no configuration meets %q", where)
	}
	return nil
}

// add counts the trials of another study too.
func (p *Progress) add(o Progress) {
	p.Trials, p.Ended = p.Trials+o.Trials, p.Ended+o.Ended
	p.Running = append(p.Running, o.Running...)
	for state, n := range o.States {
		p.States[state] += n
	}
}

// Finished is Collect for a page that stands as it is: a study of which no trial
// is done is a *NoneEndedError.
func (c *Collector) Finished(ctx context.Context) (*Study, error) {
	s, err := c.Collect(ctx)
	if err != nil {
		return nil, err
	}
	if s.Progress.States[string(store.Done)] == 0 {
		return nil, &NoneEndedError{c.readers[0].study.Dir}
	}
	return s, nil
}

// read brings trials up to date. Trials are read on all cores.
func (r *reader) read(trials []store.Trial) error {
	for len(r.trials) < len(trials) { // an adaptive study's plan grows
		r.trials = append(r.trials, trialFacts{})
	}
	failed := make([]error, len(trials))
	parallel.Each(len(trials), func(i int) {
		t := &r.trials[i]
		if ended := trials[i].State.Ended(); !t.ended && trials[i].State != store.Planned {
			*t, failed[i] = r.readTrial(i)
			t.ended = ended
		} else if !ended {
			*t = trialFacts{} // put back into the plan
		}
	})
	return errors.Join(failed...)
}

func (r *reader) readTrial(i int) (trialFacts, error) {
	var t trialFacts
	var err error
	dir := r.study.TrialDir(i)
	if t.result, err = train.ReadResult(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	// Detectors write no epochs.
	if t.epochs, err = train.ReadMetrics(filepath.Join(dir, "metrics.jsonl")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	return t, nil
}

// places lists the trials of each configuration of the plan.
func (r *reader) places() [][]int {
	places := make([][]int, len(r.study.Plan.Configurations))
	for _, t := range r.study.Plan.Trials {
		places[t.Configuration] = append(places[t.Configuration], t.Index)
	}
	return places
}

// Progress is how the trials of all studies stand, and a name of how those stand
// that have ended: while it stays the same, Collect has nothing new to say.
func (c *Collector) Progress(ctx context.Context) (Progress, string, error) {
	all := Progress{States: map[string]int{}}
	ended := fnv.New64a()
	for _, r := range c.readers {
		seen, err := r.study.Glance(ctx)
		if err != nil {
			return Progress{}, "", err
		}
		all.add(progressOf(seen))
		for _, t := range seen.Trials {
			if t.State.Ended() {
				fmt.Fprintln(ended, t.Index, t.State)
			}
		}
	}
	return all, fmt.Sprintf("%x", ended.Sum64()), nil
}

// progressOf counts states, and lists what runs.
func progressOf(seen *study.Progress) Progress {
	p := Progress{Trials: len(seen.Trials), Ended: seen.Ended(), States: map[string]int{}}
	for _, t := range seen.Trials {
		p.States[string(t.State)]++
		if t.State == store.Running {
			p.Running = append(p.Running, RunningTrial{Trial: t.Index, Name: t.Name, Epochs: t.Epochs, MaxEpochs: t.MaxEpochs})
		}
	}
	return p
}

// example is a result that says on how many flows all were judged; nil before there is one.
func (c *Collector) example() *train.Result {
	for _, r := range c.readers {
		for _, t := range r.trials {
			if t.result != nil && t.result.Test != nil {
				return t.result
			}
		}
	}
	return nil
}

// wanted is a trial whose curves the page shows.
type wanted struct {
	reader *reader
	config *Config
	trial  int
}

// addCurves draws the curves and the scores of the best configurations and of
// the baselines, as far as their trials kept what they scored, on all cores.
func (c *Collector) addCurves(s *Study, all *gathered) error {
	var list []wanted
	models := 0
	for i := range s.Configs {
		config := &s.Configs[i]
		if !config.Baseline {
			if models++; models > heldConfigs {
				continue
			}
		}
		at := all.of[config.Name]
		r := c.readers[at.study]
		for _, trial := range at.trials[:min(len(at.trials), heldReplicates)] {
			if t := r.trials[trial]; t.ended && t.result != nil {
				list = append(list, wanted{r, config, trial})
			}
		}
	}
	drawn, failed := make([]heldCurves, len(list)), make([]error, len(list))
	parallel.Each(len(list), func(k int) {
		w := list[k]
		var ok bool
		if drawn[k], ok = w.reader.held[w.trial]; ok {
			return
		}
		if drawn[k], failed[k] = w.reader.draw(w.trial); failed[k] != nil {
			failed[k] = fmt.Errorf("trial %04d: test scores: %w", w.trial, failed[k])
		}
	})
	s.Curves = CurveNote{Bound: Bound, Absent: "the trials of this study kept no test scores"}
	for k, w := range list {
		w.reader.held[w.trial] = drawn[k]
		if drawn[k].curve != nil {
			if len(w.config.Curves) == 0 {
				s.Curves.Held, s.Curves.Absent = s.Curves.Held+1, ""
			}
			w.config.Curves = append(w.config.Curves, *drawn[k].curve)
		}
		if drawn[k].scores != nil {
			w.config.Scores = append(w.config.Scores, *drawn[k].scores)
		}
	}
	return errors.Join(failed...)
}

func (r *reader) draw(trial int) (kept heldCurves, err error) {
	result := r.trials[trial].result
	scores, err := recorded(r.study.TrialDir(trial), result)
	if err != nil || scores == nil {
		return heldCurves{}, err
	}
	kept.scores = scoresOf(result.Seed, *scores)
	kept.curve, err = curveOf(result.Seed, *scores)
	return kept, err
}
