package main

import . "github.com/mmcloughlin/avo/reg"

// The functions of one number that activations, losses and noise are made of,
// each with the largest error seen over all float32 of its range. Polynomials
// are minimax ones (Remez), rounded to float32. The tests of package cpu hold
// twins of them in Go.

// exp is eˣ for x <= 0 to 1.1 units in the last place, denormals included: with
// n = round(x·log₂e) it is 2ⁿ·e^(x-n·ln 2), 2ⁿ applied in two halves because it
// may lie below the exponents of float32. Below -104 it is 0; NaN stays NaN.
func (s isa) exp(x VecVirtual) VecVirtual {
	x = s.most(s.spread(number(-104)), x)
	n := s.toInt(s.mul(x, number(1.44269504)))
	f := s.toFloat(n)
	r := s.fma(f, number(-0.693359375), x)
	r = s.fma(f, number(2.12194440e-4), r)
	p := s.polynomial(r, 0.00138146267, 0.00836871006, 0.0416683853, 0.166665211, 0.49999994)
	p = s.fma(s.mul(r, r), p, r)
	p = s.plus(p, number(1))
	half := s.shiftSigned(n, 1)
	return s.mul(s.mul(p, s.power(half)), s.power(s.subInt(n, half)))
}

// power is 2ⁿ for an integer n of -126 to 127.
func (s isa) power(n VecVirtual) VecVirtual {
	return s.shiftLeft(s.addInt(n, word(127)), 23)
}

// log1p is log(1+u) for u in [0, 1] to 1.9 units in the last place: 2·atanh(s)
// with s = u/(2+u).
func (s isa) log1p(u VecVirtual) VecVirtual {
	q := s.div(u, s.plus(u, number(2)))
	return s.atanh2(q, 0.243009493, 0.214276537, 0.286168844, 0.39998877, 0.666666746)
}

// atanh2 is 2·atanh(q), of which the coefficients are those of q², q⁴, ...
func (s isa) atanh2(q VecVirtual, coefficients ...float32) VecVirtual {
	z := s.mul(q, q)
	p := s.mul(s.polynomial(z, coefficients...), z)
	return s.fma(q, p, s.plus(q, q))
}

// log is the natural logarithm of a normal number in (0, 1] to 1.7 units in the
// last place: 2·atanh((f-1)/(f+1)) + k·ln 2 for the number f·2ᵏ, f in [√½, √2).
func (s isa) log(u VecVirtual) VecVirtual {
	const rootHalf = 0x3F3504F3
	k := s.shiftSigned(s.subInt(u, word(rootHalf)), 23)
	f := s.subInt(u, s.shiftLeft(k, 23))
	q := s.div(s.sub(f, number(1)), s.plus(f, number(1)))
	l := s.atanh2(q, 0.29871732, 0.399775416, 0.666667759)
	n := s.toFloat(k)
	l = s.fma(n, number(-2.12194440e-4), l)
	return s.fma(n, number(0.693359375), l)
}

// turns is the cosine and the sine of 2π·t for t in [0, 1), of at most 24 bits, to
// 1.4·2⁻²⁴: the nearest quarter turn is taken off exactly.
func (s isa) turns(t VecVirtual) (cos, sin VecVirtual) {
	quarters := s.mul(t, number(4))
	q := s.toInt(quarters)
	r := s.sub(quarters, s.toFloat(q))
	z := s.mul(r, r)
	sine := s.mul(s.polynomial(z, -0.00460165786, 0.079680033, -0.64596349, 1.57079637), r)
	cosine := s.polynomial(z, 0.000903766544, -0.0208601654, 0.253669232, -1.23370051, 1)
	odd := s.isOdd(q)
	cos, sin = s.choose(odd, sine, cosine), s.choose(odd, cosine, sine)
	// The cosine is negative in quarters 1 and 2, the sine in 2 and 3.
	cos = s.xor(cos, s.sign(s.shiftLeft(s.addInt(q, word(1)), 30)))
	return cos, s.xor(sin, s.sign(s.shiftLeft(q, 30)))
}

func (s isa) isOdd(q VecVirtual) condition { return s.negative(s.shiftLeft(q, 31)) }

// normalTail is e^(-a²/2) and, as a factor of it, Φ(-a)·e^(a²/2) for a >= 0: a polynomial in t = 1/(1+0.3a), and a² in two
// parts, since its rounding alone would cost 40 units at a = 13.
func (s isa) normalTail(a VecVirtual) (bell, factor VecVirtual) {
	a = s.least(s.spread(number(20)), a) // the bell is 0 from 14.5 on
	square := s.mul(a, a)
	lost := s.fma(a, a, s.neg(square))
	bell = s.exp(s.mul(square, number(-0.5)))
	bell = s.fma(s.mul(lost, number(-0.5)), bell, bell)
	t := s.div(s.spread(number(1)), s.fma(a, number(0.3), s.spread(number(1))))
	factor = s.mul(s.polynomial(t, tailCoefficients...), t)
	return bell, factor
}

var tailCoefficients = []float32{-0.0206127055, 0.112375103, -0.228065938, 0.19157964, -0.079245694,
	0.0960569829, 0.0784258619, 0.110227272, 0.119572856, 0.119686641}
