package search

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowbench/experiments/spec"
)

func mustVersions(t testing.TB, versions ...*spec.Spec) *Plan {
	t.Helper()
	p, err := Versions(versions)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sweepOf(method string, trials int, batches, rate string) string {
	return fmt.Sprintf("  method: %s\n  trials: %d\n  parameters:\n    train.batch: {values: %s}\n    optimizer.learning_rate: %s\n", method, trials, batches, rate)
}

const wide, narrow = "{distribution: log_uniform, min: 1e-4, max: 1e-1}", "{distribution: log_uniform, min: 1e-3, max: 1e-2}"

// TestMoreTrials: a study asked for more from the start plans the same as one
// that was extended over the same space.
func TestMoreTrials(t *testing.T) {
	for _, method := range []string{"random", "sobol"} {
		first, more := mustSpec(t, sweepOf(method, 10, "[32, 64]", wide)), mustSpec(t, sweepOf(method, 25, "[32, 64]", wide))
		p := mustVersions(t, first, more)
		if diff := cmp.Diff(words(mustPlan(t, more)), words(p)); diff != "" {
			t.Errorf("%s: %s", method, diff)
		}
		if p.Count != 25 || len(p.From) != 2 || p.From[1] != 10 || p.Version(9) != 0 || p.Version(10) != 1 || p.Version(24) != 1 {
			t.Errorf("%s: %d configurations from %v", method, p.Count, p.From)
		}
	}
}

// TestNarrowedSpace: what was planned stays, what is added lies in the newer space
// and repeats nothing.
func TestNarrowedSpace(t *testing.T) {
	for _, method := range []string{"random", "sobol"} {
		versions := []*spec.Spec{
			mustSpec(t, sweepOf(method, 20, "[32, 64]", wide)), mustSpec(t, sweepOf(method, 50, "[64]", narrow)), mustSpec(t, sweepOf(method, 60, "[64]", "{values: [1.00001e-3, 2.00001e-3]}")),
		}
		p := mustVersions(t, versions...)
		if diff := cmp.Diff(words(mustPlan(t, versions[0])), words(p)[:20]); diff != "" {
			t.Errorf("%s: %s", method, diff)
		}
		seen := keys{}
		for i, params := range p.Configurations {
			contains(t, versions[p.Version(i)].Sweep, params)
			if !seen.add(params) {
				t.Errorf("%s repeats %s", method, params)
			}
		}
		if diff := cmp.Diff([]int{0, 20, 50}, p.From); diff != "" || p.Count != 52 || len(p.Notes) != 1 {
			t.Errorf("%s: %d configurations, notes %q: %s", method, p.Count, p.Notes, diff)
		}
		if diff := cmp.Diff(mustPlan(t, versions[0]).Seeds, p.Seeds); diff != "" {
			t.Error(diff)
		}
	}
}

func TestGridAddsWhatIsNew(t *testing.T) {
	grid := func(batches string) *spec.Spec {
		return mustSpec(t, "  method: grid\n  parameters:\n    train.batch: {values: "+batches+"}\n    train.epochs: {values: [3, 4]}\n")
	}
	p := mustVersions(t, grid("[32, 64]"), grid("[64, 128]"))
	want := []string{"train.batch=32 train.epochs=3", "train.batch=32 train.epochs=4", "train.batch=64 train.epochs=3", "train.batch=64 train.epochs=4", "train.batch=128 train.epochs=3", "train.batch=128 train.epochs=4"}
	if diff := cmp.Diff(want, words(p)); diff != "" {
		t.Error(diff)
	}
}

// TestAdaptiveCounts: how many configurations there will be is known in advance,
// and never more than the space is sure to have.
func TestAdaptiveCounts(t *testing.T) {
	finite := func(trials int, batches string) *spec.Spec {
		return mustSpec(t, sweepOf("tpe", trials, batches, "{values: [1e-3, 1e-2, 1e-1]}"))
	}
	for _, tc := range []struct {
		versions []*spec.Spec
		count    int
		notes    int
	}{
		{[]*spec.Spec{mustSpec(t, sweepOf("tpe", 40, "[32, 64]", wide))}, 40, 0},
		{[]*spec.Spec{finite(40, "[32, 64]")}, 6, 1},
		{[]*spec.Spec{finite(4, "[32, 64]"), finite(40, "[32, 64, 128]")}, 9, 1},
		{[]*spec.Spec{mustSpec(t, sweepOf("tpe", 4, "[32, 64]", wide)), finite(40, "[32, 64]")}, 6, 1},
		{[]*spec.Spec{finite(4, "[32, 64]"), finite(6, "[32, 64]"), mustSpec(t, sweepOf("tpe", 20, "[32, 64]", wide))}, 20, 0},
	} {
		p := mustVersions(t, tc.versions...)
		if !p.Adaptive || p.Count != tc.count || p.Configurations != nil || len(p.Notes) != tc.notes || len(p.From) != len(tc.versions) || len(p.Seeds) != 1 {
			t.Errorf("%+v, want %d configurations", p, tc.count)
		}
	}
}

// TestConditionsInAPlan: what a condition excludes is neither in a plan nor counted.
func TestConditionsInAPlan(t *testing.T) {
	sweep := "  parameters:\n    optimizer.kind: {values: [adam, sgd]}\n    optimizer.momentum: {values: [0.5, 0.9], when: {optimizer.kind: [sgd]}}\n"
	want := []string{"optimizer.kind=adam", "optimizer.kind=sgd optimizer.momentum=0.5", "optimizer.kind=sgd optimizer.momentum=0.9"}
	p := mustPlan(t, mustSpec(t, "  method: grid\n"+sweep))
	if diff := cmp.Diff(want, words(p)); diff != "" || p.Count != 3 || p.Adaptive {
		t.Errorf("%+v %s", p, diff)
	}
	for _, method := range []string{"random", "sobol", "tpe"} {
		p := mustPlan(t, mustSpec(t, "  method: "+method+"\n  trials: 9\n"+sweep))
		if p.Count != 3 || len(p.Notes) != 1 {
			t.Errorf("%s: %+v", method, p)
		}
	}
}

func TestIncomparableVersions(t *testing.T) {
	first := sweepOf("random", 10, "[32, 64]", wide)
	more := sweepOf("random", 20, "[32, 64]", wide)
	for part, after := range map[string]*spec.Spec{
		"section data differs":                   mustSpec(t, more, "data.scale=identity"),
		"name differs":                           mustSpec(t, more, "name=b"),
		"what it says outside sweep":             mustSpec(t, more, "train.epochs=3"),
		"beside trials, parameters and variants": mustSpec(t, more, "sweep.seed=4"),
		"adds nothing to the 10 configurations":  mustSpec(t, first),
	} {
		_, err := Versions([]*spec.Spec{mustSpec(t, first), after})
		if err == nil || !strings.Contains(err.Error(), part) || !strings.HasPrefix(err.Error(), "spec a.yaml ") {
			t.Errorf("got %v, want ...%s...", err, part)
		}
	}
	for _, set := range []string{"sweep.method=sobol", "sweep.replicates=2", "sweep.metric.name=validation.loss", "sweep.early_terminate.type=asha"} {
		if _, err := Versions([]*spec.Spec{mustSpec(t, first), mustSpec(t, more, set)}); err == nil {
			t.Errorf("%s is taken for an extension", set)
		}
	}
	for _, set := range []string{"sweep.retries=7", "sweep.budget.wall=8h"} {
		if _, err := Versions([]*spec.Spec{mustSpec(t, first), mustSpec(t, more, set)}); err != nil {
			t.Errorf("%s: %v", set, err)
		}
	}
	variant := "  method: grid\n  variants: [{name: a, set: {train.epochs: %d}, parameters: {train.batch: {values: [%s]}}}]\n"
	_, err := Versions([]*spec.Spec{mustSpec(t, fmt.Sprintf(variant, 3, "32")), mustSpec(t, fmt.Sprintf(variant, 4, "32, 64"))})
	if err == nil || !strings.Contains(err.Error(), "a variant sets") {
		t.Errorf("got %v", err)
	}
}

// TestAdaptivePlanTriesCombinations: two values that cannot be trained together
// are found before the first trial.
func TestAdaptivePlanTriesCombinations(t *testing.T) {
	s := mustSpec(t, "  method: tpe\n  trials: 9\n  parameters:\n    model.norm: {values: [none, batch]}\n    train.batch: {values: [64, 1]}\n")
	if _, err := New(s); err == nil || !strings.Contains(err.Error(), "model.norm batch needs a variance") {
		t.Errorf("got %v", err)
	}
}
