package spec

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"flowbench/data/suggest"
	"flowbench/train"
)

// valueReader is implemented by types that are read in a way of their own.
type valueReader interface {
	read(v value, path string) *Error
}

// decode fills into, which is addressable, from v, strictly: no key without a
// field, no value of another type, none outside its rule. path is v's own. What
// v does not say stays as it is.
func decode(v value, path string, into reflect.Value) *Error {
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		return decode(v, path, into.Elem())
	}
	if v.kind == null {
		return v.at.errorf(path, "has no value: write one, or leave the key out")
	}
	if custom, ok := into.Addr().Interface().(valueReader); ok {
		return custom.read(v, path)
	}
	if into.Kind() == reflect.Struct && into.Type() != classWeightType {
		return decodeStruct(v, path, into)
	}
	if err := decodeLeaf(v, path, into); err != nil {
		return err
	}
	rule, ok := ruleOf(path)
	if !ok {
		return nil
	}
	if wrong := rule.Check(into.Interface()); wrong != nil {
		return v.place(strings.TrimPrefix(wrong.Field, path)).fieldError(wrong)
	}
	return nil
}

// fieldError puts a FieldError at its place.
func (p place) fieldError(e *train.FieldError) *Error {
	return p.errorf(e.Field, "%s%s", e.Problem, suggest.DidYouMean(e.Got, e.OneOf))
}

// place is where path below v was written, or the nearest thing above it. Paths
// are dotted, with [i] for elements of lists; a key may hold dots itself.
func (v value) place(path string) place {
	path = strings.TrimPrefix(path, ".")
	if path == "" {
		return v.at
	}
	if inside, ok := strings.CutPrefix(path, "["); ok {
		digits, rest, _ := strings.Cut(inside, "]")
		if i, err := strconv.Atoi(digits); err == nil && i < len(v.items) {
			return v.items[i].place(rest)
		}
		return v.at
	}
	for _, e := range v.entries {
		rest, ok := strings.CutPrefix(path, e.key)
		if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return e.value.place(rest)
		}
	}
	return v.at
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func decodeStruct(v value, path string, into reflect.Value) *Error {
	if v.kind != mapping {
		return v.at.errorf(path, "must be a mapping of keys to values, not %s", v.describe())
	}
	fields := fieldsOf(into.Type())
	for _, e := range v.entries {
		i := slices.IndexFunc(fields, func(f structField) bool { return f.name == e.key })
		if i < 0 {
			return e.keyAt.errorf(join(path, e.key), "unknown key%s", suggestKey(path, e.key, fields))
		}
		if err := decode(e.value, join(path, e.key), into.FieldByIndex(fields[i].index)); err != nil {
			return err
		}
	}
	return nil
}

// suggestKey looks for a near key in the same section, then for the same key elsewhere.
func suggestKey(path, key string, fields []structField) string {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	if near := suggest.DidYouMean(key, names); near != "" {
		return near
	}
	for _, l := range leaves() {
		if l.path == key || strings.HasSuffix(l.path, "."+key) {
			return fmt.Sprintf("; did you mean %q?", l.path)
		}
	}
	if len(names) > 12 {
		return ""
	}
	return "; known here: " + strings.Join(names, ", ")
}

func decodeLeaf(v value, path string, into reflect.Value) *Error {
	if into.Type() == classWeightType {
		return decodeClassWeight(v, path, into)
	}
	switch into.Kind() {
	case reflect.String:
		if v.kind != text {
			return v.at.errorf(path, "must be text, not %s%s", v.describe(), quoteHint(v))
		}
		into.SetString(v.text)
	case reflect.Bool:
		if v.kind != boolean {
			return v.at.errorf(path, "must be true or false, not %s", v.describe())
		}
		into.SetBool(v.text == "true")
	case reflect.Int, reflect.Uint64:
		return decodeWhole(v, path, into)
	case reflect.Float64:
		return decodeNumber(v, path, into)
	case reflect.Slice:
		return decodeList(v, path, into)
	default:
		panic("spec: no way to read a " + into.Type().String())
	}
	return nil
}

func quoteHint(v value) string {
	if v.kind == boolean || v.kind == whole || v.kind == number {
		return fmt.Sprintf(": write %q", v.text)
	}
	return ""
}

func decodeWhole(v value, path string, into reflect.Value) *Error {
	if v.kind != whole {
		return v.at.errorf(path, "must be a whole number in digits, not %s", v.describe())
	}
	var err error
	if into.CanInt() {
		var n int64
		n, err = strconv.ParseInt(v.text, 10, 64)
		into.SetInt(n)
	} else {
		var n uint64
		n, err = strconv.ParseUint(strings.TrimPrefix(v.text, "+"), 10, 64)
		into.SetUint(n)
	}
	if errors.Is(err, strconv.ErrRange) {
		return v.at.errorf(path, "is %s, which is too large", v.text)
	}
	if err != nil {
		return v.at.errorf(path, "is %s, must be at least 0", v.text)
	}
	return nil
}

func decodeNumber(v value, path string, into reflect.Value) *Error {
	if v.kind != whole && v.kind != number {
		return v.at.errorf(path, "must be a number, not %s", v.describe())
	}
	n, err := strconv.ParseFloat(v.text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return v.at.errorf(path, "is %s, must be a finite number", v.text)
	}
	into.SetFloat(n)
	return nil
}

func decodeList(v value, path string, into reflect.Value) *Error {
	if v.kind != list {
		return v.at.errorf(path, "must be a list in [ ], not %s", v.describe())
	}
	elements := reflect.MakeSlice(into.Type(), len(v.items), len(v.items))
	for i, item := range v.items {
		if err := decodeLeaf(item, fmt.Sprintf("%s[%d]", path, i), elements.Index(i)); err != nil {
			return err
		}
	}
	into.Set(elements)
	return nil
}

var classWeightType = reflect.TypeFor[train.ClassWeight]()

func decodeClassWeight(v value, path string, into reflect.Value) *Error {
	weight := train.ClassWeight{Scheme: v.text}
	switch v.kind {
	case text:
	case mapping:
		weight = train.ClassWeight{Scheme: train.Given, Weights: map[string]float64{}}
		for _, e := range v.entries {
			var n float64
			if err := decodeNumber(e.value, join(path, e.key), reflect.ValueOf(&n).Elem()); err != nil {
				return err
			}
			weight.Weights[e.key] = n
		}
	default:
		return v.at.errorf(path, "must be none, balanced, effective or a weight a label, not %s", v.describe())
	}
	into.Set(reflect.ValueOf(weight))
	return nil
}
