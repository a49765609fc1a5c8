package spec

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"flowbench/train"
)

// structField is a field of a struct that a spec can write.
type structField struct {
	name  string // its key
	index []int  // for reflect.Value.FieldByIndex
	typ   reflect.Type
}

// fieldsOf lists the keys of a section in their order, those of inlined structs in place.
func fieldsOf(t reflect.Type) []structField {
	var fields []structField
	for i := range t.NumField() {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case option == "inline":
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				fields = append(fields, inner)
			}
		case name != "" && name != "-":
			fields = append(fields, structField{name, []int{i}, f.Type})
		}
	}
	return fields
}

// leaf is one field of a Run that holds a value of its own.
type leaf struct {
	path  string
	index []int
	typ   reflect.Type
	rule  train.Rule
}

// leaves lists every leaf of a Run in the order of a spec. The slice is shared:
// it must not be written to.
var leaves = sync.OnceValue(func() []leaf {
	var all []leaf
	var walk func(prefix string, index []int, t reflect.Type)
	walk = func(prefix string, index []int, t reflect.Type) {
		for _, f := range fieldsOf(t) {
			path, at := join(prefix, f.name), append(slices.Clone(index), f.index...)
			if f.typ.Kind() == reflect.Struct && f.typ != classWeightType {
				walk(path, at, f.typ)
				continue
			}
			rule, _ := ruleOf(path)
			all = append(all, leaf{path, at, f.typ, rule})
		}
	}
	walk("", nil, reflect.TypeFor[Run]())
	return all
})

var ruleTable = sync.OnceValue(func() map[string]train.Rule {
	table := map[string]train.Rule{}
	for _, r := range slices.Concat(headRules(), dataRules(), train.Rules(), sweepRules()) {
		table[r.Field] = r
	}
	return table
})

// ruleOf is the rule of the field at a path.
func ruleOf(path string) (train.Rule, bool) {
	r, ok := ruleTable()[path]
	return r, ok
}

// leafAt is the leaf of a path.
func leafAt(path string) (leaf, bool) {
	for _, l := range leaves() {
		if l.path == path {
			return l, true
		}
	}
	return leaf{}, false
}

// Sweepable lists the paths that a sweep may vary: all of the model and its
// training, and what is done to the same flows before it. The flows themselves
// and the seeds are not among them: a study compares on one data set, and its
// seeds are its replicates. The caller owns the slice.
func Sweepable() []string {
	var paths []string
	for _, l := range leaves() {
		section, _, nested := strings.Cut(l.path, ".")
		switch {
		case !nested:
		case section != "data", l.path == "data.drop", l.path == "data.duplicates", l.path == "data.scale", l.path == "data.clip", l.path == "data.split.by":
			paths = append(paths, l.path)
		}
	}
	return paths
}
