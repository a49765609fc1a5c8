package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// elements writes the routines that treat the elements of runs alike.
func (s isa) elements() {
	s.finite()
	s.add()
	s.reluGrad()
	s.adam()
	s.descend()
	s.momentum()
	s.scale()
	s.prefetch()
}

// broadcast loads an argument that is a float32 into every lane.
func (s isa) broadcast(name string) VecVirtual {
	v := s.vector()
	VBROADCASTSS(address(name), v)
	return v
}

func (s isa) nought() VecVirtual {
	v := s.vector()
	s.zero(v)
	return v
}

func (s isa) finite() {
	s.function("finite", "v *float32, n int) uint32", "finite"+s.suffix+" is 0 where finite is true.")
	v := argument("v")
	nought, health := s.nought(), s.nought()
	s.over(func(r run) { VFMADD231PS(nought, r.load(v), health) })
	s.reportHealth(health)
}

func (s isa) add() {
	s.function("add", "a, b *float32, n int)", "add"+s.suffix+" is add.")
	a, b := argument("a"), argument("b")
	s.over(func(r run) {
		sum := r.load(a)
		VADDPS(r.load(b), sum, sum)
		r.store(sum, a)
	})
	s.end()
}

func (s isa) reluGrad() {
	s.function("reluGrad", "dy, y *float32, scale float32, n int) uint32",
		"reluGrad"+s.suffix+" is plainReLUGrad; it is not 0 where a result is not finite.")
	dy, y := argument("dy"), argument("y")
	nought, scale, health := s.nought(), s.broadcast("scale"), s.nought()
	s.over(func(r run) {
		v, g := r.load(y), r.load(dy)
		VMULPS(scale, g, g)
		g = s.keep(s.compare(notLessOrEqual, v, nought), g)
		VFMADD231PS(nought, g, health)
		r.store(g, dy)
	})
	s.reportHealth(health)
}

func (s isa) adam() {
	s.function("adam", "p, grad, m, v *float32, decay, beta1, rest1, beta2, rest2, rate, correction, epsilon float32, n int) uint32",
		"adam"+s.suffix+" is plainAdam; it is not 0 where a parameter or a moment is not finite.")
	p, g, m, v := argument("p"), argument("grad"), argument("m"), argument("v")
	decay, beta1, rest1 := s.broadcast("decay"), s.broadcast("beta1"), s.broadcast("rest1")
	beta2, rest2 := s.broadcast("beta2"), s.broadcast("rest2")
	rate, correction, epsilon := s.broadcast("rate"), s.broadcast("correction"), s.broadcast("epsilon")
	health := s.nought()
	s.over(func(r run) {
		x, d, first, second := r.load(p), r.load(g), r.load(m), r.load(v)
		product := s.vector()
		VMULPS(decay, x, product)
		VADDPS(product, d, d)
		VMULPS(beta1, first, first)
		VMULPS(rest1, d, product)
		VADDPS(product, first, first)
		r.store(first, m)
		VMULPS(rest2, d, product)
		VMULPS(product, d, product)
		VMULPS(beta2, second, second)
		VADDPS(product, second, second)
		r.store(second, v)
		s.addHealth(r, second, health) // an infinite one leaves the parameter finite
		VSQRTPS(second, second)
		VMULPS(correction, second, second)
		VADDPS(epsilon, second, second)
		VMULPS(rate, first, first)
		VDIVPS(second, first, first)
		VSUBPS(first, x, x)
		s.addHealth(r, x, health)
		r.store(x, p)
	})
	s.reportHealth(health)
}

// descend is p -= rate·(grad + decay·p).
func (s isa) descend() {
	s.function("descend", "p, grad *float32, rate, decay float32, n int) uint32",
		"descend"+s.suffix+" is plainDescend; it is not 0 where a parameter is not finite.")
	p, g := argument("p"), argument("grad")
	rate, decay, health := s.broadcast("rate"), s.broadcast("decay"), s.nought()
	s.over(func(r run) {
		x := r.load(p)
		x = s.sub(x, s.mul(s.plus(r.load(g), s.mul(x, decay)), rate))
		s.addHealth(r, x, health)
		r.store(x, p)
	})
	s.reportHealth(health)
}

// momentum is v = by·v + (grad + decay·p), p -= rate·v.
func (s isa) momentum() {
	s.function("momentum", "p, grad, v *float32, by, rate, decay float32, n int) uint32",
		"momentum"+s.suffix+" is plainMomentum; it is not 0 where a parameter or v is not finite.")
	p, g, v := argument("p"), argument("grad"), argument("v")
	by, rate, decay, health := s.broadcast("by"), s.broadcast("rate"), s.broadcast("decay"), s.nought()
	s.over(func(r run) {
		x := r.load(p)
		moved := s.plus(s.mul(r.load(v), by), s.plus(r.load(g), s.mul(x, decay)))
		r.store(moved, v)
		s.addHealth(r, moved, health)
		x = s.sub(x, s.mul(moved, rate))
		s.addHealth(r, x, health)
		r.store(x, p)
	})
	s.reportHealth(health)
}

// scale is v·by.
func (s isa) scale() {
	s.function("scale", "v *float32, by float32, n int)", "scale"+s.suffix+" is plainScale.")
	v, by := argument("v"), s.broadcast("by")
	s.over(func(r run) { r.store(s.mul(r.load(v), by), v) })
	s.end()
}

// prefetch asks for the cache lines of rows of a matrix.
func (s isa) prefetch() {
	s.function("prefetch", "x *float32, rows *int32, n, cols int)",
		"prefetch"+s.suffix+" asks for n rows of x, cols float32 each, which are about to be read.")
	x, rows, n := argument("x"), argument("rows"), argument("n")
	bytes := scaled("cols")
	Label("row")
	at, end := GP64(), GP64()
	MOVLQSX(Mem{Base: rows}, at)
	IMULQ(bytes, at)
	ADDQ(x, at)
	LEAQ(indexed(at, bytes, 1, -1), end)
	Label("line")
	PREFETCHT1(Mem{Base: at})
	ADDQ(Imm(64), at)
	CMPQ(at, end)
	JLE(LabelRef("line"))
	PREFETCHT1(Mem{Base: end})
	ADDQ(Imm(4), rows)
	DECQ(n)
	JNZ(LabelRef("row"))
	RET()
}
