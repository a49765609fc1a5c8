package synth

import (
	"math"
	"math/rand/v2"
	"slices"
)

// scores is the independent normal scores behind a draw, one a varying column.
type scores [columnCount]float64

// pick chooses a cluster with the frequencies of a mix.
func (c *class) pick(mix int, rng *rand.Rand) *cluster {
	running := c.mixes[mix]
	i, _ := slices.BinarySearch(running, 1+rng.IntN(running[len(running)-1]))
	return c.clusters[i]
}

// fresh draws independent scores.
func (c *cluster) fresh(rng *rand.Rand) scores {
	var s scores
	for i := range c.varying {
		s[i] = rng.NormFloat64()
	}
	return s
}

// near moves scores to ones that correlate with them by r and have the same distribution.
func (c *cluster) near(s scores, r float64, rng *rand.Rand) scores {
	rest := math.Sqrt(1 - float64(r*r))
	for i := range c.varying {
		s[i] = float64(r*s[i]) + float64(rest*rng.NormFloat64())
	}
	return s
}

// values correlates the scores and looks them up.
func (c *cluster) values(s *scores) values {
	v := c.constant
	row := c.root
	for i, column := range c.varying {
		z := 0.0
		for j, r := range row[:i+1] {
			z += float64(r * s[j])
		}
		row = row[i+1:]
		v[column] = c.marginals[i].value(z)
	}
	return v
}

// infiltrationPort is the destination of every Infiltration and Heartbleed flow,
// and of no other in the real samples.
const infiltrationPort = 444

// port draws a destination port. A class that has infiltrationPort for a common
// port keeps it; no other class gets it.
func (p *ports) port(rng *rand.Rand) int {
	at := rng.IntN(1000)
	for i, limit := range p.perMille {
		if at < limit {
			return p.at[i]
		}
	}
	if len(p.at) > 0 && p.perMille[len(p.at)-1] > 990 { // shares are rounded: there may be no others
		return p.at[len(p.at)-1]
	}
	port := p.others[0] + rng.IntN(p.others[1]-p.others[0]+1)
	if port == infiltrationPort {
		return infiltrationPort - 1
	}
	return port
}
