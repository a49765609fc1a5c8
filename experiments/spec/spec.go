// Package spec reads what people write to run experiments: one YAML file that
// says which flows, which model and which training, and over what to sweep.
//
// Reading is strict. An unknown or duplicate key, a value of the wrong type or
// out of its range, or a combination that cannot be trained is an *Error with
// file, line, column, the lines around the place and, where a word is nearly
// right, a question whether another was meant. What is not written has a
// default (train.Config.Complete and Data), and one table of rules
// (train.Rules and the ones here) serves the checks, the JSON Schema and the
// parameters of a sweep.
package spec

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"flowbench/train"
)

// Spec is one checked spec. It is immutable.
type Spec struct {
	Name string
	// Sweep is nil where the spec has no such section.
	Sweep *Sweep

	document  Document
	tree      value // everything but the sweep
	maxEpochs int   // see MaxEpochs
}

// Run is a spec with nothing left to choose: all that decides the outcome of
// one trial. Two trials with equal Run, flows and backend have equal weights to
// the bit.
type Run struct {
	Name         string `yaml:"name" json:"name"`
	Seed         uint64 `yaml:"seed" json:"seed"`
	Data         Data   `yaml:"data" json:"data"`
	train.Config `yaml:",inline"`
}

// Document is what a Spec was made from: enough to make it again in another
// process, or after its file has changed.
type Document struct {
	// Path is the file's; relative sources are looked for beside it.
	Path string `json:"path"`
	Text string `json:"text"`
	// Set lists key=value assignments that take the place of what Text says.
	Set []string `json:"set,omitempty"`
}

// Load reads the spec at path, then lets each key=value of set take the place of
// what the file says (see Document.Set and Parse). Relative sources of the file are
// looked for beside it, those of set in the current folder.
func Load(path string, set ...string) (*Spec, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read spec: %w", err)
	}
	set = slices.Clone(set)
	for i := range set {
		if set[i], err = fromHere(set[i], filepath.Dir(path)); err != nil {
			return nil, err
		}
	}
	return Parse(path, src, set...)
}

// Parse is Load of a file that has been read; name stands in errors, and
// relative sources are looked for beside it.
//
// The key of an assignment is a dotted path such as optimizer.learning_rate and
// its value is YAML. It also pins the path in the sweep: a parameter of that
// name, or a variant's setting, takes this one value.
func Parse(name string, src []byte, set ...string) (*Spec, error) {
	return Restore(Document{Path: name, Text: string(src), Set: set})
}

// Restore makes the Spec of a Document.
func Restore(d Document) (*Spec, error) {
	s, err := d.read()
	if err != nil {
		return nil, err // not s, err: an *Error that is nil would be an error
	}
	return s, nil
}

func (d Document) read() (*Spec, *Error) {
	file := &source{name: d.Path, text: strings.TrimPrefix(d.Text, "\ufeff")}
	tree, err := file.parse(file.text, 1)
	if err != nil {
		return nil, err
	}
	if tree.kind == null {
		return nil, tree.at.errorf("", "holds no spec: begin with name, data and model")
	}
	for _, assignment := range d.Set {
		if tree, err = assign(tree, assignment); err != nil {
			return nil, err
		}
	}
	var parts struct {
		Run   `yaml:",inline"`
		Sweep *Sweep `yaml:"sweep"`
	}
	if err := decode(tree, "", reflect.ValueOf(&parts).Elem()); err != nil {
		return nil, err
	}
	s := &Spec{Name: parts.Name, Sweep: parts.Sweep, document: d, tree: tree.without("sweep")}
	if err := s.settle(); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	sweep, _ := tree.find("sweep")
	if err := s.checkRungs(sweep.value); err != nil {
		return nil, err
	}
	return s, nil
}

// Flows reads where the flows of the spec at path come from, whatever it trains on
// them: a trial's own spec may name a baseline, which none that is to be run may.
// Of the Data, Source and ExtraLabels are set.
func Flows(path string) (Data, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return Data{}, fmt.Errorf("read spec: %w", err)
	}
	file := &source{name: path, text: strings.TrimPrefix(string(src), "\ufeff")}
	tree, bad := file.parse(file.text, 1)
	if bad != nil {
		return Data{}, bad
	}
	section, found := tree.find("data")
	if !found {
		return Data{}, tree.at.errorf("data", "is missing: it names the flows")
	}
	var all Data
	if bad := decode(section.value, "data", reflect.ValueOf(&all).Elem()); bad != nil {
		return Data{}, bad
	}
	return Data{Source: all.Source.within(filepath.Dir(path)), ExtraLabels: all.ExtraLabels}, nil
}

// Document is what s was made from.
func (s *Spec) Document() Document { return s.document }

// choice is a value for a path.
type choice struct {
	path  string
	value value
}

// With is the run that a choice of values makes of s. The parameter Variant, if
// it is among p, names the variant; without it the first one is taken. A path
// may be any that Sweepable lists. A combination that cannot be trained is an
// *Error at the line of the spec that offers the value.
func (s *Spec) With(p Params) (*Run, error) {
	variants := s.Sweep.variants()
	chosen := variants[0]
	var choices []choice
	for _, param := range p {
		if param.Path == VariantKey {
			v, err := variantNamed(variants, param.Value)
			if err != nil {
				return nil, err
			}
			chosen = v
			continue
		}
		if _, ok := leafAt(param.Path); !ok {
			return nil, fmt.Errorf("parameter %s is no field of a spec", param.Path)
		}
		choices = append(choices, choice{path: param.Path})
	}
	parameters := s.Sweep.parametersOf(chosen)
	for i := range choices {
		choices[i].value = s.candidate(parameters, choices[i].path, p.value(choices[i].path))
	}
	run, err := s.resolve(chosen, choices)
	if err != nil {
		return nil, err
	}
	return run, nil
}

// candidate is v as it stands in the spec, so that an error about it has the
// right place, or else at the place of the parameter that path names.
func (s *Spec) candidate(parameters []Parameter, path string, v any) value {
	at := s.tree.at
	for _, p := range parameters {
		if p.Path != path {
			continue
		}
		for i, known := range p.Values {
			if reflect.DeepEqual(known, v) {
				return p.candidates[i]
			}
		}
		at = p.candidates[0].at
	}
	return valueOf(v, at)
}

// resolve puts a variant's settings and then choices into the tree, and reads it.
func (s *Spec) resolve(v Variant, choices []choice) (*Run, *Error) {
	tree := s.tree
	for _, set := range v.Set {
		tree = tree.with(set.Path, set.written, set.written.at)
	}
	for _, c := range choices {
		tree = tree.with(c.path, c.value, c.value.at)
	}
	run, err := readRun(tree, filepath.Dir(s.document.Path))
	if err != nil && v.Name != "" {
		err.Problem += " (in variant " + v.Name + ")"
	}
	return run, err
}

// nameForm is what is a good name of a folder on every system.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// readRun reads a tree without a sweep, fills in defaults and checks the whole.
func readRun(tree value, folder string) (*Run, *Error) {
	run := &Run{Seed: 1}
	if err := decode(tree, "", reflect.ValueOf(run).Elem()); err != nil {
		return nil, err
	}
	given := func(field string) bool { _, ok := tree.lookup(field); return ok }
	if err := run.finish(given); err != nil {
		wrong, ok := err.(*train.FieldError)
		if !ok {
			panic("spec: a check without a field: " + err.Error())
		}
		return nil, tree.place(wrong.Field).fieldError(wrong)
	}
	run.Data.Source = run.Data.Source.within(folder)
	return run, nil
}

// finish fills in the defaults of what was not given and checks the whole. An
// error is a *train.FieldError.
func (r *Run) finish(given func(field string) bool) error {
	if !given("name") {
		return &train.FieldError{Field: "name", Problem: "is missing: name the study"}
	}
	if !nameForm.MatchString(r.Name) {
		return &train.FieldError{Field: "name", Problem: fmt.Sprintf(
			"is %q: write up to 100 letters, digits, dots, dashes and underscores, a letter or digit first", r.Name)}
	}
	r.Config.Complete(given)
	if err := r.Data.complete(given); err != nil {
		return err
	}
	if err := r.Data.validate(); err != nil {
		return err
	}
	if err := r.Config.Validate(); err != nil {
		return err
	}
	return r.checkTogether()
}

// Replicate is r as replicate n, from 0, of a sweep trains it: with its own
// seed, and its own split where the spec asks for that.
func (r Run) Replicate(n int, seed uint64) Run {
	r.Seed = seed
	if r.Data.Split.PerReplicate {
		r.Data.Split.Seed += uint64(n)
	}
	return r
}

// Canonical is the JSON of r: equal bytes for equal runs.
func (r Run) Canonical() []byte { return mustJSON(r) }

// Canonical is the JSON of everything that decides what s does: equal bytes for
// specs that differ only in layout, comments, written-out defaults or the
// folder they lie in. Sources stand in it as they were written.
func (s *Spec) Canonical() []byte {
	type variantRun struct {
		Variant string `json:"variant"`
		Run     *Run   `json:"run"`
	}
	var runs []variantRun
	for _, v := range s.Sweep.variants() {
		tree := s.tree
		for _, set := range v.Set {
			tree = tree.with(set.Path, set.written, set.written.at)
		}
		run, err := readRun(tree, "")
		if err != nil {
			panic("spec: a checked spec fails: " + err.Error())
		}
		runs = append(runs, variantRun{v.Name, run})
	}
	return mustJSON(struct {
		Name  string       `json:"name"`
		Runs  []variantRun `json:"runs"`
		Sweep *Sweep       `json:"sweep"`
	}{s.Name, runs, s.Sweep})
}

// mustJSON is for values of which every float is finite and every map has text keys.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("spec: " + err.Error())
	}
	return b
}
