package study

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"text/tabwriter"

	"flowbench/experiments/pruner"
	"flowbench/experiments/search"
	"flowbench/experiments/spec"
	"flowbench/experiments/store"
	"flowbench/train"
	"flowbench/train/checkpoint"
)

// Plan is every trial of a study: the configurations that the search chose, or
// will choose, the trivial baselines beside them, each with the replicates'
// seeds. It is a function of the versions of the spec alone.
type Plan struct {
	Study          string          `json:"study"`
	Single         bool            `json:"single"` // the spec as it stands, without its sweep
	Metric         spec.Metric     `json:"metric"` // what configurations are ranked by
	Configurations []Configuration `json:"configurations"`
	Trials         []Trial         `json:"trials"`
	Notes          []string        `json:"notes,omitempty"` // what the search could not give

	versions []*spec.Spec
	found    *search.Plan   // nil where Single
	pruner   *pruner.Pruner // nil where every trial trains to its end
	trials   [][]int        // configuration to its trials
}

// Configuration is one row of the comparison.
type Configuration struct {
	Name     string `json:"name"`
	Model    string `json:"model"` // ModelConfig.Kind
	Baseline bool   `json:"baseline"`
	// Suggested says that Name, Model and Params come while the study runs, from
	// what earlier configurations came to; the plan's file has none of them.
	Suggested bool        `json:"suggested,omitempty"`
	Params    spec.Params `json:"params"`

	set spec.Params // what the variant that Params name sets
	run *spec.Run   // nil until it is suggested, and where it cannot be trained
	err error       // why it cannot be trained: its values do not go together
}

// Trial is one training run.
type Trial struct {
	Index         int    `json:"index"`
	Configuration int    `json:"configuration"` // index into Plan.Configurations
	Replicate     int    `json:"replicate"`     // from 0
	Seed          uint64 `json:"seed"`
}

// NewPlan plans the sweep of s. See NewVersions.
func NewPlan(s *spec.Spec) (*Plan, error) { return NewVersions([]*spec.Spec{s}) }

// NewVersions plans a sweep whose spec was extended: versions are the spec as it
// was first, and then after each extension. The trials of a version stand behind
// those of the version before.
//
// The baselines come first: they show at once whether the flows are what they
// should be. Where configurations are planned in advance and trained to their
// end, replicates come one after another; where one waits for what others come
// to, all replicates of a configuration stand together.
func NewVersions(versions []*spec.Spec) (*Plan, error) {
	found, err := search.Versions(versions)
	if err != nil {
		return nil, err
	}
	s := versions[0]
	p := &Plan{Study: found.Study, Metric: found.Metric, Notes: found.Notes, versions: versions, found: found}
	if e := s.Sweep.EarlyTerminate; e != nil {
		p.pruner = pruner.New(*e, s.MaxEpochs(), found.Metric.Goal != "minimize")
	}
	if err := p.addBaselines(s); err != nil {
		return nil, err
	}
	p.addConfigurations(found)
	p.addTrials(found.Seeds)
	return p, nil
}

// NewSinglePlan plans s as it stands, without its sweep: one configuration, one seed.
func NewSinglePlan(s *spec.Spec) (*Plan, error) {
	run, err := s.With(nil)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Study: s.Name, Single: true, versions: []*spec.Spec{s},
		Metric: spec.Metric{Name: "validation.average_precision", Goal: "maximize"},
	}
	if err := p.addBaselines(s); err != nil {
		return nil, err
	}
	p.Configurations = append(p.Configurations, Configuration{Name: configurationName(run, nil, 0), Model: run.Model.Kind, run: run})
	p.addTrials([]uint64{run.Seed})
	return p, nil
}

func (p *Plan) addBaselines(s *spec.Spec) error {
	base, err := s.With(nil)
	if err != nil {
		return err
	}
	for _, kind := range train.Baselines() {
		run := *base
		run.Model = train.ModelConfig{Kind: kind}
		p.Configurations = append(p.Configurations, Configuration{Name: kind, Model: kind, Baseline: true, run: &run})
	}
	return nil
}

func (p *Plan) addConfigurations(found *search.Plan) {
	for i := range found.Count {
		if found.Adaptive {
			p.Configurations = append(p.Configurations, Configuration{Name: fmt.Sprintf("suggested-%d", i), Suggested: true})
			continue
		}
		p.Configurations = append(p.Configurations, p.chosen(i, found.Configurations[i], found.Runs[i]))
	}
}

// resolve makes the configuration of what the search chose as its i-th.
func (p *Plan) resolve(i int, chosen spec.Params) (Configuration, error) {
	s := p.versions[p.found.Version(i)]
	run, err := s.With(chosen)
	if err != nil {
		return Configuration{Params: chosen}, err
	}
	return p.chosen(i, chosen, run), nil
}

// chosen is the configuration of what the search chose as its i-th, and its run.
func (p *Plan) chosen(i int, params spec.Params, run *spec.Run) Configuration {
	set := settings(p.versions[p.found.Version(i)], params)
	return Configuration{Name: configurationName(run, params, i), Model: run.Model.Kind, Params: params, set: set, run: run}
}

// addTrials lists the trials, version after version.
func (p *Plan) addTrials(seeds []uint64) {
	p.trials = make([][]int, len(p.Configurations))
	add := func(from, to int, together bool) {
		outer, inner := len(seeds), to-from
		if together {
			outer, inner = inner, outer
		}
		for i := range outer {
			for j := range inner {
				c, r := from+j, i
				if together {
					c, r = from+i, j
				}
				p.trials[c] = append(p.trials[c], len(p.Trials))
				p.Trials = append(p.Trials, Trial{Index: len(p.Trials), Configuration: c, Replicate: r, Seed: seeds[r]})
			}
		}
	}
	first, all := p.baselines(), len(p.Configurations)
	if p.Single {
		add(0, all, false)
		return
	}
	if p.waits() {
		add(0, first, false)
		add(first, all, true)
		return
	}
	from := 0
	for v := range p.versions {
		to := all
		if v+1 < len(p.found.From) {
			to = first + p.found.From[v+1]
		}
		add(from, to, false)
		from = to
	}
}

// baselines is how many there are: they are the first configurations.
func (p *Plan) baselines() int { return len(train.Baselines()) }

// waits says whether a trial may have to wait for what others come to.
func (p *Plan) waits() bool { return p.pruner != nil || p.suggests() }

// suggests says whether configurations are chosen while the study runs.
func (p *Plan) suggests() bool { return p.found != nil && p.found.Adaptive }

// trialsOf lists the trials of a configuration, by replicate.
func (p *Plan) trialsOf(configuration int) []int { return p.trials[configuration] }

// configuration is the index of what the search calls its i-th.
func (p *Plan) configuration(i int) int { return p.baselines() + i }

// configurationName is the variant, or else the kind of model, and a number.
func configurationName(run *spec.Run, params spec.Params, i int) string {
	name := run.Model.Kind
	if v, ok := params.Get(spec.VariantKey); ok {
		name = fmt.Sprint(v)
	}
	return fmt.Sprintf("%s-%d", name, i)
}

// Run is what trial index trains.
func (s *Study) Run(index int) (*spec.Run, error) {
	if index < 0 || index >= len(s.Plan.Trials) {
		return nil, fmt.Errorf("study: the plan has no trial %d", index)
	}
	t := s.Plan.Trials[index]
	c := s.configuration(t.Configuration)
	switch {
	case c.err != nil:
		return nil, c.err
	case c.run == nil:
		return nil, fmt.Errorf("study: nothing has been suggested for configuration %d yet", t.Configuration)
	}
	run := c.run.Replicate(t.Replicate, t.Seed)
	return &run, nil
}

// trialName is what people call a trial.
func (s *Study) trialName(index int) string {
	t := s.Plan.Trials[index]
	return fmt.Sprintf("%s, replicate %d", s.configuration(t.Configuration).Name, t.Replicate)
}

// maxEpochs is the most epochs that a trial of c can take, over all members; 0
// where that is not known yet.
func (c Configuration) maxEpochs() int {
	if c.run == nil {
		return 0
	}
	return c.run.Train.Epochs * c.run.Model.Ensemble
}

// settings is what the variant that chosen names sets.
func settings(s *spec.Spec, chosen spec.Params) spec.Params {
	name, ok := chosen.Get(spec.VariantKey)
	if !ok {
		return nil
	}
	for _, v := range s.Sweep.Variants {
		if v.Name == name {
			return v.Set
		}
	}
	return nil
}

// named lists the paths that variants set, and that no configuration chose.
func (s *Study) named() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var names []string
	for _, c := range s.Plan.Configurations {
		for _, set := range c.set {
			if _, chosen := c.Params.Get(set.Path); !chosen {
				names = append(names, set.Path)
			}
		}
	}
	return names
}

// params is what the variant sets and then Params as a map, as the comparison takes it.
func (c Configuration) params() map[string]any {
	m := map[string]any{}
	for _, p := range slices.Concat(c.set, c.Params) {
		if p.Path != spec.VariantKey {
			m[p.Path] = p.Value
		}
	}
	return m
}

// encode is the plan's file.
func (p *Plan) encode() []byte {
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		panic("study: " + err.Error())
	}
	return append(raw, '\n')
}

// fingerprint names the plan: the SHA-256 of its file.
func (p *Plan) fingerprint() string {
	sum := sha256.Sum256(p.encode())
	return hex.EncodeToString(sum[:])
}

// stored lists the trials as a store takes them.
func (p *Plan) stored() []store.PlannedTrial {
	trials := make([]store.PlannedTrial, len(p.Trials))
	for i, t := range p.Trials {
		params, err := json.Marshal(p.Configurations[t.Configuration].Params)
		if err != nil {
			panic("study: " + err.Error())
		}
		trials[i] = store.PlannedTrial{
			Index: i, Configuration: t.Configuration, Replicate: t.Replicate, Seed: t.Seed, Params: params,
			Waits: p.Configurations[t.Configuration].Suggested,
		}
	}
	return trials
}

// keep writes the plan to path, or makes sure that the one there is equal.
func (p *Plan) keep(path string) error {
	known, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return explain(checkpoint.WriteFile(path, p.encode()))
	case err != nil:
		return fmt.Errorf("plan: %w", err)
	}
	return p.equals(path, known)
}

// equals makes sure that the file at path, which holds known, is this plan.
func (p *Plan) equals(path string, known []byte) error {
	if string(known) != string(p.encode()) {
		return fmt.Errorf("%s is not the plan that this program makes of the same spec: finish the study with the program that began it, or choose another folder with --out", path)
	}
	return nil
}

// readPlan makes the plan of s and its extensions again and makes sure that dir
// holds it.
func readPlan(dir string, s *spec.Spec, later []*spec.Spec) (*Plan, error) {
	path := planPath(dir, len(later))
	known, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	var kind struct{ Single bool }
	if err := json.Unmarshal(known, &kind); err != nil {
		return nil, fmt.Errorf("plan: %s: %w", path, err)
	}
	plan := func() (*Plan, error) { return NewVersions(append([]*spec.Spec{s}, later...)) }
	if kind.Single {
		plan = func() (*Plan, error) { return NewSinglePlan(s) }
	}
	p, err := plan()
	if err != nil {
		return nil, err
	}
	return p, p.equals(path, known)
}

// WriteJSON writes the plan as its file holds it.
func (p *Plan) WriteJSON(w io.Writer) error {
	if _, err := w.Write(p.encode()); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return nil
}

// Write prints the plan, a line a trial.
func (p *Plan) Write(w io.Writer) error {
	fmt.Fprintf(w, "study %s: %d configurations, %d trials, ranked by %s\n\n", p.Study, len(p.Configurations), len(p.Trials), p.Metric.Name)
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "trial\tconfiguration\treplicate\tseed\tparameters")
	for _, t := range p.Trials {
		c := p.Configurations[t.Configuration]
		what := c.Params.String()
		if c.Baseline {
			what = "baseline"
		}
		fmt.Fprintf(out, "%04d\t%s\t%d\t%d\t%s\n", t.Index, c.Name, t.Replicate, t.Seed, what)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	for _, note := range p.Notes {
		fmt.Fprintln(w, "note:", note)
	}
	return nil
}
