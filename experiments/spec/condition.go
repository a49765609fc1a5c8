package spec

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
)

// Condition is that a path has one of the values.
type Condition struct {
	Path   string `json:"path"`
	Values []any  `json:"values"` // as in Param.Value

	keyAt   place
	written []value
}

// Same reports whether two values of a Param are equal, whichever of them came
// out of JSON.
func Same(a, b any) bool {
	if text, ok := a.(string); ok {
		other, ok := b.(string)
		return ok && text == other
	}
	return reflect.DeepEqual(a, b) || bytes.Equal(mustJSON(a), mustJSON(b))
}

func holds(values []any, v any) bool {
	return slices.ContainsFunc(values, func(other any) bool { return Same(other, v) })
}

// Active reports whether p is there where value says what other parameters have.
func (p Parameter) Active(value func(path string) (any, bool)) bool {
	for _, c := range p.When {
		if v, ok := value(c.Path); !ok || !holds(c.Values, v) {
			return false
		}
	}
	return true
}

// Takes reports whether p can have the value v. A range without a step has no
// values that could be named, but for whole numbers.
func (p Parameter) Takes(v any) bool {
	if p.Distribution == "" {
		return holds(p.Values, v)
	}
	var n float64
	switch v := v.(type) {
	case int64:
		n = float64(v)
	case int:
		n = float64(v)
	case float64:
		n = v
	default:
		return false
	}
	step := p.Step
	if step == 0 && drawsWhole(p.Distribution) {
		step = 1
	}
	// A multiple of a step such as 0.1 is off by a few units in the last place.
	k := (n - p.Min) / step
	return step > 0 && n >= p.Min && n <= p.Max && math.Abs(k-math.Round(k)) <= 1e-9*max(1, math.Abs(k))
}

func (p *Parameter) readWhen(v value) *Error {
	if v.kind == null {
		return nil
	}
	if v.kind == mapping && len(v.entries) == 0 {
		return v.at.errorf(p.Path, "when is empty: name what it depends on, or leave the key out")
	}
	if v.kind != mapping {
		return v.at.errorf(p.Path, "when must be a mapping from a path such as model.kind to a list of values, not %s", v.describe())
	}
	for _, e := range v.entries {
		field, err := sweptField(e)
		if err != nil {
			return err
		}
		c := Condition{Path: e.key, keyAt: e.keyAt, written: e.value.items}
		if e.value.kind != list || len(e.value.items) == 0 {
			return e.value.at.errorf(p.Path, "when %s must list values in [ ], not %s", e.key, e.value.describe())
		}
		for _, item := range e.value.items {
			chosen, err := field.plain(item)
			if err != nil {
				return err
			}
			if holds(c.Values, chosen) {
				return item.at.errorf(p.Path, "when %s lists %s twice", e.key, mustJSON(chosen))
			}
			c.Values = append(c.Values, chosen)
		}
		p.When = append(p.When, c)
	}
	return nil
}

// settle looks up what no variant varies but conditions name, and makes sure
// that every condition can hold and depends on what the sweep varies.
func (s *Spec) settle() *Error {
	if s.Sweep == nil {
		return nil
	}
	for _, v := range s.Sweep.variants() {
		run, err := s.resolve(v, nil)
		if err != nil {
			return err
		}
		settled := map[string]any{}
		for _, p := range s.Sweep.parametersOf(v) {
			for _, c := range p.When {
				if l, ok := leafAt(c.Path); ok {
					settled[c.Path] = plain(reflect.ValueOf(*run).FieldByIndex(l.index))
				}
			}
		}
		s.Sweep.settled = append(s.Sweep.settled, settled)
	}
	return s.Sweep.checkConditions()
}

// placed is a parameter and the variants that have it.
type placed struct {
	Parameter
	variants []int
}

// placed lists the common parameters, then those of each variant.
func (s *Sweep) placed() []placed {
	every := make([]int, len(s.variants()))
	for i := range every {
		every[i] = i
	}
	var all []placed
	for _, p := range s.Parameters {
		all = append(all, placed{p, every})
	}
	for i, v := range s.variants() {
		for _, p := range v.Parameters {
			all = append(all, placed{p, []int{i}})
		}
	}
	return all
}

func (s *Sweep) checkConditions() *Error {
	for _, p := range s.placed() {
		for _, c := range p.When {
			if err := s.checkCondition(p, c); err != nil {
				return err
			}
		}
	}
	for _, v := range s.variants() {
		for _, p := range s.parametersOf(v) {
			if way := s.cycle(v, p.Path); way != nil {
				return p.When[0].keyAt.errorf(p.Path, "depends on itself: %s", strings.Join(way, " needs "))
			}
		}
	}
	if s.pinned() {
		return nil // one value may well leave nothing to what depends on another
	}
	spaces := s.Spaces()
	for _, p := range s.placed() {
		if !slices.ContainsFunc(p.variants, func(i int) bool { return spaces[i].reaches(p.Parameter) }) {
			return p.When[0].keyAt.errorf(p.Path, "can never be: its conditions, and those of what it depends on, exclude each other")
		}
	}
	return nil
}

// checkCondition holds a condition of p against the variants that have p: some
// of them must vary its path or set it, and each value must be one of theirs.
func (s *Sweep) checkCondition(p placed, c Condition) *Error {
	varied := false
	taken := make([]bool, len(c.Values))
	for _, i := range p.variants {
		v := s.variants()[i]
		parent, dynamic := parameterIn(s.parametersOf(v), c.Path)
		_, set := v.Set.Get(c.Path)
		varied = varied || dynamic || set
		if dynamic && parent.continuous() {
			return c.keyAt.errorf(p.Path, "depends on %s, which has a range without a step: no value of it can be named; give it values or a step", c.Path)
		}
		for k, value := range c.Values {
			taken[k] = taken[k] || dynamic && parent.Takes(value) || !dynamic && Same(s.settled[i][c.Path], value)
		}
	}
	if !varied {
		return c.keyAt.errorf(p.Path, "depends on %s, which is neither among the parameters nor set by a variant here: vary it, or leave the condition out", c.Path)
	}
	if k := slices.Index(taken, false); k >= 0 && !s.pinned() {
		return c.written[k].at.errorf(p.Path, "depends on %s being %s, which it never is", c.Path, mustJSON(c.Values[k]))
	}
	return nil
}

// pinned reports whether an assignment from outside took choices away.
func (s *Sweep) pinned() bool {
	for _, v := range s.variants() {
		for _, set := range v.Set {
			if set.written.at.source.name == setSource {
				return true
			}
		}
		for _, p := range s.parametersOf(v) {
			if p.candidates[0].at.source.name == setSource {
				return true
			}
		}
	}
	return false
}

// reaches reports whether p can be there in s.
func (s Space) reaches(p Parameter) bool {
	own, ok := s.parameter(p.Path)
	return ok && own.keyAt == p.keyAt && s.needs(own).possible()
}

// continuous reports whether p has no values that could be listed.
func (p Parameter) continuous() bool {
	return p.Distribution != "" && p.Step == 0 && !drawsWhole(p.Distribution)
}

func parameterIn(parameters []Parameter, path string) (Parameter, bool) {
	i := slices.IndexFunc(parameters, func(p Parameter) bool { return p.Path == path })
	if i < 0 {
		return Parameter{}, false
	}
	return parameters[i], true
}

// cycle is the way from a path back to itself by the conditions of a variant, or nil.
func (s *Sweep) cycle(v Variant, from string) []string {
	seen := map[string]bool{}
	var walk func(path string, way []string) []string
	walk = func(path string, way []string) []string {
		p, ok := parameterIn(s.parametersOf(v), path)
		if !ok || seen[path] {
			return nil
		}
		seen[path] = true
		for _, c := range p.When {
			further := append(slices.Clone(way), c.Path)
			if c.Path == from {
				return further
			}
			if found := walk(c.Path, further); found != nil {
				return found
			}
		}
		return nil
	}
	return walk(from, []string{from})
}
