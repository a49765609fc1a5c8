package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nested has a parameter that depends on one that depends on another, written
// before its parents.
const nested = plainDNN + `optimizer: {learning_rate: 0.5}
sweep:
  method: grid
  parameters:
    optimizer.schedule.min_rate: {values: [0.1, 0.2], when: {optimizer.schedule.kind: [cosine]}}
    optimizer.schedule.kind: {values: [constant, cosine], when: {optimizer.kind: [adam, adamw]}}
    optimizer.kind: {values: [sgd, adam, adamw]}
    optimizer.momentum: {values: [0.5, 0.9], when: {optimizer.kind: [sgd]}}
`

func paths(s Space) []string {
	var all []string
	for _, p := range s.Parameters {
		all = append(all, p.Path)
	}
	return all
}

func TestChooseLeavesOutWhatIsNotThere(t *testing.T) {
	s := mustParse(t, nested)
	space := s.Sweep.Spaces()[0]
	for want, chosen := range map[string]map[string]any{
		"optimizer.kind=sgd optimizer.momentum=0.9": {"optimizer.kind": "sgd", "optimizer.momentum": 0.9},
		"optimizer.schedule.min_rate=0.2 optimizer.schedule.kind=cosine optimizer.kind=adam": {
			"optimizer.kind": "adam", "optimizer.schedule.kind": "cosine", "optimizer.schedule.min_rate": 0.2},
		"optimizer.schedule.kind=constant optimizer.kind=adamw": {"optimizer.kind": "adamw", "optimizer.schedule.kind": "constant"},
	} {
		params := space.Choose(func(p Parameter) any {
			v, ok := chosen[p.Path]
			if !ok {
				t.Errorf("%s is asked for where it is not there", p.Path)
			}
			return v
		})
		if params.String() != want {
			t.Errorf("got %s, want %s", params, want)
		}
		mustRun(t, s, params)
	}
}

const conditionsOfVariants = head + `model: {kind: dnn}
sweep:
  method: grid
  parameters:
    model.dropout: {values: [0, 0.1], when: {model.kind: [dnn]}}
    train.batch: {values: [32, 64], when: {model.kind: [dnn, autoencoder]}}
    train.epochs: {values: [3, 4], when: {model.dropout: [0.1]}}
    model.clusters: {values: [8, 9], when: {model.kind: [kmeans]}}
  variants:
    - name: plain
    - name: coder
      set: {model.kind: autoencoder}
    - name: fitted
      set: {model.kind: kmeans}
    - name: either
      parameters: {model.kind: {values: [dnn, kmeans]}}
`

// TestVariantsSettleConditions: what a variant sets, or the spec says outside the
// sweep, decides on a condition before anything is chosen, and with a parameter
// goes what depends on it.
func TestVariantsSettleConditions(t *testing.T) {
	spaces := mustParse(t, conditionsOfVariants).Sweep.Spaces()
	for i, want := range []string{
		"model.dropout train.batch train.epochs", "train.batch", "model.clusters",
		"model.dropout train.batch train.epochs model.clusters model.kind",
	} {
		if got := strings.Join(paths(spaces[i]), " "); got != want {
			t.Errorf("variant %s varies %s, want %s", spaces[i].Variant, got, want)
		}
	}
	if when := spaces[0].Parameters[0].When; when != nil {
		t.Errorf("a settled condition is left: %v", when)
	}
	if when := spaces[0].Parameters[2].When; len(when) != 1 || when[0].Path != "model.dropout" {
		t.Errorf("the condition on a parameter is not left: %v", when)
	}
	if diff := cmp.Diff([]int{4, 0, 1, 2, 3}, spaces[3].Order()); diff != "" {
		t.Error(diff)
	}
}

// TestSpacesByHand: a sweep that was not read has spaces too.
func TestSpacesByHand(t *testing.T) {
	when := func(path string, v any) []Condition { return []Condition{{Path: path, Values: []any{v}}} }
	s := &Sweep{
		Parameters: Parameters{{Path: "a", Values: []any{1, 2}, When: when("kind", "x")}, {Path: "b", Values: []any{1}, When: when("a", 2)}},
		Variants:   Variants{{Name: "v", Set: Params{{Path: "kind", Value: "x"}}}, {Name: "w"}},
	}
	spaces := s.Spaces()
	if len(spaces[0].Parameters) != 2 || len(spaces[1].Parameters) != 0 {
		t.Errorf("%v", spaces)
	}
	s.Parameters[0].When = when("b", 1)
	defer func() {
		if recover() == nil {
			t.Error("conditions in a circle make a space")
		}
	}()
	s.Spaces()
}

// TestSetPinsAParent: where a value is pinned from outside, what depends on
// others of its values is left out, and it is no error that it can never be.
func TestSetPinsAParent(t *testing.T) {
	s := mustParse(t, nested, "optimizer.kind=sgd")
	if got := s.Sweep.Parameters[2].Values; len(got) != 1 || got[0] != "sgd" {
		t.Errorf("%v", got)
	}
	s = mustParse(t, nested, "optimizer.kind=adam", "optimizer.schedule.min_rate=0.3", "optimizer.schedule.kind=cosine")
	if p := s.Sweep.Parameters[0]; len(p.Values) != 1 || len(p.When) != 1 {
		t.Errorf("a pinned parameter lost its condition: %+v", p)
	}
}

func TestTakes(t *testing.T) {
	tenth := Parameter{Distribution: "uniform", Min: 0, Max: 0.5, Step: 0.1}
	whole := Parameter{Distribution: "int_log_uniform", Min: 1, Max: 9, Whole: true}
	for _, tc := range []struct {
		p    Parameter
		v    any
		want bool
	}{
		{tenth, 0.1 + 0.2, true}, {tenth, 0.25, false}, {tenth, 0.6, false}, {tenth, int64(0), true}, {tenth, "0.1", false},
		{whole, int64(9), true}, {whole, 3.0, true}, {whole, 3.5, false}, {whole, int64(0), false}, {whole, 10, false},
		{Parameter{Distribution: "uniform", Max: 1}, 0.5, false},
		{Parameter{Values: []any{1.0, []any{int64(3)}}}, int64(1), true},
		{Parameter{Values: []any{1.0, []any{int64(3)}}}, []any{3.0}, true},
		{Parameter{Values: []any{"a"}}, "b", false},
	} {
		if got := tc.p.Takes(tc.v); got != tc.want {
			t.Errorf("%+v takes %v: %v", tc.p, tc.v, got)
		}
	}
}
