package pruner

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"flowbench/experiments/spec"
)

// Decision is whether a configuration goes on beyond a rung.
type Decision struct {
	Continue bool
	Reason   string // in words, with the numbers
	// Against lists the peers that it was judged against, by configuration.
	Against []Peer
}

// Peer is the figure of a configuration that another is judged against: for asha
// and hyperband its value at the rung, for median the mean of its values up to
// the rung. NaN where it had none.
type Peer struct {
	Configuration int
	Value         float64
}

// MarshalJSON writes NaN and infinities, which JSON has no words for, as null.
func (p Peer) MarshalJSON() ([]byte, error) {
	v := &p.Value
	if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
		v = nil
	}
	return json.Marshal(struct {
		Configuration int      `json:"configuration"`
		Value         *float64 `json:"value"`
	}{p.Configuration, v})
}

// Decide judges a configuration at a rung. own are its values at rungs 0 to rung,
// and earlier[j] are those of configuration j, for each j below configuration,
// at the rungs that it reached; of these only peers that reached the rung count.
// A value is the mean over the replicates that have one, NaN where none has. An
// infinite value counts as it stands.
//
// A configuration without a value at the rung ends. Otherwise, of the n values at
// the rung, its own among them, it goes on where fewer than max(1, ⌊n/eta⌋) are
// better (asha, and hyperband within a bracket): the stopping variant of ASHA, as
// in Optuna's SuccessiveHalvingPruner. Equal values are not better. By the rule of
// median it ends where the best of its values so far is worse than the median of
// the peers' means up to the rung, if there are options.Startup of them.
//
// It panics where own does not reach from rung 0 to rung.
func (p *Pruner) Decide(configuration, rung int, own []float64, earlier [][]float64) Decision {
	if rung < 0 || len(own) != rung+1 {
		panic("pruner: a configuration's own values do not end at the rung")
	}
	against := p.against(configuration, rung, earlier)
	epochs := p.epochs(configuration, rung)
	if math.IsNaN(own[rung]) {
		return Decision{false, fmt.Sprintf("has no value after %s", count(epochs, "epoch")), against}
	}
	if p.options.Type == spec.Median {
		return p.median(epochs, own, against)
	}
	return p.halving(epochs, own[rung], against)
}

// against gathers the figures of the peers that reached the rung.
func (p *Pruner) against(configuration, rung int, earlier [][]float64) []Peer {
	all := []Peer{}
	for j, values := range earlier[:min(configuration, len(earlier))] {
		if len(values) <= rung || !p.Peers(j, configuration) {
			continue
		}
		peer := Peer{j, values[rung]}
		if p.options.Type == spec.Median {
			peer.Value = mean(values[:rung+1])
		}
		all = append(all, peer)
	}
	return all
}

// halving is the rule of asha.
func (p *Pruner) halving(epochs int, own float64, against []Peer) Decision {
	n := len(against) + 1
	keep := max(1, n/p.options.Eta)
	rank := 1
	values := make([]float64, 0, n)
	for _, peer := range against {
		values = append(values, peer.Value)
		if p.better(peer.Value, own) {
			rank++
		}
	}
	d := Decision{Continue: rank <= keep, Against: against}
	if len(against) == 0 {
		d.Reason = fmt.Sprintf("none before it to be judged against after %s", count(epochs, "epoch"))
		return d
	}
	slices.SortFunc(values, p.order)
	d.Reason = fmt.Sprintf("rank %d of %d after %s, of which %s on: %.4g, where the best before it have %s",
		rank, n, count(epochs, "epoch"), firstGo(keep), own, listed(values[:min(keep, len(values))]))
	return d
}

// median is the rule of Golovin et al. 2017, section 3.2.2.
func (p *Pruner) median(epochs int, own []float64, against []Peer) Decision {
	var means []float64
	for _, peer := range against {
		if !math.IsNaN(peer.Value) {
			means = append(means, peer.Value)
		}
	}
	if len(means) < p.options.Startup {
		return Decision{true, fmt.Sprintf("only %s to be judged against after %s, %d are needed",
			count(len(means), "other"), count(epochs, "epoch"), p.options.Startup), against}
	}
	best := math.NaN()
	for _, v := range own {
		if p.better(v, best) {
			best = v
		}
	}
	slices.Sort(means)
	middle := (means[(len(means)-1)/2] + means[len(means)/2]) / 2
	words := "not worse than"
	if p.better(middle, best) {
		words = "worse than"
	}
	return Decision{!p.better(middle, best), fmt.Sprintf("its best up to epoch %d, %.4g, is %s %.4g, the median of the means of %s",
		epochs, best, words, middle, count(len(means), "other")), against}
}

// better reports whether a is strictly better than b. NaN is worse than any number.
func (p *Pruner) better(a, b float64) bool {
	switch {
	case math.IsNaN(a):
		return false
	case math.IsNaN(b):
		return true
	case p.maximize:
		return a > b
	}
	return a < b
}

// order sorts the best first.
func (p *Pruner) order(a, b float64) int {
	switch {
	case p.better(a, b):
		return -1
	case p.better(b, a):
		return 1
	}
	return 0
}

// mean is that of the values that are no NaN, NaN where there is none.
func mean(values []float64) float64 {
	total, n := 0.0, 0
	for _, v := range values {
		if !math.IsNaN(v) {
			total += v
			n++
		}
	}
	return total / float64(n)
}

// count is a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func firstGo(n int) string {
	if n == 1 {
		return "the first goes"
	}
	return fmt.Sprintf("the first %d go", n)
}

// maxListed is how many figures a reason spells out; Against has them all.
const maxListed = 5

func listed(values []float64) string {
	text := ""
	for i, v := range values {
		switch {
		case i == maxListed:
			return text + ", ..."
		case i > 0:
			text += ", "
		}
		if math.IsNaN(v) {
			text += "none"
			continue
		}
		text += fmt.Sprintf("%.4g", v)
	}
	return text
}
