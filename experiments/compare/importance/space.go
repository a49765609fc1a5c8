package importance

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// maxLevels is how many levels an axis has at most, so that a set of them is the
// bits of a word. Numbers have half of it: with twice as many levels the shares
// in the tests stay within 0.01, and pairs take four times as long.
const (
	maxLevels = 64
	maxRanks  = 32
)

// axis is a parameter in which the observations differ, its values dealt to
// levels. More than maxRanks numbers share levels of about as many each; of more
// than maxLevels categories the rarest share the last.
type axis struct {
	name    string
	ordered bool      // levels rise; else they are categories
	weights []float64 // of the levels in the space, with sum 1
	level   []int8    // by observation; -1 where it has no such parameter
}

// all is the set of every level.
func (a *axis) all() uint64 { return math.MaxUint64 >> (maxLevels - len(a.weights)) }

// weight is that of a set of levels.
func (a *axis) weight(set uint64) float64 {
	sum := 0.0
	for l, w := range a.weights {
		if set>>l&1 == 1 {
			sum += w
		}
	}
	return sum
}

// space is the observations on their axes.
type space struct {
	axes     []axis
	values   []float64
	distinct int // configurations
}

func newSpace(observations []Observation, measures map[string]Measure) *space {
	s := &space{}
	names, known := map[string]bool{}, map[string]bool{}
	for _, o := range observations {
		s.values = append(s.values, o.Value)
		known[key(o.Params)] = true
		for name := range o.Params {
			names[name] = true
		}
	}
	s.distinct = len(known)
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		values := make([]any, len(observations))
		for i, o := range observations {
			values[i] = o.Params[name]
		}
		if a := newAxis(name, values, measures[name]); len(a.weights) > 1 {
			s.axes = append(s.axes, a)
		}
	}
	return s
}

// key tells values apart: those that are equal in JSON are equal.
func key(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}

// newAxis deals values, of which nil ones are not there, to levels.
func newAxis(name string, values []any, measure Measure) axis {
	numbers := make([]float64, len(values))
	for i, v := range values {
		x, ok := number(v)
		if !ok && v != nil {
			return categories(name, values)
		}
		numbers[i] = x
	}
	return ranks(name, numbers, measure)
}

// number is NaN, false for what is none.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return math.NaN(), false
}

// categories gives every value the same weight.
func categories(name string, values []any) axis {
	count := map[string]int{}
	for _, v := range values {
		if v != nil {
			count[key(v)]++
		}
	}
	names := make([]string, 0, len(count))
	for k := range count {
		names = append(names, k)
	}
	slices.Sort(names)
	slices.SortStableFunc(names, func(a, b string) int { return count[b] - count[a] })
	at := map[string]int8{}
	a := axis{name: name, weights: make([]float64, min(len(names), maxLevels)), level: make([]int8, len(values))}
	for i, k := range names {
		l := min(i, maxLevels-1)
		at[k] = int8(l)
		a.weights[l] += 1 / float64(len(names))
	}
	for i, v := range values {
		a.level[i] = -1
		if v != nil {
			a.level[i] = at[key(v)]
		}
	}
	return a
}

// ranks gives numbers, of which NaN are not there, the weight that their measure has.
func ranks(name string, numbers []float64, measure Measure) axis {
	distinct := slices.DeleteFunc(slices.Clone(numbers), math.IsNaN)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	a := axis{name: name, ordered: true, level: make([]int8, len(numbers))}
	if len(distinct) < 2 {
		return a
	}
	n := min(len(distinct), maxRanks)
	a.weights = make([]float64, n)
	level := func(i int) int { return i * n / len(distinct) }
	to := func(v float64) float64 { return v }
	if measure == Log && distinct[0] > 0 {
		to = math.Log
	}
	// A value stands for what is nearer to it than to any other.
	width := to(distinct[len(distinct)-1]) - to(distinct[0])
	for i, v := range distinct {
		weight := 1 / float64(len(distinct))
		if measure != Listed {
			below, above := distinct[max(i-1, 0)], distinct[min(i+1, len(distinct)-1)]
			weight = (to(v) - to(below) + to(above) - to(v)) / 2 / width
		}
		a.weights[level(i)] += weight
	}
	for i, v := range numbers {
		a.level[i] = -1
		if at, ok := slices.BinarySearch(distinct, v); ok {
			a.level[i] = int8(level(at))
		}
	}
	return a
}
