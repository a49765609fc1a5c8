package search

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowbench/experiments/spec"
)

func observed(c int, x, value float64) Observation {
	return Observation{Configuration: c, Params: spec.Params{{Path: "x0", Value: x}}, Value: &value}
}

// TestSplit ranks what trained to its end before what was ended early, of that the
// longer before the shorter, and what has no value last; pending ones are bad.
func TestSplit(t *testing.T) {
	nan := math.NaN()
	early := func(o Observation, epochs int) Observation { o.Epochs = epochs; return o }
	failed := Observation{Configuration: 5, Params: spec.Params{{Path: "x0", Value: 0.5}}}
	diverged := failed
	diverged.Value, diverged.Configuration, diverged.Params = &nan, 6, spec.Params{{Path: "x0", Value: 0.6}}
	earlier := []Observation{
		diverged, failed, early(observed(4, 0.4, 9), 3), early(observed(3, 0.3, 8), 9), early(observed(7, 0.7, 7), 9),
		observed(2, 0.2, 1), observed(1, 0.1, 2), observed(0, 0, 2),
	}
	pending := []spec.Params{{{Path: "x0", Value: 0.9}}, {{Path: "x0", Value: 0.8}}}
	order := func(gamma float64, maximize bool) string {
		good, bad := split(earlier, pending, gamma, maximize)
		words := ""
		for _, p := range good {
			words += p.String() + " "
		}
		words += "|"
		for _, p := range bad {
			words += " " + p.String()
		}
		return strings.ReplaceAll(words, "x0=", "")
	}
	for want, got := range map[string]string{
		"0 0.1 0.2 | 0.3 0.7 0.4 0.5 0.6 0.8 0.9":  order(0.3, true), // ⌈0.3 · 8⌉ = 3
		"0.2 0 0.1 0.7 | 0.3 0.4 0.5 0.6 0.8 0.9":  order(0.5, false),
		"0.2 0 0.1 0.7 0.3 0.4 | 0.5 0.6 0.8 0.9":  order(0.99, false), // what has no value is never good
		"0 0.1 0.2 0.3 0.7 | 0.4 0.5 0.6 0.8 0.9 ": order(0.6, true) + " ",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	many := make([]Observation, 400)
	for i := range many {
		many[i] = observed(i, 0, float64(i))
	}
	if good, _ := split(many, nil, 0.15, true); len(good) != maxGood {
		t.Errorf("%d are good", len(good))
	}
}

// TestLiarKeepsApart: eight suggestions made at once, each told what the others
// are trying, lie further apart than eight that are not told.
func TestLiarKeepsApart(t *testing.T) {
	s := objective{parameters: box(1, 0, 1)}.sweep("tpe", 100, 3)
	var earlier []Observation
	for c := range 40 {
		x := float64(c) / 40
		earlier = append(earlier, observed(c, x, math.Abs(x-0.6)))
	}
	spread := func(told bool) float64 {
		var pending []spec.Params
		var xs []float64
		for c := 40; c < 48; c++ {
			lies := pending
			if !told {
				lies = nil
			}
			p, err := Suggest(s, c, earlier, lies)
			if err != nil {
				t.Fatal(err)
			}
			pending = append(pending, p)
			xs = append(xs, point(p)[0])
		}
		mean := sum(xs) / float64(len(xs))
		total := 0.0
		for _, x := range xs {
			total += math.Abs(x - mean)
		}
		return total
	}
	if apart, together := spread(true), spread(false); !(apart > together) {
		t.Errorf("told: %v, not told: %v", apart, together)
	}
}

// TestSuggestFindsAllOfASmallSpace wants each of 2·3 + 3 configurations once, then
// ErrExhausted, whatever was learnt.
func TestSuggestFindsAllOfASmallSpace(t *testing.T) {
	s := objective{parameters: spec.Parameters{
		{Path: "kind", Values: []any{"a", "b"}},
		{Path: "n", Distribution: "int_uniform", Min: 1, Max: 3, Whole: true},
		{Path: "own", Values: []any{true, false}, When: []spec.Condition{{Path: "kind", Values: []any{"a"}}}},
	}}.sweep("tpe", 100, 1)
	var earlier []Observation
	for c := range 9 {
		p, err := Suggest(s, c, earlier, nil)
		if err != nil {
			t.Fatal(err)
		}
		earlier = append(earlier, Observation{Configuration: c, Params: p})
	}
	if p, err := Suggest(s, 9, earlier, nil); !errors.Is(err, ErrExhausted) {
		t.Errorf("%s, %v", p, err)
	}
}

func TestSuggestNeedsOptions(t *testing.T) {
	s := objective{parameters: box(1, 0, 1)}.sweep("tpe", 100, 3)
	for _, o := range []*spec.TPE{nil, {Startup: 1, Gamma: 0.5}, {Startup: 1, Candidates: 1}, {Startup: 1, Candidates: 1, Gamma: math.NaN()}} {
		s.TPE = o
		if _, err := Suggest(s, 0, nil, nil); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// TestGoldenSuggestions pins the sampler: the same study suggests the same next year.
func TestGoldenSuggestions(t *testing.T) {
	o := conditional()
	s := o.sweep("tpe", 30, 5)
	var all []Observation
	var got []string
	for c := range 30 {
		p, err := Suggest(s, c, all[:max(0, c-3)], nil)
		if err != nil {
			t.Fatal(err)
		}
		v := o.value(p)
		all = append(all, Observation{Configuration: c, Params: p, Value: &v})
		got = append(got, p.String())
	}
	goldenLines(t, "tpe.suggestions.txt", got)
}

// TestDensities: the density of each kind of parameter has the mass 1, what is
// drawn from it lies where it says, and values seen raise it where they are.
func TestDensities(t *testing.T) {
	for _, p := range []spec.Parameter{
		{Path: "list", Values: []any{"a", []any{int64(1)}, true, 2.5}},
		{Path: "whole", Distribution: "int_uniform", Min: 1, Max: 12, Whole: true},
		{Path: "log of whole", Distribution: "int_log_uniform", Min: 1, Max: 40, Whole: true},
		{Path: "steps", Distribution: "uniform", Min: 0, Max: 0.5, Step: 0.05},
		{Path: "log of steps", Distribution: "log_uniform", Min: 0.5, Max: 4, Step: 0.25},
		{Path: "short of max", Distribution: "int_uniform", Min: 5, Max: 24, Step: 5, Whole: true},
	} {
		n := int(levels(p))
		seen := []any{level(p, 1), level(p, 1), level(p, n-1), "of an earlier version"}
		density := newParzen(p, seen)
		const draws = 20_000
		hits := map[string]float64{}
		for i := range draws {
			hits[spec.Param{Value: density.draw(draw(1, i, 0, "component"), draw(1, i, 0, "within"))}.String()] += 1.0 / draws
		}
		mass := 0.0
		for k := range n {
			want := math.Exp(density.logDensity(level(p, k)))
			mass += want
			// 5 standard errors: off once in 10⁶ runs of other seeds.
			if got := hits[spec.Param{Value: level(p, k)}.String()]; !(math.Abs(got-want) <= 5*math.Sqrt(want/draws)) {
				t.Errorf("%s: %v is drawn %v of the time, its probability is %v", p.Path, level(p, k), got, want)
			}
		}
		if !(math.Abs(mass-1) <= 1e-9) {
			t.Errorf("%s: the mass is %v", p.Path, mass)
		}
		if !(density.logDensity(level(p, 1)) > newParzen(p, nil).logDensity(level(p, 1))) {
			t.Errorf("%s: what was seen twice is no likelier than before", p.Path)
		}
	}
}

// TestContinuousDensities integrates the density over the coordinate in which the
// prior is uniform, and counts draws below its middle.
func TestContinuousDensities(t *testing.T) {
	for _, p := range []spec.Parameter{uniform("x", -5, 10), {Path: "rate", Distribution: "log_uniform", Min: 1e-5, Max: 1}} {
		m := newMixture(p, []any{p.Min + 0.01*(p.Max-p.Min), p.Max, p.Min, p.Max * 2, "a"})
		if len(m.means) != 4 {
			t.Fatalf("%s: %d components", p.Path, len(m.means))
		}
		const cells = 4000
		below, total := 0.0, 0.0
		for i := range cells {
			low, high := m.ends()
			v := low + (float64(i)+0.5)/cells*(high-low)
			if m.logarithmic() {
				v = math.Exp(v)
			}
			d := math.Exp(m.logDensity(v)) / cells
			total += d
			if i < cells/2 {
				below += d
			}
		}
		hits := 0.0
		const draws = 20_000
		for i := range draws {
			if v, _ := numberOf(m.draw(draw(2, i, 0, "component"), draw(2, i, 0, "within"))); m.coordinate(v) < 0.5 {
				hits += 1.0 / draws
			}
		}
		if !(math.Abs(total-1) <= 1e-3) || !(math.Abs(hits-below) <= 5*math.Sqrt(0.25/draws)) {
			t.Errorf("%s: mass %v, %v below the middle, of draws %v", p.Path, total, below, hits)
		}
	}
}

// TestBandwidths: the larger distance to a neighbour, at least a hundredth or, of n
// components, 1/(1+n) of the range, and the whole for the prior.
func TestBandwidths(t *testing.T) {
	m := newMixture(uniform("x", 0, 1), []any{0.1, 0.9, 0.6, 0.6})
	if diff := cmp.Diff([]float64{1, 0.4, 0.3, 1.0 / 6, 0.3}, m.sigma, cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })); diff != "" {
		t.Error(diff)
	}
	m = newMixture(uniform("x", 0, 1), []any{0.5, 0.5, 0.5})
	if m.sigma[1] != 0.2 || m.sigma[3] != 0.2 {
		t.Errorf("%v", m.sigma)
	}
}
