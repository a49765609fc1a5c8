package spec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"flowbench/data/suggest"
)

func (vs *Variants) read(v value, path string) *Error {
	if v.kind != list {
		return v.at.errorf(path, "must be a list of variants, each with a name, not %s", v.describe())
	}
	if len(v.items) == 0 {
		return v.at.errorf(path, "is empty: list variants, each with a name, or leave the key out")
	}
	var names []string
	for i, item := range v.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		var variant Variant
		if err := decode(item, at, reflect.ValueOf(&variant).Elem()); err != nil {
			return err
		}
		switch {
		case variant.Name == "":
			return item.at.errorf(at+".name", "is missing: name each variant")
		case !nameForm.MatchString(variant.Name):
			return item.place("name").errorf(at+".name", "is %q: write letters, digits, dots, dashes and underscores", variant.Name)
		case slices.Contains(names, variant.Name):
			return item.place("name").errorf(at+".name", "%q is the name of two variants", variant.Name)
		}
		names = append(names, variant.Name)
		*vs = append(*vs, variant)
	}
	return nil
}

// read reads a variant's settings: a mapping from path to value.
func (p *Params) read(v value, path string) *Error {
	if v.kind != mapping {
		return v.at.errorf(path, "must be a mapping from a path such as model.kind to its value, not %s", v.describe())
	}
	for _, e := range v.entries {
		field, err := sweptField(e)
		if err != nil {
			return err
		}
		chosen, err := field.plain(e.value)
		if err != nil {
			return err
		}
		*p = append(*p, Param{Path: e.key, Value: chosen, written: e.value})
	}
	return nil
}

// sweptField is the field that a key of a sweep names.
func sweptField(e entry) (leaf, *Error) {
	paths := Sweepable()
	if slices.Contains(paths, e.key) {
		l, _ := leafAt(e.key)
		return l, nil
	}
	var inside []string
	for _, p := range paths {
		if strings.HasPrefix(p, e.key+".") {
			inside = append(inside, p)
		}
	}
	switch _, known := leafAt(e.key); {
	case known:
		return leaf{}, e.keyAt.errorf(e.key, "cannot be varied: a study compares on the same flows, and its seeds are its replicates")
	case len(inside) > 0:
		return leaf{}, e.keyAt.errorf(e.key, "is a section: name one field by its path, such as %s", inside[0])
	}
	return leaf{}, e.keyAt.errorf(e.key, "is no field of a spec%s", suggestPath(e.key, paths))
}

// suggestPath looks for a near path, then for one that ends in the word.
func suggestPath(word string, paths []string) string {
	if near := suggest.DidYouMean(word, paths); near != "" {
		return near
	}
	for _, p := range paths {
		if strings.HasSuffix(p, "."+word) {
			return fmt.Sprintf("; did you mean %q?", p)
		}
	}
	return ""
}

// plain reads v as the field's type, checks it by its rule and returns it as a Param.Value.
func (l leaf) plain(v value) (any, *Error) {
	into := reflect.New(l.typ).Elem()
	if err := decode(v, l.path, into); err != nil {
		return nil, err
	}
	return plain(into), nil
}
