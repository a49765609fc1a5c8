package cpu

import (
	"math"

	"flowbench/kernels"
)

// update is kernels.Update. Adam and AdamW step by
// rate/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + ε); both corrections are computed in float64
// and rounded once.
type update struct {
	kernels.Update
	params, grads, m1, m2 [][]float32
	cells                 []span
	elements              int
	rate, correction      float32 // of this step: rate/(1-β₁ᵗ), 1/√(1-β₂ᵗ)
}

// span is a run of elements of parameter i.
type span struct{ i, from, to int }

// updateSpan is the cell of an Update.
const updateSpan = 4096

func (c *compiler) update(in kernels.Update) *update {
	u := &update{
		Update: in,
		params: c.vectors(in.Params), grads: c.vectors(in.Grads),
		m1: c.vectors(in.M1), m2: c.vectors(in.M2),
	}
	for i, p := range u.params {
		for from := 0; from < len(p); from += updateSpan {
			u.cells = append(u.cells, span{i, from, min(from+updateSpan, len(p))})
		}
		u.elements += len(p)
	}
	return u
}

func (u *update) run(s *step) {
	t := float64(s.number)
	u.rate = float32(float64(s.rate) / (1 - math.Pow(float64(u.Beta1), t)))
	u.correction = float32(1 / math.Sqrt(1-math.Pow(float64(u.Beta2), t)))
	const cost = 16 // a division and a root cost about as much as so many multiply-adds
	s.pool.run(s, u, len(u.cells), u.elements*cost)
}

func (u *update) cell(s *step, _ *worker, index int) {
	c := u.cells[index]
	p := u.params[c.i][c.from:c.to]
	g := u.grads[c.i][c.from:c.to]
	decay := float32(0)
	if u.Decay != nil && u.Decay[c.i] {
		decay = u.WeightDecay
	}
	ok := false
	switch {
	case u.Kind != kernels.SGD:
		if u.Kind == kernels.AdamW {
			shrink(p, float32(s.rate*decay))
			decay = 0
		}
		ok = u.adam(s.level, p, g, u.m1[c.i][c.from:c.to], u.m2[c.i][c.from:c.to], decay)
	case u.Momentum != 0:
		ok = s.level.momentum(p, g, u.m1[c.i][c.from:c.to], u.Momentum, s.rate, decay)
	default:
		ok = s.level.descend(p, g, s.rate, decay)
	}
	if !ok {
		s.health.fail()
	}
}

// shrink is AdamW's decay: p -= by·p.
func shrink(p []float32, by float32) {
	if by == 0 {
		return
	}
	for i := range p {
		p[i] -= float32(by * p[i])
	}
}

// adam updates p, m and v and says whether all are finite.
func (u *update) adam(l level, p, g, m, v []float32, decay float32) bool {
	n := len(p)
	g, m, v = g[:n], m[:n], v[:n]
	switch l {
	case avx512:
		return adamAVX512(&p[0], &g[0], &m[0], &v[0], decay, u.Beta1, 1-u.Beta1, u.Beta2, 1-u.Beta2, u.rate, u.correction, u.Epsilon, n) == 0
	case avx2:
		return adamAVX2(&p[0], &g[0], &m[0], &v[0], decay, u.Beta1, 1-u.Beta1, u.Beta2, 1-u.Beta2, u.rate, u.correction, u.Epsilon, n) == 0
	}
	plainAdam(p, g, m, v, decay, u.Beta1, 1-u.Beta1, u.Beta2, 1-u.Beta2, u.rate, u.correction, u.Epsilon)
	return finite(p) && finite(m) && finite(v)
}

func plainAdam(p, g, m, v []float32, decay, beta1, rest1, beta2, rest2, rate, correction, epsilon float32) {
	n := len(p)
	g, m, v = g[:n], m[:n], v[:n]
	for i := range p {
		d := g[i] + float32(decay*p[i])
		m[i] = float32(beta1*m[i]) + float32(rest1*d)
		v[i] = float32(beta2*v[i]) + float32(float32(rest2*d)*d)
		root := float32(math.Sqrt(float64(v[i])))
		p[i] -= float32(rate*m[i]) / (float32(root*correction) + epsilon)
	}
}

// momentum is v = by·v + (g + decay·p), p -= rate·v, and whether both are finite.
func (l level) momentum(p, g, v []float32, by, rate, decay float32) bool {
	n := len(p)
	switch g, v = g[:n], v[:n]; l {
	case avx512:
		return momentumAVX512(&p[0], &g[0], &v[0], by, rate, decay, n) == 0
	case avx2:
		return momentumAVX2(&p[0], &g[0], &v[0], by, rate, decay, n) == 0
	}
	plainMomentum(p, g, v, by, rate, decay)
	return finite(p) && finite(v)
}

func plainMomentum(p, g, v []float32, by, rate, decay float32) {
	for i := range p {
		v[i] = float32(by*v[i]) + (g[i] + float32(decay*p[i]))
		p[i] -= float32(rate * v[i])
	}
}

// descend is p -= rate·(g + decay·p), and whether p is finite.
func (l level) descend(p, g []float32, rate, decay float32) bool {
	switch g = g[:len(p)]; l {
	case avx512:
		return descendAVX512(&p[0], &g[0], rate, decay, len(p)) == 0
	case avx2:
		return descendAVX2(&p[0], &g[0], rate, decay, len(p)) == 0
	}
	plainDescend(p, g, rate, decay)
	return finite(p)
}

func plainDescend(p, g []float32, rate, decay float32) {
	for i := range p {
		p[i] -= float32(rate * (g[i] + float32(decay*p[i])))
	}
}
