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

	"flowbench/experiments/search"
	"flowbench/experiments/spec"
	"flowbench/experiments/store"
	"flowbench/train"
	"flowbench/train/checkpoint"
)

// Plan is every trial of a study: the configurations that the search chose, the
// trivial baselines beside them, each with the replicates' seeds.
type Plan struct {
	Study          string          `json:"study"`
	Single         bool            `json:"single"` // the spec as it stands, without its sweep
	Metric         spec.Metric     `json:"metric"` // what configurations are ranked by
	Configurations []Configuration `json:"configurations"`
	Trials         []Trial         `json:"trials"`
	Notes          []string        `json:"notes,omitempty"` // what the search could not give
}

// Configuration is one row of the comparison.
type Configuration struct {
	Name     string      `json:"name"`
	Model    string      `json:"model"` // ModelConfig.Kind
	Baseline bool        `json:"baseline"`
	Params   spec.Params `json:"params"`

	set spec.Params // what the variant that Params name sets
	run *spec.Run
}

// Trial is one training run.
type Trial struct {
	Index         int    `json:"index"`
	Configuration int    `json:"configuration"` // index into Plan.Configurations
	Replicate     int    `json:"replicate"`     // from 0
	Seed          uint64 `json:"seed"`
}

// NewPlan plans the sweep of s: a function of the spec alone. Replicates come one
// after another, and in each the baselines first, which show at once whether
// the flows are what they should be.
func NewPlan(s *spec.Spec) (*Plan, error) {
	found, err := search.New(s)
	if err != nil {
		return nil, err
	}
	p := &Plan{Study: found.Study, Metric: found.Metric, Notes: found.Notes}
	return p, p.fill(s, found.Configurations, found.Seeds)
}

// NewSinglePlan plans s as it stands, without its sweep: one configuration, one seed.
func NewSinglePlan(s *spec.Spec) (*Plan, error) {
	run, err := s.With(nil)
	if err != nil {
		return nil, err
	}
	p := &Plan{Study: s.Name, Single: true, Metric: spec.Metric{Name: "validation.average_precision", Goal: "maximize"}}
	return p, p.fill(s, []spec.Params{nil}, []uint64{run.Seed})
}

func (p *Plan) fill(s *spec.Spec, params []spec.Params, seeds []uint64) error {
	base, err := s.With(nil)
	if err != nil {
		return err
	}
	for _, kind := range train.Baselines() {
		run := *base
		run.Model = train.ModelConfig{Kind: kind}
		p.Configurations = append(p.Configurations, Configuration{Name: kind, Model: kind, Baseline: true, run: &run})
	}
	for i, chosen := range params {
		run, err := s.With(chosen)
		if err != nil {
			return err
		}
		p.Configurations = append(p.Configurations, Configuration{
			Name: configurationName(run, chosen, i), Model: run.Model.Kind, Params: chosen, set: settings(s, chosen), run: run,
		})
	}
	for r, seed := range seeds {
		for i := range p.Configurations {
			p.Trials = append(p.Trials, Trial{Index: len(p.Trials), Configuration: i, Replicate: r, Seed: seed})
		}
	}
	return nil
}

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
	run := s.Plan.Configurations[t.Configuration].run.Replicate(t.Replicate, t.Seed)
	return &run, nil
}

// trialName is what people call a trial.
func (p *Plan) trialName(index int) string {
	t := p.Trials[index]
	return fmt.Sprintf("%s, replicate %d", p.Configurations[t.Configuration].Name, t.Replicate)
}

// maxEpochs is the most epochs that a trial of c can take, over all members.
func (c Configuration) maxEpochs() int {
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
func (p *Plan) named() []string {
	var names []string
	for _, c := range p.Configurations {
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
		trials[i] = store.PlannedTrial{Index: i, Configuration: t.Configuration, Replicate: t.Replicate, Seed: t.Seed, Params: params}
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

// readPlan makes the plan of s again and makes sure that path holds it.
func readPlan(path string, s *spec.Spec) (*Plan, error) {
	known, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	var kind struct{ Single bool }
	if err := json.Unmarshal(known, &kind); err != nil {
		return nil, fmt.Errorf("plan: %s: %w", path, err)
	}
	plan := NewPlan
	if kind.Single {
		plan = NewSinglePlan
	}
	p, err := plan(s)
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
