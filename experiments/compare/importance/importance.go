// Package importance says how much each parameter of a sweep mattered: functional
// analysis of variance of a random forest (Hutter, Hoos, Leyton-Brown, An
// Efficient Approach for Assessing Hyperparameter Importance, ICML 2014).
//
// A forest of regression trees is fitted to what the configurations came to. A
// tree is constant on boxes, so that the mean of it over all parameters but some
// is a sum over its leaves, and the variance of the tree over the whole space
// falls into the part of each parameter alone, that of each pair beyond its two,
// and the rest. Shares of that variance, mean over the trees, are the importances.
package importance

import (
	"fmt"
	"slices"
	"strings"

	"flowbench/data/parallel"
)

// Observation is a configuration and what it came to. A parameter that a
// configuration has not is not in Params. Values are texts, numbers, truth
// values and lists, as spec.Param has them.
type Observation struct {
	Params map[string]any
	Value  float64 // finite
}

// Measure is how the values of a parameter lie in the space that is searched.
type Measure int

const (
	// Listed gives every value that was seen the same weight, whatever lies
	// between. It suits lists, and numbers drawn from what is not known.
	Listed Measure = iota
	Linear         // uniform from the least to the largest that was seen
	Log            // uniform in the logarithm; Linear where a value is not above 0
)

const (
	// Method names what the shares are.
	Method = "functional ANOVA of a random forest (Hutter et al. 2014)"
	// trees is how many the forest has: optuna 4's number. From seed to seed the
	// shares of the additive function in the tests then move by less than 0.01.
	trees = 64
	// A verdict needs fewest distinct configurations, of which the forest foretells
	// least of the differences between those that were held back. Where no parameter
	// matters, of six, 4 in 100 sets of 10 values pass and 1 in 100 of 40; where two
	// do, half of those of 10 and nearly all of 15.
	fewest = 10
	least  = 0.2
	// pairsListed is how many pairs are listed; the others are in Rest.
	pairsListed = 5
)

// Share is the part of the variance that parameters have, and how it is spread
// over the trees.
type Share struct {
	Parameters []string `json:"parameters"` // one, or the two of an interaction
	Share      float64  `json:"share"`      // mean over trees
	Low        float64  `json:"low"`        // the 5th percentile of the trees
	High       float64  `json:"high"`       // the 95th
}

// Importance is how much each parameter mattered.
type Importance struct {
	Method string `json:"method"`
	// Reason is why there are no shares: too few configurations, no differences
	// between them, or none that the parameters explain. Empty where there are.
	Reason string `json:"reason,omitempty"`
	// Parameters has every parameter that varies, the largest share first.
	Parameters []Share `json:"parameters"`
	// Pairs has the largest interactions: what two parameters do together beyond
	// what each does alone.
	Pairs []Share `json:"pairs"`
	// Rest is the share of all that is not in Parameters and Pairs.
	Rest float64 `json:"rest"`
	// Explained is the share of the variance between configurations that trees
	// foretell of those that they were not fitted to (the out-of-bag R², below 0
	// where they do worse than the mean).
	Explained      float64 `json:"explained"`
	Configurations int     `json:"configurations"` // distinct ones
	Trees          int     `json:"trees"`
}

// Of computes the importance of every parameter in which the observations
// differ. measures says how the values of a parameter lie; those it has not are
// Listed. A parameter that only some configurations have is cut only where all
// have it, so that what its parent does is the parent's. The same arguments give
// the same answer, on any number of threads. The cost is that of a histogram of
// all observations a parameter, a level of depth and a tree, 0.3 s for 5,000
// observations of six parameters on two cores.
func Of(observations []Observation, measures map[string]Measure, seed uint64) *Importance {
	s := newSpace(observations, measures)
	out := &Importance{Method: Method, Configurations: s.distinct, Trees: trees, Parameters: []Share{}, Pairs: []Share{}}
	switch {
	case len(s.axes) == 0:
		out.Reason = "the configurations differ in no parameter"
		return out
	case s.distinct < fewest:
		out.Reason = fmt.Sprintf("%d configurations cannot tell which parameter matters: at least %d are needed", s.distinct, fewest)
		return out
	case slices.Min(s.values) == slices.Max(s.values):
		out.Reason = "all configurations came to the same"
		return out
	}
	grown := make([]tree, trees)
	parallel.Each(trees, func(i int) { grown[i] = grow(s, seed, uint64(i)) })
	out.Explained = explained(s, grown)
	if !(out.Explained >= least) {
		out.Reason = fmt.Sprintf("which parameter matters cannot be told from %d configurations: their parameters foretell %.0f %% of the differences between those that were held back, less than %.0f %%",
			s.distinct, 100*max(out.Explained, 0), 100*least)
		return out
	}
	out.share(s, grown)
	return out
}

// share decomposes every tree and sums up.
func (out *Importance) share(s *space, grown []tree) {
	parts := make([]variance, len(grown))
	parallel.Each(len(grown), func(i int) { parts[i] = decompose(s, grown[i].leaves) })
	parts = slices.DeleteFunc(parts, func(v variance) bool { return v.total == 0 })
	if len(parts) == 0 {
		out.Reason = "no tree of the forest found a parameter to cut"
		return
	}
	of := func(value func(variance) float64, axes ...int) Share {
		shares := make([]float64, len(parts))
		mean := 0.0
		for i, v := range parts {
			shares[i] = value(v) / v.total
			mean += shares[i] / float64(len(parts))
		}
		slices.Sort(shares)
		last := float64(len(shares) - 1)
		share := Share{Share: mean, Low: shares[int(0.05*last)], High: shares[int(0.95*last+0.5)]}
		for _, j := range axes {
			share.Parameters = append(share.Parameters, s.axes[j].name)
		}
		return share
	}
	out.Rest = 1
	for j := range s.axes {
		out.Parameters = append(out.Parameters, of(func(v variance) float64 { return v.alone[j] }, j))
		out.Rest -= out.Parameters[j].Share
		for k := range j {
			out.Pairs = append(out.Pairs, of(func(v variance) float64 { return v.pair(k, j) }, k, j))
		}
	}
	falling(out.Parameters)
	falling(out.Pairs)
	out.Pairs = out.Pairs[:min(pairsListed, len(out.Pairs))]
	for _, p := range out.Pairs {
		out.Rest -= p.Share
	}
	out.Rest = max(out.Rest, 0) // rounding
}

// falling sorts by share; equal ones stay in the order of names.
func falling(shares []Share) {
	slices.SortStableFunc(shares, func(a, b Share) int {
		switch {
		case a.Share > b.Share:
			return -1
		case a.Share < b.Share:
			return 1
		}
		return strings.Compare(strings.Join(a.Parameters, " "), strings.Join(b.Parameters, " "))
	})
}
