package train

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// A FieldError says which field of a Config is wrong, and how to put it right.
type FieldError struct {
	Field   string   // path in a spec, such as optimizer.learning_rate or model.hidden[1]
	Problem string   // what is wrong with it, and the remedy
	Got     string   // the word that was not understood, if it is one of a closed list
	OneOf   []string // that list
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// Range is an interval of numbers. An open end is not part of it.
type Range struct {
	Min, Max         float64
	OpenMin, OpenMax bool
}

// Contains reports whether v lies in the interval; NaN does not.
func (r Range) Contains(v float64) bool {
	above := v > r.Min || (!r.OpenMin && v == r.Min)
	below := v < r.Max || (!r.OpenMax && v == r.Max)
	return above && below
}

// String reads well after "must be".
func (r Range) String() string {
	low, high := "at least", "at most"
	if r.OpenMin {
		low = "above"
	}
	if r.OpenMax {
		high = "below"
	}
	switch {
	case math.IsInf(r.Max, 1):
		return fmt.Sprintf("%s %v", low, r.Min)
	case math.IsInf(r.Min, -1):
		return fmt.Sprintf("%s %v", high, r.Max)
	}
	return fmt.Sprintf("%s %v and %s %v", low, r.Min, high, r.Max)
}

// Between is the closed interval from low to high.
func Between(low, high float64) *Range { return &Range{Min: low, Max: high} }

// Share is [0, 1): a probability that leaves something.
func Share() *Range { return &Range{Max: 1, OpenMax: true} }

// Positive is every finite number above 0.
func Positive() *Range { return &Range{Max: math.Inf(1), OpenMin: true, OpenMax: true} }

// FromZero is every finite number from 0.
func FromZero() *Range { return &Range{Max: math.Inf(1), OpenMax: true} }

// Condition holds where the text of Field, or the scheme of a ClassWeight, is one of Is.
type Condition struct {
	Field string
	Is    []string
}

// A Rule says what one field of a spec may hold beyond its Go type. Rules are
// data, so that validation, the JSON Schema and the check of a sweep's
// parameters cannot disagree.
type Rule struct {
	Field string // path in a spec
	Doc   string // one line for a reader of the spec
	// OneOf is the closed list of texts: of the field, or of each element of a list.
	OneOf []string
	// Range bounds the number, each number of a list, or each weight of a
	// ClassWeight; nil where the field is none of these.
	Range *Range
	// MinItems and MaxItems bound the length of a list.
	MinItems, MaxItems int
	// Optional fields may be left at their zero value, which means "not used".
	Optional bool
	// When says where the field has an effect; elsewhere it must be zero. Nil is everywhere.
	When *Condition
}

// Check reports what is wrong with value, which has the field's Go type, as if
// it had been written out: an Optional field's zero value is no exception. The
// result is nil where all is well.
func (r Rule) Check(value any) *FieldError {
	switch v := value.(type) {
	case string:
		return r.checkText(r.Field, v)
	case ClassWeight:
		return r.checkClassWeight(v)
	}
	v := reflect.ValueOf(value)
	if v.Kind() == reflect.Slice {
		return r.checkList(v)
	}
	return r.checkNumber(r.Field, v)
}

func (r Rule) checkText(field, v string) *FieldError {
	switch {
	case r.OneOf == nil || slices.Contains(r.OneOf, v):
		return nil
	case v == "":
		return &FieldError{Field: field, Problem: "is missing: write one of " + strings.Join(r.OneOf, ", ")}
	}
	problem := fmt.Sprintf("%q is not one of %s", v, strings.Join(r.OneOf, ", "))
	return &FieldError{Field: field, Problem: problem, Got: v, OneOf: r.OneOf}
}

func (r Rule) checkNumber(field string, v reflect.Value) *FieldError {
	if r.Range == nil || !(v.CanInt() || v.CanUint() || v.CanFloat()) {
		return nil
	}
	if n := numberOf(v); !r.Range.Contains(n) {
		return &FieldError{Field: field, Problem: fmt.Sprintf("is %v, must be %v", n, *r.Range)}
	}
	return nil
}

func numberOf(v reflect.Value) float64 {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	}
	return v.Float()
}

func (r Rule) checkList(list reflect.Value) *FieldError {
	if n := list.Len(); n < r.MinItems || (r.MaxItems > 0 && n > r.MaxItems) {
		problem := fmt.Sprintf("has %d entries, needs at least %d", n, r.MinItems)
		if n > r.MinItems {
			problem = fmt.Sprintf("has %d entries, may have %d", n, r.MaxItems)
		}
		return &FieldError{Field: r.Field, Problem: problem}
	}
	for i := range list.Len() {
		field, element := fmt.Sprintf("%s[%d]", r.Field, i), list.Index(i)
		err := r.checkNumber(field, element)
		if element.Kind() == reflect.String {
			err = r.checkText(field, element.String())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r Rule) checkClassWeight(w ClassWeight) *FieldError {
	if w.Weights == nil {
		return r.checkText(r.Field, w.Scheme)
	}
	if len(w.Weights) == 0 {
		return &FieldError{Field: r.Field, Problem: "lists no label: write a weight a label, such as {BENIGN: 1, Infiltration: 500}"}
	}
	for _, label := range slices.Sorted(maps.Keys(w.Weights)) {
		if err := r.checkNumber(r.Field+"."+label, reflect.ValueOf(w.Weights[label])); err != nil {
			return err
		}
	}
	return nil
}

// Applies reports whether the field, one of Rules, has an effect in c.
func (r Rule) Applies(c *Config) bool {
	if r.When == nil {
		return true
	}
	switch v := fieldOf(reflect.ValueOf(c).Elem(), r.When.Field).Interface().(type) {
	case ClassWeight:
		return slices.Contains(r.When.Is, v.Scheme)
	case string:
		return slices.Contains(r.When.Is, v)
	}
	panic("train: a condition on something other than text: " + r.When.Field)
}

// fieldOf is the field of a struct at a dotted path of yaml names. It panics on
// a path that names none: the rules are wrong then.
func fieldOf(v reflect.Value, path string) reflect.Value {
	key := fieldKey{v.Type(), path}
	index, ok := fieldIndexes.Load(key)
	if !ok {
		index, _ = fieldIndexes.LoadOrStore(key, indexOf(v.Type(), path))
	}
	return v.FieldByIndex(index.([]int))
}

// fieldIndexes remembers what indexOf found: a study checks as many configurations
// as it has, each against every rule.
var fieldIndexes sync.Map // of fieldKey to []int

type fieldKey struct {
	in   reflect.Type
	path string
}

func indexOf(t reflect.Type, path string) []int {
	name, rest, more := strings.Cut(path, ".")
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("yaml") != name {
			continue
		}
		if more {
			return append([]int{i}, indexOf(t.Field(i).Type, rest)...)
		}
		return []int{i}
	}
	panic("train: no field " + path)
}
