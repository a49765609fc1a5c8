package search

import (
	"math"
	"slices"
	"strings"

	"flowbench/experiments/spec"
)

// parzen is a density over the values of one parameter, estimated from values
// that configurations had: Bergstra et al. 2011, section 4.
type parzen interface {
	// draw is a value for two words of random bits.
	draw(component, within uint64) any
	// logDensity is the logarithm of the density, or of the probability, at v.
	logDensity(v any) float64
}

func newParzen(p spec.Parameter, seen []any) parzen {
	if p.Distribution == "" {
		return newCategorical(p.Values, seen)
	}
	return newMixture(p, seen)
}

// categorical gives value i a probability in proportion to 1 + the number of
// times that it was seen.
type categorical struct {
	values  []any
	weights []float64 // sum to 1
}

func newCategorical(values, seen []any) *categorical {
	c := &categorical{values: values, weights: make([]float64, len(values))}
	for i := range c.weights {
		c.weights[i] = 1
	}
	for _, v := range seen {
		if i := c.index(v); i >= 0 {
			c.weights[i]++
		}
	}
	total := sum(c.weights)
	for i := range c.weights {
		c.weights[i] /= total
	}
	return c
}

func (c *categorical) index(v any) int {
	return slices.IndexFunc(c.values, func(other any) bool { return spec.Same(other, v) })
}

func (c *categorical) draw(component, _ uint64) any {
	return c.values[weighted(c.weights, unit(component))]
}

func (c *categorical) logDensity(v any) float64 { return math.Log(c.weights[c.index(v)]) }

// mixture is a mixture of equally weighted normal distributions, cut off at the
// ends of the range, over coordinates in which the parameter's prior is uniform
// on [0, 1]: one around each value seen, and the prior's own, which is centred
// and as wide as the range. Values on steps have the probability of the
// interval around them.
type mixture struct {
	p            spec.Parameter
	step         float64
	means, sigma []float64
	mass         []float64 // of each component within the range
}

func newMixture(p spec.Parameter, seen []any) *mixture {
	m := &mixture{p: p, step: stepOf(p)}
	m.means = append(m.means, 0.5)
	for _, v := range seen {
		if n, ok := numberOf(v); ok && n >= p.Min && n <= p.Max {
			m.means = append(m.means, m.coordinate(n))
		}
	}
	m.spread()
	for i := range m.means {
		m.mass = append(m.mass, normalBetween(0, 1, m.means[i], m.sigma[i]))
	}
	return m
}

// maxNarrow bounds how narrow a component becomes: 1/100 of the range, as in
// hyperopt and Optuna.
const maxNarrow = 100

// spread gives each component the larger distance to its neighbours as standard
// deviation, limited to [1/min(100, 1+n), 1], and the prior's own that of 1.
func (m *mixture) spread() {
	n := len(m.means)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case m.means[a] < m.means[b]:
			return -1
		case m.means[a] > m.means[b]:
			return 1
		}
		return 0
	})
	narrow := 1 / min(maxNarrow, 1+float64(n))
	m.sigma = make([]float64, n)
	for k, i := range order {
		wide := 0.0
		if k > 0 {
			wide = m.means[i] - m.means[order[k-1]]
		}
		if k < n-1 {
			wide = max(wide, m.means[order[k+1]]-m.means[i])
		}
		m.sigma[i] = min(max(wide, narrow), 1)
	}
	m.sigma[0] = 1
}

// ends are the ends of the range on the scale on which the prior is uniform.
// Values on steps reach half a step beyond theirs.
func (m *mixture) ends() (low, high float64) {
	low, high = m.p.Min-m.step/2, m.p.Max+m.step/2
	if m.step > 0 {
		high = m.p.Min + (places(m.p, m.step)-0.5)*m.step
	}
	if m.logarithmic() {
		low = max(low, m.p.Min/2) // half a step below may be 0
		return math.Log(low), math.Log(high)
	}
	return low, high
}

func (m *mixture) logarithmic() bool { return strings.HasSuffix(m.p.Distribution, "log_uniform") }

func (m *mixture) coordinate(v float64) float64 {
	low, high := m.ends()
	if m.logarithmic() {
		v = math.Log(max(v, math.Exp(low)))
	}
	return min(max((v-low)/(high-low), 0), 1)
}

// value is the parameter's value at a coordinate.
func (m *mixture) value(x float64) float64 {
	low, high := m.ends()
	v := low + x*(high-low)
	if m.logarithmic() {
		v = math.Exp(v)
	}
	if m.step > 0 {
		return onStep(m.p, m.step, math.Round((v-m.p.Min)/m.step))
	}
	return within(m.p, round(v, drawnDigits))
}

func (m *mixture) draw(component, inside uint64) any {
	i := below(component, len(m.means))
	lower := normalCDF((0 - m.means[i]) / m.sigma[i])
	q := lower + unit(inside)*m.mass[i]
	x := m.means[i] + m.sigma[i]*math.Sqrt2*math.Erfinv(2*q-1)
	return typed(m.p, m.value(min(max(x, 0), 1)))
}

func (m *mixture) logDensity(v any) float64 {
	n, _ := numberOf(v)
	x := m.coordinate(n)
	lower, upper := x, x
	if m.step > 0 {
		lower, upper = m.coordinate(n-m.step/2), m.coordinate(n+m.step/2)
	}
	total := 0.0
	for i := range m.means {
		if m.step > 0 {
			total += normalBetween(lower, upper, m.means[i], m.sigma[i]) / m.mass[i]
			continue
		}
		z := (x - m.means[i]) / m.sigma[i]
		total += math.Exp(-z*z/2) / (m.sigma[i] * math.Sqrt(2*math.Pi)) / m.mass[i]
	}
	return math.Log(max(total/float64(len(m.means)), math.SmallestNonzeroFloat64))
}

func normalCDF(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

func normalBetween(lower, upper, mean, sigma float64) float64 {
	return normalCDF((upper-mean)/sigma) - normalCDF((lower-mean)/sigma)
}

// numberOf is a Param's number, whichever type it came in.
func numberOf(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	}
	return 0, false
}

// weighted is the index of the weight, of weights that sum to 1, into which u in
// [0, 1) falls.
func weighted(weights []float64, u float64) int {
	for i, w := range weights {
		if u -= w; u < 0 {
			return i
		}
	}
	return len(weights) - 1
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}
