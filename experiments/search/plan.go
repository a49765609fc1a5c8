// Package search turns a spec's sweep into a plan: every configuration, every
// replicate and every seed, before the first trial starts.
//
// Nothing is drawn later, so there is no sampler whose state a crash could lose,
// and the plan is a function of the spec alone: the same on every machine, for
// any number of workers, in any order of trials.
package search

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"flowbench/experiments/spec"
	"flowbench/train/checkpoint"
)

// format is the version of the plan's file.
const format = 1

// Plan lists all that a study will train.
type Plan struct {
	Format int    `json:"format"`
	Study  string `json:"study"` // the spec's name
	// Spec is the SHA-256 of the spec's canonical JSON, Fingerprint that of the
	// plan's own JSON with Fingerprint empty. Studies with equal fingerprints
	// train the same trials.
	Spec        string      `json:"spec"`
	Fingerprint string      `json:"fingerprint"`
	Metric      spec.Metric `json:"metric"`
	// Notes say in words where the plan is not what was asked for.
	Notes          []string        `json:"notes,omitempty"`
	Configurations []Configuration `json:"configurations"`
	Trials         []Trial         `json:"trials"`
}

// Configuration is one choice of values. Its replicates are compared as one.
type Configuration struct {
	Index  int         `json:"index"`
	Params spec.Params `json:"params"`
}

// Trial is one replicate of one configuration.
type Trial struct {
	Index         int    `json:"index"`
	Configuration int    `json:"configuration"`
	Replicate     int    `json:"replicate"`
	Seed          uint64 `json:"seed"`
	// Params are the configuration's.
	Params spec.Params `json:"-"`
}

// maxTrials bounds a plan. A tenth of it at a minute each is a week.
const maxTrials = 100_000

// New plans the sweep of s. Every configuration has been resolved once, so an
// error, which names the place in the spec, comes before any work.
//
// Trials are ordered by replicate, then by configuration: once the first
// replicates are done, every configuration has been seen. All configurations
// share the seed of a replicate (and its split, where the spec asks for one a
// replicate), so that they are compared on equal terms.
func New(s *spec.Spec) (*Plan, error) {
	if s.Sweep == nil {
		return nil, fmt.Errorf("spec %s has no section sweep: add one, or train it as a single run", s.Document().Path)
	}
	p := &Plan{Format: format, Study: s.Name, Spec: digest(s.Canonical()), Metric: s.Sweep.Metric}
	var err error
	switch s.Sweep.Method {
	case "grid":
		p.Configurations, err = grid(s.Sweep)
	case "random":
		p.Configurations, p.Notes, err = random(s.Sweep)
	default:
		panic("search: unknown method " + s.Sweep.Method)
	}
	if err != nil {
		return nil, fmt.Errorf("spec %s: %w", s.Document().Path, err)
	}
	for _, c := range p.Configurations {
		if _, err := s.With(c.Params); err != nil {
			return nil, err
		}
	}
	p.Trials = trials(p.Configurations, seeds(s.Sweep.Seed, s.Sweep.Replicates))
	p.Fingerprint = p.fingerprint()
	return p, nil
}

func trials(configurations []Configuration, seeds []uint64) []Trial {
	var all []Trial
	for replicate, seed := range seeds {
		for _, c := range configurations {
			all = append(all, Trial{
				Index: len(all), Configuration: c.Index, Replicate: replicate, Seed: seed, Params: c.Params,
			})
		}
	}
	return all
}

// tooMany says that n configurations cannot be planned.
func tooMany(n string, replicates int) error {
	return fmt.Errorf("sweep: %s configurations × %d replicates are more than the %d trials that a plan may hold: list fewer values, or write method: random with trials",
		n, replicates, maxTrials)
}

// Run is what trial t of the plan of s trains.
func (t Trial) Run(s *spec.Spec) (*spec.Run, error) {
	run, err := s.With(t.Params)
	if err != nil {
		return nil, fmt.Errorf("trial %d: %w", t.Index, err)
	}
	replicate := run.Replicate(t.Replicate, t.Seed)
	return &replicate, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (p *Plan) fingerprint() string {
	blank := *p
	blank.Fingerprint = ""
	return digest(blank.encode())
}

func (p *Plan) encode() []byte {
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		panic("search: " + err.Error())
	}
	return append(b, '\n')
}

// Write puts the plan into a file, which is there whole or not at all.
func (p *Plan) Write(path string) error {
	if err := checkpoint.WriteFile(path, p.encode()); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

// Read reads what Write wrote. A file that was changed since is an error.
func Read(path string) (*Plan, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	p := &Plan{}
	decoder := json.NewDecoder(bytes.NewReader(src))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(p); err != nil {
		return nil, fmt.Errorf("read plan %s: %w: remove the file, and the sweep writes it anew", path, err)
	}
	if p.Format != format {
		return nil, fmt.Errorf("read plan %s: is of format %d, this flowbench reads %d", path, p.Format, format)
	}
	for i, t := range p.Trials {
		if t.Index != i || t.Configuration < 0 || t.Configuration >= len(p.Configurations) {
			return nil, fmt.Errorf("read plan %s: trial %d is out of order: remove the file, and the sweep writes it anew", path, i)
		}
		p.Trials[i].Params = p.Configurations[t.Configuration].Params
	}
	if p.fingerprint() != p.Fingerprint {
		return nil, fmt.Errorf("read plan %s: was changed after it was written: remove the file, and the sweep writes it anew", path)
	}
	return p, nil
}
