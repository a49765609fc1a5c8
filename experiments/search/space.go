package search

import (
	"math"
	"slices"

	"flowbench/experiments/spec"
)

// space is what one variant varies, with how many configurations it holds.
type space struct {
	spec.Space
	size float64 // +Inf where no list of them would end
}

func spaces(s *spec.Sweep) []space {
	var all []space
	for _, one := range s.Spaces() {
		all = append(all, space{one, size(one)})
	}
	return all
}

// keyOf tells configurations apart: values that are equal in JSON are equal.
func keyOf(p spec.Params) string {
	return string(encoded(p))
}

// keys is a set of configurations.
type keys map[string]bool

// add reports whether p was not there.
func (k keys) add(p spec.Params) bool {
	key := keyOf(p)
	if k[key] {
		return false
	}
	k[key] = true
	return true
}

// maxBranches bounds how many combinations of parents a size is counted over. A
// space with more has more configurations than a plan may hold.
const maxBranches = 10 * maxTrials

// size counts the configurations of a space. Only the parameters that others
// depend on are gone through, each named value and all others together; the rest
// multiply. Above maxBranches it is a lower bound.
func size(s spec.Space) float64 {
	named := namedValues(s)
	total := 0.0
	chosen := map[string]any{}
	at := func(path string) (any, bool) { v, ok := chosen[path]; return v, ok }
	var walk func(depth int, product float64)
	walk = func(depth int, product float64) {
		if total > maxBranches {
			return
		}
		if depth == len(s.Order()) {
			total += product
			return
		}
		p := s.Parameters[s.Order()[depth]]
		if !p.Active(at) {
			walk(depth+1, product)
			return
		}
		rest := levels(p)
		for _, v := range named[p.Path] {
			if !p.Takes(v) {
				continue
			}
			rest--
			chosen[p.Path] = v
			walk(depth+1, product)
		}
		if rest > 0 {
			chosen[p.Path] = nil // a value that no condition names
			walk(depth+1, product*rest)
		}
		delete(chosen, p.Path)
	}
	walk(0, 1)
	return total
}

// namedValues lists, for each path that conditions of s name, the values they name.
func namedValues(s spec.Space) map[string][]any {
	named := map[string][]any{}
	for _, p := range s.Parameters {
		for _, c := range p.When {
			for _, v := range c.Values {
				same := func(other any) bool { return spec.Same(other, v) }
				if !slices.ContainsFunc(named[c.Path], same) {
					named[c.Path] = append(named[c.Path], v)
				}
			}
		}
	}
	return named
}

// each hands every configuration of s to yield until it returns false: in
// written order, the last parameter changing fastest, but for parents, which
// change behind what depends on them. s must be finite.
func each(s spec.Space, yield func(spec.Params) bool) {
	chosen := map[string]any{}
	at := func(path string) (any, bool) { v, ok := chosen[path]; return v, ok }
	var walk func(depth int) bool
	walk = func(depth int) bool {
		if depth == len(s.Order()) {
			return yield(s.Choose(func(p spec.Parameter) any { return chosen[p.Path] }))
		}
		p := s.Parameters[s.Order()[depth]]
		if !p.Active(at) {
			return walk(depth + 1)
		}
		defer delete(chosen, p.Path)
		for k := range int(levels(p)) {
			chosen[p.Path] = level(p, k)
			if !walk(depth + 1) {
				return false
			}
		}
		return true
	}
	walk(0)
}

// maxListed is how many configurations are gone through to find those that are left.
const maxListed = 1_000_000

// remaining lists the configurations of s that are not in seen; none where s is
// too large to be gone through, and can then not be exhausted.
func remaining(s space, seen keys) []spec.Params {
	if s.size > maxListed {
		return nil
	}
	var all []spec.Params
	each(s.Space, func(p spec.Params) bool {
		if !seen[keyOf(p)] {
			all = append(all, p)
		}
		return true
	})
	return all
}

// countIn counts those of different configurations that lie in s. One with a value
// of a range without a step is not counted.
func countIn(s spec.Space, configurations []spec.Params) float64 {
	n := 0.0
	for _, params := range configurations {
		lies := true
		same := s.Choose(func(p spec.Parameter) any {
			v, _ := params.Get(p.Path)
			lies = lies && p.Takes(v)
			return v
		})
		if lies && keyOf(same) == keyOf(params) {
			n++
		}
	}
	return n
}

// levels is how many values p can have.
func levels(p spec.Parameter) float64 {
	switch step := stepOf(p); {
	case p.Distribution == "":
		return float64(len(p.Values))
	case step > 0:
		return places(p, step)
	case p.Min <= 0 && p.Max >= 0:
		return math.Inf(1) // the numbers of drawnDigits digits do not end towards 0
	case p.Max < 0:
		return decimalIndex(-p.Min) - decimalIndex(-p.Max) + 1
	}
	return decimalIndex(p.Max) - decimalIndex(p.Min) + 1
}

// level is value k of p.
func level(p spec.Parameter, k int) any {
	switch step := stepOf(p); {
	case p.Distribution == "":
		return p.Values[k]
	case step > 0:
		return typed(p, onStep(p, step, float64(k)))
	case p.Max < 0:
		return typed(p, within(p, -decimalAt(decimalIndex(-p.Min)-float64(k))))
	}
	return typed(p, within(p, decimalAt(decimalIndex(p.Min)+float64(k))))
}

// decimalIndex counts the numbers of drawnDigits significant digits up to v,
// which is rounded to one: 0 for 1, and so many for each power of ten.
func decimalIndex(v float64) float64 {
	v = round(v, drawnDigits)
	exponent := math.Floor(math.Log10(v))
	mantissa := math.Round(v / math.Pow(10, exponent-drawnDigits+1))
	return exponent*decimalsInTen + mantissa
}

// decimalAt is the number of a decimalIndex.
func decimalAt(index float64) float64 {
	const first = decimalsInTen / 9 // the least mantissa
	exponent := math.Floor((index - first) / decimalsInTen)
	mantissa := index - exponent*decimalsInTen
	return round(mantissa*math.Pow(10, exponent-drawnDigits+1), drawnDigits)
}

// decimalsInTen is how many numbers of drawnDigits digits lie in a power of ten.
const decimalsInTen = 9000
