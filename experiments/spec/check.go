package spec

import (
	"slices"

	"flowbench/train"
)

// check makes sure that the spec trains as it stands, and with each single value
// that its sweep may choose, under each value of a condition that lets it.
func (s *Spec) check() *Error {
	for i, v := range s.Sweep.variants() {
		if err := s.try(v, nil); err != nil {
			return err
		}
		if s.Sweep == nil {
			continue
		}
		space := s.Sweep.space(i)
		for _, p := range space.Parameters {
			if err := s.checkParameter(v, space, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkParameter tries each value of p, or both ends of its range, beside the
// first values of the others that let p be.
func (s *Spec) checkParameter(v Variant, space Space, p Parameter) *Error {
	needed := space.needs(p)
	if !needed.possible() {
		return nil
	}
	for _, candidate := range p.candidates {
		if err := s.try(v, space.with(p.Path, candidate, needed)); err != nil {
			return err
		}
	}
	for _, c := range p.When {
		for _, parentValue := range needed[c.Path][1:] {
			other := needed.but(c.Path, parentValue)
			for _, candidate := range p.candidates {
				if err := s.try(v, space.with(p.Path, candidate, other)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// try resolves one choice, and notes how long it trains.
func (s *Spec) try(v Variant, choices []choice) *Error {
	run, err := s.resolve(v, choices)
	if err == nil && !train.IsDetector(run.Model.Kind) {
		s.maxEpochs = max(s.maxEpochs, run.Train.Epochs)
	}
	return err
}

// needs are the values that conditions ask of other parameters.
type needs map[string][]any

// but is n with one value for a path.
func (n needs) but(path string, v any) needs {
	other := needs{}
	for p, values := range n {
		other[p] = values
	}
	other[path] = []any{v}
	return other
}

// possible reports whether the conditions leave every ancestor a value.
func (n needs) possible() bool {
	for _, values := range n {
		if len(values) == 0 {
			return false
		}
	}
	return true
}

// needs gathers what p's conditions ask of its parents, theirs of their own and
// so on: of each ancestor the values that all conditions on it allow, which may
// be none.
func (s Space) needs(p Parameter) needs {
	all := needs{}
	gathered := map[string]bool{}
	var gather func(p Parameter)
	gather = func(p Parameter) {
		if gathered[p.Path] {
			return
		}
		gathered[p.Path] = true
		for _, c := range p.When {
			parent, _ := s.parameter(c.Path)
			allowed := slices.DeleteFunc(slices.Clone(c.Values), func(v any) bool { return !parent.Takes(v) })
			if known, ok := all[c.Path]; ok {
				allowed = slices.DeleteFunc(allowed, func(v any) bool { return !holds(known, v) })
			}
			all[c.Path] = allowed
			gather(parent)
		}
	}
	gather(p)
	return all
}

// with chooses candidate for path, the first value of what is needed of others,
// and the first candidate of every other parameter that then is there.
func (s Space) with(path string, candidate value, needed needs) []choice {
	chosen := map[string]any{}
	var choices []choice
	for _, i := range s.order {
		p := s.Parameters[i]
		if !p.Active(func(path string) (any, bool) { v, ok := chosen[path]; return v, ok }) {
			continue
		}
		c := p.candidates[0]
		if values, ok := needed[p.Path]; ok {
			c = p.written(values[0])
		}
		if p.Path == path {
			c = candidate
		}
		chosen[p.Path] = p.plain(c)
		choices = append(choices, choice{p.Path, c})
	}
	return choices
}

// written is v as a candidate of p, or else at the place of its first one.
func (p Parameter) written(v any) value {
	for i, known := range p.Values {
		if Same(known, v) {
			return p.candidates[i]
		}
	}
	return valueOf(v, p.candidates[0].at)
}

// plain is a candidate of p as a Param holds it.
func (p Parameter) plain(candidate value) any {
	l, ok := leafAt(p.Path)
	if !ok {
		panic("spec: no field " + p.Path)
	}
	v, err := l.plain(candidate)
	if err != nil {
		panic("spec: a checked value fails: " + err.Error())
	}
	return v
}
