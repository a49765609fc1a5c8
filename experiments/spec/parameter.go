package spec

import (
	"math"
	"reflect"
	"slices"
	"strings"

	"flowbench/data/suggest"
)

func (ps *Parameters) read(v value, path string) *Error {
	if v.kind != mapping {
		return v.at.errorf(path, "must be a mapping from a path such as optimizer.learning_rate to what it may be, not %s", v.describe())
	}
	if len(v.entries) == 0 {
		return v.at.errorf(path, "is an empty search space: name what is varied, or leave the key out")
	}
	for _, e := range v.entries {
		field, err := sweptField(e)
		if err != nil {
			return err
		}
		p, err := readParameter(e, field)
		if err != nil {
			return err
		}
		*ps = append(*ps, p)
	}
	return nil
}

// parameterForm is what may stand under the path of a parameter.
type parameterForm struct {
	Values       value `yaml:"values"`
	Distribution value `yaml:"distribution"`
	Min          value `yaml:"min"`
	Max          value `yaml:"max"`
	Step         value `yaml:"step"`
	When         value `yaml:"when"`
}

// read keeps what was written, to be read when it is known as what.
func (v *value) read(written value, _ string) *Error { *v = written; return nil }

func readParameter(e entry, field leaf) (Parameter, *Error) {
	p := Parameter{Path: e.key, keyAt: e.keyAt, Whole: field.typ.Kind() == reflect.Int}
	if e.value.kind != mapping {
		return p, e.value.at.errorf(e.key, "must be {values: [...]} or {distribution: ..., min: ..., max: ...}, not %s", e.value.describe())
	}
	var form parameterForm
	if err := decode(e.value, e.key, reflect.ValueOf(&form).Elem()); err != nil {
		return p, err
	}
	if err := p.readWhen(form.When); err != nil {
		return p, err
	}
	ranged := form.Distribution.kind != null || form.Min.kind != null || form.Max.kind != null || form.Step.kind != null
	switch {
	case form.Values.kind != null && ranged:
		return p, e.keyAt.errorf(e.key, "has both values and a range: keep one")
	case form.Values.kind != null:
		return p, p.readValues(form.Values, field)
	case ranged:
		return p, p.readRange(form, field)
	}
	return p, e.keyAt.errorf(e.key, "says nothing to vary: write {values: [...]} or {distribution: ..., min: ..., max: ...}")
}

func (p *Parameter) readValues(v value, field leaf) *Error {
	if v.kind != list {
		return v.at.errorf(p.Path, "values must be a list in [ ], not %s", v.describe())
	}
	if len(v.items) == 0 {
		return v.at.errorf(p.Path, "values is empty, which leaves nothing to try: list some, or leave the parameter out")
	}
	for _, item := range v.items {
		chosen, err := field.plain(item)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(p.Values, func(other any) bool { return reflect.DeepEqual(other, chosen) }) {
			return item.at.errorf(p.Path, "lists %s twice", mustJSON(chosen))
		}
		p.Values = append(p.Values, chosen)
		p.candidates = append(p.candidates, item)
	}
	return nil
}

func (p *Parameter) readRange(form parameterForm, field leaf) *Error {
	kind := field.typ.Kind()
	switch {
	case kind != reflect.Int && kind != reflect.Float64:
		return p.keyAt.errorf(p.Path, "holds no number, so it has no distribution: write {values: [...]}")
	case form.Distribution.kind == null:
		return p.keyAt.errorf(p.Path, "has a range but no distribution: write one of %s", strings.Join(Distributions(), ", "))
	case form.Min.kind == null || form.Max.kind == null:
		return p.keyAt.errorf(p.Path, "needs both min and max")
	}
	p.Distribution = form.Distribution.text
	if !slices.Contains(Distributions(), p.Distribution) {
		return form.Distribution.at.errorf(p.Path, "distribution is %s, must be one of %s%s", form.Distribution.describe(),
			strings.Join(Distributions(), ", "), suggest.DidYouMean(p.Distribution, Distributions()))
	}
	if p.Whole && !drawsWhole(p.Distribution) {
		return form.Distribution.at.errorf(p.Path, "holds whole numbers, which %s does not draw: write int_%s", p.Distribution, p.Distribution)
	}
	if err := p.readEnds(form, field); err != nil {
		return err
	}
	return p.readStep(form.Step)
}

// drawsWhole reports whether a distribution draws whole numbers only.
func drawsWhole(distribution string) bool { return strings.HasPrefix(distribution, "int_") }

// readEnds reads min and max as values of the field, so that its rule holds for
// both and, rules being intervals, for all between.
func (p *Parameter) readEnds(form parameterForm, field leaf) *Error {
	for _, end := range []struct {
		written value
		to      *float64
	}{{form.Min, &p.Min}, {form.Max, &p.Max}} {
		if _, err := field.plain(end.written); err != nil {
			return err
		}
		if err := decodeNumber(end.written, p.Path, reflect.ValueOf(end.to).Elem()); err != nil {
			return err
		}
		if drawsWhole(p.Distribution) && (*end.to != math.Trunc(*end.to) || math.Abs(*end.to) > maxSeed) {
			return end.written.at.errorf(p.Path, "%s needs whole numbers, not %s", p.Distribution, end.written.text)
		}
		p.candidates = append(p.candidates, end.written)
	}
	switch {
	case p.Min > p.Max:
		return form.Min.at.errorf(p.Path, "min %v is above max %v: swap them", p.Min, p.Max)
	case p.Min == p.Max:
		return form.Min.at.errorf(p.Path, "min and max are both %v: write the value itself, or {values: [...]}", p.Min)
	case strings.HasSuffix(p.Distribution, "log_uniform") && p.Min <= 0:
		return form.Min.at.errorf(p.Path, "min %v has no logarithm: %s needs one above 0", p.Min, p.Distribution)
	}
	return nil
}

func (p *Parameter) readStep(step value) *Error {
	if step.kind == null {
		return nil
	}
	if err := decodeNumber(step, p.Path, reflect.ValueOf(&p.Step).Elem()); err != nil {
		return err
	}
	switch {
	case drawsWhole(p.Distribution) && p.Step != math.Trunc(p.Step):
		return step.at.errorf(p.Path, "%s needs a whole step, not %s", p.Distribution, step.text)
	case !(p.Step > 0 && p.Step <= p.Max-p.Min):
		return step.at.errorf(p.Path, "step %v does not fit between min %v and max %v", p.Step, p.Min, p.Max)
	}
	return nil
}
