package spec

// Space is what one variant varies, or the whole of a sweep without variants.
type Space struct {
	// Variant is its name, empty where the sweep has none.
	Variant string
	// Parameters are those that can be there, in written order. Their conditions
	// are on each other alone: those on what the variant fixes are settled.
	Parameters []Parameter

	order []int // of Parameters, each behind those that it depends on
}

// Spaces lists the space of each variant. Variants of a sweep that was made by
// hand fix what they set; a condition on anything else does not hold there.
func (s *Sweep) Spaces() []Space {
	all := make([]Space, len(s.variants()))
	for i := range all {
		all[i] = s.space(i)
	}
	return all
}

// presence is whether a parameter can be there in a variant.
type presence uint8

const (
	open presence = iota + 1 // being looked at
	there
	gone
)

// space is that of variant i. It panics where conditions go in a circle, which
// no sweep that was read does.
func (s *Sweep) space(i int) Space {
	v := s.variants()[i]
	parameters := s.parametersOf(v)
	space := Space{Variant: v.Name}
	state := map[string]presence{}
	kept := map[string][]Condition{}
	var visit func(p Parameter)
	visit = func(p Parameter) {
		if state[p.Path] == open {
			panic("spec: the conditions of " + p.Path + " go in a circle")
		}
		if state[p.Path] != 0 {
			return
		}
		state[p.Path] = open
		is := there
		for _, c := range p.When {
			if parent, ok := parameterIn(parameters, c.Path); ok {
				visit(parent)
				if state[c.Path] == gone {
					is = gone
				}
				kept[p.Path] = append(kept[p.Path], c)
			} else if !s.fixes(i, c) {
				is = gone
			}
		}
		state[p.Path] = is
	}
	for _, p := range parameters {
		visit(p)
	}
	for _, p := range parameters {
		if state[p.Path] == there {
			p.When = kept[p.Path]
			space.Parameters = append(space.Parameters, p)
		}
	}
	space.sort()
	return space
}

// fixes reports whether variant i fixes a value that c wants.
func (s *Sweep) fixes(i int, c Condition) bool {
	if v, ok := s.variants()[i].Set.Get(c.Path); ok {
		return holds(c.Values, v)
	}
	if i >= len(s.settled) {
		return false
	}
	v, ok := s.settled[i][c.Path]
	return ok && holds(c.Values, v)
}

// sort fills in order: the written one wherever conditions allow it.
func (s *Space) sort() {
	done := map[string]bool{}
	var visit func(i int)
	visit = func(i int) {
		if done[s.Parameters[i].Path] {
			return
		}
		done[s.Parameters[i].Path] = true
		for _, c := range s.Parameters[i].When {
			for j, p := range s.Parameters {
				if p.Path == c.Path {
					visit(j)
				}
			}
		}
		s.order = append(s.order, i)
	}
	for i := range s.Parameters {
		visit(i)
	}
}

// Order lists the indices of Parameters so that each comes behind those that it
// depends on, and otherwise as written. The caller must not change it.
func (s Space) Order() []int { return s.order }

func (s Space) parameter(path string) (Parameter, bool) { return parameterIn(s.Parameters, path) }

// Choose asks for a value of each parameter that is there, given the values
// chosen before, in Order. What it returns names the variant, if there is one,
// and then the values in written order; it can be given to Spec.With.
func (s Space) Choose(value func(p Parameter) any) Params {
	chosen := make([]any, len(s.Parameters))
	there := make([]bool, len(s.Parameters))
	at := func(path string) (any, bool) {
		for i, p := range s.Parameters {
			if p.Path == path {
				return chosen[i], there[i]
			}
		}
		return nil, false
	}
	for _, i := range s.order {
		if s.Parameters[i].Active(at) {
			chosen[i], there[i] = value(s.Parameters[i]), true
		}
	}
	params := s.Name()
	for i, p := range s.Parameters {
		if there[i] {
			params = append(params, Param{Path: p.Path, Value: chosen[i]})
		}
	}
	return params
}

// Name is what Params of s begin with.
func (s Space) Name() Params {
	if s.Variant == "" {
		return nil
	}
	return Params{{Path: VariantKey, Value: s.Variant}}
}
