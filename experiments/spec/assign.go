package spec

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"flowbench/data/synth"
)

// setSource is the name of an assignment in errors.
const setSource = "--set"

// assign puts one key=value in the place of what the tree says.
func assign(tree value, assignment string) (value, *Error) {
	src := &source{name: setSource, text: assignment}
	at := place{src, 1, 1}
	path, yamlText, ok := strings.Cut(assignment, "=")
	if !ok || path == "" {
		return tree, at.errorf("", "write key=value, such as --set optimizer.learning_rate=1e-3")
	}
	if err := checkAssignable(path, at); err != nil {
		return tree, err
	}
	v, err := src.parse(yamlText, len([]rune(path))+2)
	if err != nil {
		return tree, err
	}
	if v.kind == null {
		return tree, at.errorf(path, "has no value: write %s=VALUE", path)
	}
	tree = tree.with(path, v, at)
	if sweep, ok := tree.find("sweep"); ok && slices.Contains(Sweepable(), path) {
		tree = tree.with("sweep", sweep.value.pin(path, v), sweep.keyAt)
	}
	return tree, nil
}

// fromHere gives an assignment to data.source, whose relative paths start at the
// current folder, those that lead to the same files from the folder of the spec.
// Any other assignment stays as it is, as does one that cannot be read.
func fromHere(assignment, folder string) (string, error) {
	path, yamlText, _ := strings.Cut(assignment, "=")
	if path != "data.source" {
		return assignment, nil
	}
	v, err := (&source{name: setSource, text: assignment}).parse(yamlText, len([]rune(path))+2)
	if err != nil {
		return assignment, nil // reading the spec tells where the fault is
	}
	var sources Sources
	if err := sources.read(v, path); err != nil {
		return assignment, nil
	}
	here, wrong := filepath.Abs(".")
	if wrong != nil {
		return "", fmt.Errorf("--set %s: %w", assignment, wrong)
	}
	if folder, wrong = filepath.Abs(folder); wrong != nil {
		return "", fmt.Errorf("--set %s: %w", assignment, wrong)
	}
	for i, to := range sources {
		if !strings.HasPrefix(to, synth.Scheme) && !filepath.IsAbs(to) {
			if sources[i], wrong = filepath.Rel(folder, filepath.Join(here, to)); wrong != nil {
				return "", fmt.Errorf("--set %s: %w", assignment, wrong)
			}
		}
	}
	list, wrong := json.Marshal(sources) // JSON is YAML
	if wrong != nil {
		panic("spec: a list of texts is not JSON: " + wrong.Error())
	}
	return path + "=" + string(list), nil
}

// checkAssignable refuses what is no single field.
func checkAssignable(path string, at place) *Error {
	var fields []string
	for _, l := range leaves() {
		fields = append(fields, l.path)
	}
	for _, r := range sweepRules() {
		if r.Field != "sweep.variants" && r.Field != "sweep.parameters" {
			fields = append(fields, r.Field)
		}
	}
	if slices.Contains(fields, path) {
		return nil
	}
	if strings.HasPrefix(path, "sweep.parameters") || strings.HasPrefix(path, "sweep.variants") {
		return at.errorf(path, "cannot be set from outside: change the spec, or set the field itself, which pins it")
	}
	return at.errorf(path, "is no field of a spec%s", suggestPath(path, fields))
}

// pin makes v the one value of path wherever a sweep would choose another.
func (sweep value) pin(path string, v value) value {
	sweep = sweep.pinParameter(path, v)
	variants, ok := sweep.find("variants")
	if !ok || variants.value.kind != list {
		return sweep
	}
	pinned := value{kind: list, at: variants.value.at}
	for _, variant := range variants.value.items {
		variant = variant.pinParameter(path, v)
		if set, ok := variant.find("set"); ok {
			if _, ok := set.value.find(path); ok {
				variant = variant.with("set", set.value.replace(path, v), set.keyAt)
			}
		}
		pinned.items = append(pinned.items, variant)
	}
	return sweep.with("variants", pinned, variants.keyAt)
}

// pinParameter replaces a parameter of a sweep or variant by its one value.
func (section value) pinParameter(path string, v value) value {
	parameters, ok := section.find("parameters")
	if !ok {
		return section
	}
	old, ok := parameters.value.find(path)
	if !ok {
		return section
	}
	one := value{kind: mapping, at: v.at, entries: []entry{
		{"values", v.at, value{kind: list, items: []value{v}, at: v.at}},
	}}
	if when, ok := old.value.find("when"); ok {
		one.entries = append(one.entries, when)
	}
	return section.with("parameters", parameters.value.replace(path, one), parameters.keyAt)
}

// replace is v with the value of a key, which may hold dots, replaced.
func (v value) replace(key string, replacement value) value {
	changed := value{kind: v.kind, at: v.at, entries: slices.Clone(v.entries)}
	for i := range changed.entries {
		if changed.entries[i].key == key {
			changed.entries[i].value = replacement
		}
	}
	return changed
}

// without is v without a key.
func (v value) without(key string) value {
	kept := value{kind: v.kind, at: v.at}
	for _, e := range v.entries {
		if e.key != key {
			kept.entries = append(kept.entries, e)
		}
	}
	return kept
}
