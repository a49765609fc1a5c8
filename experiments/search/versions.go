package search

import (
	"bytes"
	"encoding/json"
	"fmt"

	"flowbench/experiments/spec"
)

// Versions plans a study that was extended: versions lists its specs, the oldest
// first. Each version adds configurations behind those of the ones before it,
// drawn from its own space and never one that is there already; what was planned
// before stays as it is. sweep.trials counts the configurations of all versions
// together. A grid adds the combinations that are new.
//
// Versions may differ in sweep.trials, in the parameters and variants, and in
// what decides no result (retries, limits, Slurm). All else, what a variant sets
// included, must be equal, or configurations could not be compared: that is an
// error, and so is a version that adds nothing.
func Versions(versions []*spec.Spec) (*Plan, error) {
	if len(versions) == 0 {
		panic("search: a plan of no spec")
	}
	first := versions[0]
	for _, s := range versions {
		if s.Sweep == nil {
			return nil, fmt.Errorf("spec %s has no section sweep: add one, or train it as a single run", s.Document().Path)
		}
	}
	p := &Plan{Study: first.Name, Metric: first.Sweep.Metric, Adaptive: first.Sweep.Method == "tpe"}
	b := newBuilder()
	for v, s := range versions {
		if v > 0 {
			if err := comparable(versions[v-1], s); err != nil {
				return nil, err
			}
		}
		from := p.Count
		if err := p.extend(b, s); err != nil {
			return nil, err
		}
		if v > 0 && p.Count == from {
			return nil, fmt.Errorf("spec %s adds nothing to the %d configurations that the study has: raise sweep.trials, which counts all of them, or widen the space", s.Document().Path, from)
		}
		p.From = append(p.From, from)
	}
	p.Configurations, p.Runs = b.all, b.runs
	p.Notes = b.notes
	p.Seeds = seeds(first.Sweep.Seed, first.Sweep.Replicates)
	return p, nil
}

// extend plans one version.
func (p *Plan) extend(b *builder, s *spec.Spec) error {
	if !p.Adaptive {
		err := b.add(s)
		p.Count = len(b.all)
		return err
	}
	count, note, err := suggested(s, p.Count)
	if note != "" {
		b.notes = append(b.notes, note)
	}
	p.Count = max(count, p.Count)
	return err
}

// comparable makes sure that the trials of two versions can stand in one table.
func comparable(before, after *spec.Spec) error {
	switch {
	case before.Name != after.Name:
		return notComparable(after, "name")
	case !bytes.Equal(encoded(stripped(before.Sweep)), encoded(stripped(after.Sweep))):
		return notComparable(after, "what sweep says beside trials, parameters and variants")
	}
	known := map[string]*spec.Run{}
	var first *spec.Run
	for _, one := range before.Sweep.Spaces() {
		run, err := before.With(one.Name())
		if err != nil {
			return err
		}
		known[one.Variant], first = run, run
	}
	for _, one := range after.Sweep.Spaces() {
		run, err := after.With(one.Name())
		if err != nil {
			return err
		}
		if !bytes.Equal(encoded(first.Data), encoded(run.Data)) {
			return notComparable(after, "section data")
		}
		if old, ok := known[one.Variant]; ok && !bytes.Equal(old.Canonical(), run.Canonical()) {
			return notComparable(after, "what it says outside sweep, or a variant sets,")
		}
	}
	return nil
}

func encoded(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("search: " + err.Error())
	}
	return text
}

// stripped is s without what versions may differ in.
func stripped(s *spec.Sweep) spec.Sweep {
	c := *s
	c.Trials, c.Parameters, c.Variants = 0, nil, nil
	return c
}

func notComparable(after *spec.Spec, what string) error {
	return fmt.Errorf("spec %s is no extension of the study: %s differs from the version before, so its trials could not be compared; begin a new study", after.Document().Path, what)
}
