package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/reg"
)

// activations writes the activation functions and their gradients. All report
// whether a result is not finite.
func (s isa) activations() {
	s.activation("relu", func(z VecVirtual) VecVirtual { return s.most(s.nought(), z) })
	s.activation("leakyReLU", func(z VecVirtual) VecVirtual { return s.most(s.mul(z, number(0.01)), z) })
	s.activation("gelu", s.gelu)
	s.activation("tanh", s.tanh)
	s.activation("sigmoid", s.sigmoid)

	s.gradient("leakyReLU", "y", func(g, y VecVirtual) VecVirtual {
		positive := s.compare(notLessOrEqual, y, s.nought())
		return s.choose(positive, g, s.mul(g, number(0.01)))
	})
	s.gradient("gelu", "z", func(g, z VecVirtual) VecVirtual { return s.mul(g, s.geluSlope(z)) })
	s.scaledGradient("tanh", func(g, f VecVirtual) VecVirtual {
		return s.mul(g, s.sub(s.spread(number(1)), s.mul(f, f)))
	})
	s.scaledGradient("sigmoid", func(g, f VecVirtual) VecVirtual {
		return s.mul(g, s.mul(f, s.sub(s.spread(number(1)), f)))
	})
}

// activation is y = f(z); y and z may be the same.
func (s isa) activation(name string, f func(z VecVirtual) VecVirtual) {
	s.function(name, "y, z *float32, n int) uint32",
		name+s.suffix+" is the activation of that name; it is not 0 where a y is not finite.")
	y, z := argument("y"), argument("z")
	nought, health := s.nought(), s.nought()
	s.over(func(r run) {
		v := f(r.load(z))
		VFMADD231PS(nought, v, health)
		r.store(v, y)
	})
	s.reportHealth(health)
}

// gradient is dy = f(dy, of), of being y or z.
func (s isa) gradient(name, of string, f func(g, of VecVirtual) VecVirtual) {
	s.function(name+"Grad", "dy, "+of+" *float32, n int) uint32",
		name+"Grad"+s.suffix+" is the activation's gradient; it is not 0 where a result is not finite.")
	dy, from := argument("dy"), argument(of)
	nought, health := s.nought(), s.nought()
	s.over(func(r run) {
		v := f(r.load(dy), r.load(from))
		VFMADD231PS(nought, v, health)
		r.store(v, dy)
	})
	s.reportHealth(health)
}

// scaledGradient is gradient for an f of y·keep.
func (s isa) scaledGradient(name string, f func(g, y VecVirtual) VecVirtual) {
	s.function(name+"Grad", "dy, y *float32, keep float32, n int) uint32",
		name+"Grad"+s.suffix+" is the activation's gradient from y = activation/keep; it is not 0 where a result is not finite.")
	dy, y := argument("dy"), argument("y")
	nought, health, keep := s.nought(), s.nought(), s.broadcast("keep")
	s.over(func(r run) {
		v := f(r.load(dy), s.mul(r.load(y), keep))
		VFMADD231PS(nought, v, health)
		r.store(v, dy)
	})
	s.reportHealth(health)
}

// gelu is z·Φ(z).
func (s isa) gelu(z VecVirtual) VecVirtual {
	bell, factor := s.normalTail(s.abs(z))
	return s.mul(z, s.mirrored(z, s.mul(bell, factor)))
}

// mirrored is tail for z < 0 and 1-tail elsewhere.
func (s isa) mirrored(z, tail VecVirtual) VecVirtual {
	return s.choose(s.negative(z), tail, s.sub(s.spread(number(1)), tail))
}

// geluSlope is Φ(z) + z·φ(z).
func (s isa) geluSlope(z VecVirtual) VecVirtual {
	a := s.abs(z)
	bell, factor := s.normalTail(a)
	return s.mirrored(z, s.mul(bell, s.fma(a, number(-0.398942280), factor)))
}

// tanh is x + x³·P(x²) near zero and (1-e)/(1+e) with e = e^(-2|x|) beyond.
func (s isa) tanh(x VecVirtual) VecVirtual {
	const near = 0.625
	a, z := s.abs(x), s.mul(x, x)
	p := s.polynomial(z, -0.00570499245, 0.0206390936, -0.0537397191, 0.133314416, -0.333332807)
	low := s.fma(s.mul(z, p), x, x)
	e := s.exp(s.mul(a, number(-2)))
	one := s.spread(number(1))
	high := s.or(s.div(s.sub(one, e), s.plus(e, one)), s.sign(x))
	return s.choose(s.compare(notLess, a, number(near)), high, low)
}

// sigmoid is 1/(1+e⁻ˣ), by e^-|x| so that it keeps its digits below zero.
func (s isa) sigmoid(x VecVirtual) VecVirtual {
	e := s.exp(s.neg(s.abs(x)))
	r := s.div(s.spread(number(1)), s.plus(e, number(1)))
	return s.choose(s.negative(x), s.mul(e, r), r)
}
