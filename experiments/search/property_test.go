package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"flowbench/experiments/spec"
)

// drawSweep makes a sweep of any shape: every distribution, with and without
// steps, lists of every type, conditions up to three deep, variants.
func drawSweep(t *rapid.T, finite bool) *spec.Sweep {
	options := spec.TPE{Startup: rapid.IntRange(1, 6).Draw(t, "startup"), Candidates: rapid.IntRange(1, 8).Draw(t, "candidates"), Gamma: 0.25}
	s := &spec.Sweep{
		Method: "tpe", Trials: 20, Replicates: 1, Seed: rapid.Uint64Range(0, 99).Draw(t, "seed"), TPE: &options,
		Metric: spec.Metric{Goal: rapid.SampledFrom([]string{"maximize", "minimize"}).Draw(t, "goal")},
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "parameters") {
		s.Parameters = append(s.Parameters, drawParameter(t, fmt.Sprint("p", i), s.Parameters, finite))
	}
	if rapid.Bool().Draw(t, "written backwards") {
		slices.Reverse(s.Parameters)
	}
	if rapid.Bool().Draw(t, "variants") {
		s.Variants = spec.Variants{
			{Name: "one", Set: spec.Params{{Path: "kind", Value: "x"}}},
			{Name: "two", Parameters: spec.Parameters{drawParameter(t, "own", s.Parameters, finite)}},
		}
	}
	return s
}

func drawParameter(t *rapid.T, path string, before []spec.Parameter, finite bool) spec.Parameter {
	p := spec.Parameter{Path: path}
	lists := [][]any{{"a", "b"}, {int64(1), int64(2), int64(3)}, {0.5, 1.0}, {true, false}, {[]any{int64(64), int64(32)}, []any{int64(128)}}}
	kind := rapid.IntRange(0, 2).Draw(t, "kind")
	switch {
	case kind == 0:
		p.Values = rapid.SampledFrom(lists).Draw(t, "values")
	case kind == 1:
		p.Distribution, p.Whole = rapid.SampledFrom([]string{"int_uniform", "int_log_uniform"}).Draw(t, "whole"), true
		p.Min = float64(rapid.IntRange(1, 4).Draw(t, "min"))
		p.Max = p.Min + float64(rapid.IntRange(1, 6).Draw(t, "span"))
		p.Step = float64(rapid.IntRange(0, 1).Draw(t, "step"))
	default:
		p.Distribution = rapid.SampledFrom([]string{"uniform", "log_uniform"}).Draw(t, "real")
		p.Min = rapid.SampledFrom([]float64{0.1, 1e-5, 3}).Draw(t, "min")
		p.Max = p.Min + rapid.SampledFrom([]float64{0.5, 1, 2}).Draw(t, "span")
		if finite || rapid.Bool().Draw(t, "stepped") {
			p.Step = (p.Max - p.Min) / float64(rapid.IntRange(1, 4).Draw(t, "steps"))
		}
	}
	if len(before) > 0 && rapid.Bool().Draw(t, "conditional") {
		parent := rapid.SampledFrom(before).Draw(t, "parent")
		if n := levels(parent); n <= 100 {
			p.When = []spec.Condition{{Path: parent.Path, Values: []any{level(parent, rapid.IntRange(0, int(n)-1).Draw(t, "value"))}}}
		}
	}
	return p
}

// contains fails the test unless params are a configuration of the sweep: of one
// of its variants, with exactly the parameters that are there, each in its range.
func contains(t interface{ Fatalf(string, ...any) }, s *spec.Sweep, params spec.Params) {
	for _, one := range s.Spaces() {
		if v, ok := params.Get(spec.VariantKey); ok && v != one.Variant {
			continue
		}
		same := one.Choose(func(p spec.Parameter) any {
			v, ok := params.Get(p.Path)
			n, number := numberOf(v)
			inside := number && n >= p.Min && n <= p.Max
			if !ok || !p.Takes(v) && (p.Distribution == "" || stepOf(p) > 0 || !inside) {
				t.Fatalf("%s is outside of %+v", params, p)
			}
			return v
		})
		if diff := cmp.Diff(same.String(), params.String()); diff != "" {
			t.Fatalf("other parameters than are there: %s", diff)
		}
		return
	}
	t.Fatalf("%s is of no variant", params)
}

// TestSuggestions plays studies of any sweep, with some configurations failing and
// some ended early: each suggestion lies in the space, none repeats another, and
// neither the order of what was seen nor a way through JSON changes it.
func TestSuggestions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSweep(t, false)
		concurrency := rapid.IntRange(1, 4).Draw(t, "concurrency")
		shuffle := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffle"), 0))
		var all []Observation
		var params []spec.Params
		seen := keys{}
		for c := range s.Trials {
			ended := max(0, c-concurrency+1)
			next, err := Suggest(s, c, all[:ended], params[ended:])
			if errors.Is(err, ErrExhausted) {
				if n := total(s); float64(c) != n {
					t.Fatalf("exhausted after %d of %v", c, n)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			contains(t, s, next)
			if !seen.add(next) {
				t.Fatalf("%s a second time", next)
			}
			again, err := Suggest(s, c, throughJSON(t, shuffle, all[:ended]), shuffled(shuffle, params[ended:]))
			if err != nil || keyOf(again) != keyOf(next) {
				t.Fatalf("%s, in another order %s (%v)", next, again, err)
			}
			all, params = append(all, observe(t, c, next)), append(params, next)
		}
	})
}

func total(s *spec.Sweep) float64 {
	n := 0.0
	for _, one := range spaces(s) {
		n += one.size
	}
	return n
}

func observe(t *rapid.T, c int, p spec.Params) Observation {
	o := Observation{Configuration: c, Params: p}
	switch v := rapid.Float64Range(0, 1).Draw(t, "value"); rapid.IntRange(0, 5).Draw(t, "end") {
	case 0:
	case 1:
		nan := math.NaN()
		o.Value = &nan
	case 2:
		o.Value, o.Epochs = &v, rapid.IntRange(1, 3).Draw(t, "epochs")
	default:
		o.Value = &v
	}
	return o
}

func shuffled[T any](r *rand.Rand, all []T) []T {
	other := slices.Clone(all)
	r.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
	return other
}

// throughJSON is what a store gives back of observations, in any order.
func throughJSON(t interface{ Fatal(...any) }, r *rand.Rand, all []Observation) []Observation {
	other := shuffled(r, all)
	for i := range other {
		text, err := json.Marshal(other[i].Params)
		if err != nil {
			t.Fatal(err)
		}
		other[i].Params = nil
		if err := json.Unmarshal(text, &other[i].Params); err != nil {
			t.Fatal(err)
		}
	}
	return other
}

// TestPlansOfAnySweep: what random and sobol plan lies in the space, once each,
// and only an exhausted space gives less than was asked for.
func TestPlansOfAnySweep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSweep(t, rapid.Bool().Draw(t, "finite"))
		s.Trials = 100
		for _, method := range []string{"random", "sobol"} {
			b := newBuilder()
			if err := map[string]func(*spec.Sweep) error{"random": b.random, "sobol": b.sobol}[method](s); err != nil {
				t.Fatal(err)
			}
			seen := keys{}
			for _, p := range b.all {
				contains(t, s, p)
				if !seen.add(p) {
					t.Fatalf("%s plans %s twice", method, p)
				}
			}
			most := 0.0
			for v, one := range spaces(s) {
				most += min(one.size, float64((100-v+len(s.Spaces())-1)/len(s.Spaces())))
			}
			if float64(len(b.all)) != most || (len(b.all) < 100) != (len(b.notes) > 0) {
				t.Fatalf("%s plans %d configurations of %v, with notes %q", method, len(b.all), most, b.notes)
			}
		}
	})
}

// TestSizeCounts counts finite spaces by listing them: as many as size says, no
// two equal, and each in the space.
func TestSizeCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSweep(t, true)
		for _, one := range spaces(s) {
			seen := keys{}
			each(one.Space, func(p spec.Params) bool {
				contains(t, s, p)
				if !seen.add(p) {
					t.Fatalf("lists %s twice", p)
				}
				return true
			})
			if float64(len(seen)) != one.size {
				t.Fatalf("size is %v, but there are %d", one.size, len(seen))
			}
		}
	})
}

// TestLevels: what is drawn from any range is one of its levels, the levels
// ascend, and they include both ends of what is drawn.
func TestLevels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := spec.Parameter{Distribution: rapid.SampledFrom(spec.Distributions()).Draw(t, "distribution")}
		p.Whole = p.Distribution[:4] == "int_"
		p.Min = rapid.SampledFrom([]float64{1, 9, 97, 995, 1000, 31}).Draw(t, "min")
		p.Max = p.Min + float64(rapid.IntRange(1, 30).Draw(t, "span"))
		if rapid.Bool().Draw(t, "stepped") {
			p.Step = float64(rapid.IntRange(1, int(p.Max-p.Min)).Draw(t, "step"))
		}
		if !p.Whole {
			scale := rapid.SampledFrom([]float64{1, 1e-3, 1e3, -1}).Draw(t, "scale")
			if scale < 0 && p.Distribution == "uniform" {
				p.Min, p.Max = -p.Max, -p.Min
			} else if scale > 0 {
				p.Min, p.Max, p.Step = p.Min*scale, p.Max*scale, p.Step*scale
			}
		}
		n := int(levels(p))
		value := func(k int) float64 { v, _ := numberOf(level(p, k)); return v }
		index := map[float64]bool{}
		for k := range n {
			index[value(k)] = true
			if k > 0 && !(value(k) > value(k-1)) {
				t.Fatalf("level %d is %v, the one before %v", k, value(k), value(k-1))
			}
		}
		for _, word := range []uint64{0, math.MaxUint64, rapid.Uint64().Draw(t, "word")} {
			v, _ := numberOf(pick(p, word))
			if !index[v] {
				t.Fatalf("%v is none of the %d levels of %+v", v, n, p)
			}
			if word == 0 && v != value(0) || word == math.MaxUint64 && v != value(n-1) {
				t.Fatalf("draws end at %v, the levels at %v and %v", v, value(0), value(n-1))
			}
		}
	})
	if n := levels(spec.Parameter{Distribution: "uniform", Min: -1, Max: 1}); !math.IsInf(n, 1) {
		t.Errorf("a range around 0 has %v levels", n)
	}
}
