package search

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"flowbench/experiments/spec"
)

// alternative is one variant with all that varies in it, or, where a spec has
// no variants, the whole space.
type alternative struct {
	params     spec.Params // its name, if it has one
	parameters []spec.Parameter
}

func alternatives(s *spec.Sweep) []alternative {
	if len(s.Variants) == 0 {
		return []alternative{{parameters: s.Parameters}}
	}
	var all []alternative
	for _, v := range s.Variants {
		all = append(all, alternative{
			params:     spec.Params{{Path: spec.VariantKey, Value: v.Name}},
			parameters: slices.Concat(s.Parameters, v.Parameters),
		})
	}
	return all
}

// grid lists every combination: variants in the order of the spec, and in each
// the common parameters, then its own, the last one changing fastest.
func grid(s *spec.Sweep) ([]spec.Params, error) {
	if n := gridSize(s); n*float64(s.Replicates) > maxTrials {
		return nil, tooMany(strconv.FormatFloat(n, 'g', 6, 64), s.Replicates)
	}
	var all []spec.Params
	for _, a := range alternatives(s) {
		counter := make([]int, len(a.parameters))
		for more := true; more; more = advance(counter, a.parameters) {
			params := slices.Clone(a.params)
			for i, p := range a.parameters {
				params = append(params, spec.Param{Path: p.Path, Value: p.Values[counter[i]]})
			}
			all = append(all, params)
		}
	}
	return all, nil
}

// gridSize is in float64, so that a grid of any size can be refused.
func gridSize(s *spec.Sweep) float64 {
	total := 0.0
	for _, a := range alternatives(s) {
		n := 1.0
		for _, p := range a.parameters {
			n *= float64(len(p.Values))
		}
		total += n
	}
	return math.Min(total, math.MaxFloat64)
}

// advance moves counter to the next combination, and reports whether there is one.
func advance(counter []int, parameters []spec.Parameter) bool {
	for i := len(counter) - 1; i >= 0; i-- {
		counter[i]++
		if counter[i] < len(parameters[i].Values) {
			return true
		}
		counter[i] = 0
	}
	return false
}

// maxAttempts is how often a configuration that is there already is drawn anew
// before its variant counts as exhausted. Of a space of 1,000 configurations the
// last one is missed once in 10⁸ plans.
const maxAttempts = 20_000

// random draws s.Trials configurations, all different. Configuration i belongs
// to variant i modulo their number; its values come from draw(s.Seed, i,
// attempt, path), attempt counting up from 0 while the configuration is there
// already. A variant that has no more makes the plan shorter, with a note.
func random(s *spec.Sweep) ([]spec.Params, []string, error) {
	if float64(s.Trials)*float64(s.Replicates) > maxTrials {
		return nil, nil, tooMany(strconv.Itoa(s.Trials), s.Replicates)
	}
	var all []spec.Params
	seen := map[string]bool{}
	choices := alternatives(s)
	left := make([]int, len(choices)) // draws that an exhausted variant could not give
	for i := range s.Trials {
		v := i % len(choices)
		var params spec.Params
		if left[v] == 0 {
			params = drawNew(choices[v], s.Seed, i, seen)
		}
		if params == nil {
			left[v]++
			continue
		}
		all = append(all, params)
	}
	return all, notes(choices, left), nil
}

// drawNew draws configuration i of a, anew while it is in seen; nil where no new one comes.
func drawNew(a alternative, seed uint64, i int, seen map[string]bool) spec.Params {
	for attempt := range maxAttempts {
		params := slices.Clone(a.params)
		for _, p := range a.parameters {
			params = append(params, spec.Param{Path: p.Path, Value: pick(p, draw(seed, i, attempt, p.Path))})
		}
		key, err := json.Marshal(params)
		if err != nil {
			panic("search: " + err.Error())
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			return params
		}
		if len(a.parameters) == 0 {
			return nil
		}
	}
	return nil
}

func notes(choices []alternative, left []int) []string {
	var all []string
	for v, n := range left {
		if n == 0 {
			continue
		}
		where := "the search space"
		if name, ok := choices[v].params.Get(spec.VariantKey); ok {
			where = fmt.Sprintf("variant %v", name)
		}
		all = append(all, fmt.Sprintf("%s has no more different configurations: %d of those asked for would repeat one and are left out", where, n))
	}
	return all
}
