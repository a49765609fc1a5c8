// Package pruner decides which configurations of a study end before their last
// epoch.
//
// Configurations are judged at rungs, which are numbers of epochs, in the order
// of the plan: configuration c at rung k is held against the configurations j < c
// that reached it, never against later ones, however fast their workers were. So
// what becomes of a study is a function of its figures alone. Everything here is
// a pure function.
package pruner

import (
	"math"

	"flowbench/experiments/spec"
)

// Pruner judges the configurations of one study.
type Pruner struct {
	options  spec.EarlyTerminate
	maximize bool
	brackets []Bracket
	deal     []int // the bracket of configuration c is deal[c modulo its length]
}

// Bracket is a set of configurations that are judged against each other alone.
type Bracket struct {
	// MinEpochs is its first rung.
	MinEpochs int
	// Configurations is its share: how many of it one round of Hyperband has.
	Configurations int
}

// New makes the pruner of a study of which no configuration trains longer than
// maxEpochs, and where larger values are better or, without maximize, smaller
// ones. It panics on options that no spec gives.
func New(o spec.EarlyTerminate, maxEpochs int, maximize bool) *Pruner {
	p := &Pruner{options: o, maximize: maximize}
	switch {
	case o.MinEpochs < 1:
		panic("pruner: no first rung")
	case o.Type == spec.ASHA && o.Eta >= 2:
		p.brackets = []Bracket{{o.MinEpochs, 1}}
	case o.Type == spec.Median && o.Every >= 1:
		p.brackets = []Bracket{{o.MinEpochs, 1}}
	case o.Type == spec.Hyperband && o.Eta >= 2:
		p.brackets = hyperband(o.MinEpochs, maxEpochs, o.Eta)
	default:
		panic("pruner: impossible options")
	}
	p.deal = deal(p.brackets)
	return p
}

// hyperband lists the brackets of Li et al. 2018, algorithm 1, from the one that
// ends configurations earliest (s = s_max) to the one that trains all the longest
// (s = 0). Bracket s begins at minEpochs·eta^(s_max-s), which is R·eta^-s where R is
// minEpochs times a power of eta, and gets ⌈(s_max+1)/(s+1)·eta^s⌉
// configurations: as many as use up the same budget in each bracket.
func hyperband(minEpochs, maxEpochs, eta int) []Bracket {
	most := 0 // s_max, in whole numbers: a logarithm may be off by one
	for r := minEpochs; r <= maxEpochs/eta; r *= eta {
		most++
	}
	var all []Bracket
	first := minEpochs
	for s := most; s >= 0; s-- {
		n := (most + 1) * power(eta, s)
		all = append(all, Bracket{MinEpochs: first, Configurations: (n + s) / (s + 1)})
		first *= eta
	}
	return all
}

func power(base, exponent int) int {
	n := 1
	for range exponent {
		n *= base
	}
	return n
}

// maxDeal bounds one round of Hyperband. A longer one, of a study of more than
// 10,000 epochs, repeats its beginning.
const maxDeal = 100_000

// deal is which bracket each configuration of one round goes to: always the one
// that is furthest behind its share, so that any number of configurations is in
// about the right proportion.
func deal(brackets []Bracket) []int {
	total := 0
	for _, b := range brackets {
		total += b.Configurations
	}
	given := make([]int, len(brackets))
	order := make([]int, 0, min(total, maxDeal))
	for c := range min(total, maxDeal) {
		next, furthest := 0, math.MinInt
		for i, b := range brackets {
			if behind := (c+1)*b.Configurations - given[i]*total; behind > furthest {
				next, furthest = i, behind
			}
		}
		given[next]++
		order = append(order, next)
	}
	return order
}

// Brackets lists the brackets. The caller must not change it.
func (p *Pruner) Brackets() []Bracket { return p.brackets }

// Bracket is the index into Brackets of a configuration's own.
func (p *Pruner) Bracket(configuration int) int { return p.deal[configuration%len(p.deal)] }

// Peers reports whether two configurations are judged against each other.
func (p *Pruner) Peers(a, b int) bool { return p.Bracket(a) == p.Bracket(b) }

// Rungs lists the epochs, ascending and below maxEpochs, after which a
// configuration that trains maxEpochs is judged. There may be none.
func (p *Pruner) Rungs(configuration, maxEpochs int) []int {
	var all []int
	for k := 0; ; k++ {
		epochs := p.epochs(configuration, k)
		if epochs >= maxEpochs {
			return all
		}
		all = append(all, epochs)
	}
}

// epochs is where rung k of a configuration lies. A number too large for an int
// is the largest one.
func (p *Pruner) epochs(configuration, k int) int {
	first := p.brackets[p.Bracket(configuration)].MinEpochs
	if p.options.Type == spec.Median {
		return first + k*p.options.Every
	}
	for range k {
		if first > math.MaxInt/p.options.Eta {
			return math.MaxInt
		}
		first *= p.options.Eta
	}
	return first
}
