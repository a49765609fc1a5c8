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
	s.function("reluGrad", "dy, y *float32, scale float32, n int)", "reluGrad"+s.suffix+" is plainReLUGrad.")
	dy, y := argument("dy"), argument("y")
	nought, scale := s.nought(), s.broadcast("scale")
	s.over(func(r run) {
		v, g := r.load(y), r.load(dy)
		VMULPS(scale, g, g)
		s.keepWhere(g, v, nought)
		r.store(g, dy)
	})
	s.end()
}

// keepWhere clears the lanes of g where v <= limit; a NaN in v keeps its lane.
func (s isa) keepWhere(g, v, limit VecVirtual) {
	const notLessOrEqual = 6 // NLE_US, true for a NaN
	if s.wide {
		k := K()
		VCMPPS(Imm(notLessOrEqual), limit, v, k)
		VMOVUPS_Z(g, k, g)
		return
	}
	keep := s.vector()
	VCMPPS(Imm(notLessOrEqual), limit, v, keep)
	VANDPS(keep, g, g)
}

func (s isa) adam() {
	s.function("adam", "p, grad, m, v *float32, decay, beta1, rest1, beta2, rest2, rate, correction, epsilon float32, n int)",
		"adam"+s.suffix+" is plainAdam.")
	p, g, m, v := argument("p"), argument("grad"), argument("m"), argument("v")
	decay, beta1, rest1 := s.broadcast("decay"), s.broadcast("beta1"), s.broadcast("rest1")
	beta2, rest2 := s.broadcast("beta2"), s.broadcast("rest2")
	rate, correction, epsilon := s.broadcast("rate"), s.broadcast("correction"), s.broadcast("epsilon")
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
		VSQRTPS(second, second)
		VMULPS(correction, second, second)
		VADDPS(epsilon, second, second)
		VMULPS(rate, first, first)
		VDIVPS(second, first, first)
		VSUBPS(first, x, x)
		r.store(x, p)
	})
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
