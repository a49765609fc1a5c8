package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// draws writes the routines that draw random numbers.
func (s isa) draws() {
	s.dropout()
	s.noise()
}

// philox is the state of Philox4x32-10 in several blocks at once, a block in the
// lower half of each 64 bits. Blocks are numbered so that unpacking the words of
// two neighbours, in each 128 bits, leaves the draws of consecutive elements in a
// register: in AVX-512 the blocks are 0 4 1 5 2 6 3 7, in AVX2 0 2 1 3.
type philox struct {
	isa
	draws  Register   // address of draws
	blocks VecVirtual // numbers of the blocks
	odd    Register   // AVX-512: opmask of the odd lanes
}

// Offsets in the words of type draws in package cpu.
const (
	drawsCounter = 0  // block, step, the step's upper half and the purpose, stream
	drawsKeys    = 16 // the two keys of ten rounds
)

func (s isa) philox() philox {
	p := philox{isa: s, draws: argument("from"), blocks: s.vector()}
	VPBROADCASTD(at(p.draws, drawsCounter), p.blocks)
	VPADDD(s.blockOrder(), p.blocks, p.blocks)
	if s.wide {
		bits := GP32()
		MOVL(U32(0xAAAA), bits)
		p.odd = K()
		KMOVW(bits, p.odd)
	}
	return p
}

var blockOrders = map[string]Mem{}

func (s isa) blockOrder() Mem {
	order, known := blockOrders[s.suffix]
	if !known {
		order = GLOBL("blocks"+s.suffix, attr.RODATA|attr.NOPTR)
		for q := range s.lanes / 2 {
			DATA(8*q, U64(q%2*s.lanes/4+q/2))
		}
		blockOrders[s.suffix] = order
	}
	return order
}

// next is the four words of the blocks, in the lower halves of 64 bits.
func (p philox) next() (c [4]VecVirtual) {
	c[0] = p.copied(p.blocks)
	for k := 1; k < 4; k++ {
		c[k] = p.vector()
		VPBROADCASTD(at(p.draws, drawsCounter+4*k), c[k])
	}
	multiply := mnemonic{VPMULUDQ, VPMULUDQ_BCST}
	for round := range 10 {
		p0 := p.result(multiply, word(0xD2511F53), c[0])
		p1 := p.result(multiply, word(0xCD9E8D57), c[2])
		key := drawsKeys + 8*round
		c = [4]VecVirtual{p.mix(p1, c[1], key), p1, p.mix(p0, c[3], key+4), p0}
	}
	p.do(mnemonic{VPADDD, VPADDD_BCST}, word(uint32(p.lanes/2)), p.blocks, p.blocks)
	return c
}

// mix is the upper half of product, xor c, xor the key at that offset.
func (p philox) mix(product, c VecVirtual, key int) VecVirtual {
	v := p.result(avx2Only(VPSRLQ), U8(32), product)
	if p.wide {
		const xorOfThree = 0x96
		VPTERNLOGD_BCST(U8(xorOfThree), at(p.draws, key), c, v)
		return v
	}
	k := p.vector()
	VPBROADCASTD(at(p.draws, key), k)
	return p.xor(p.xor(v, c), k)
}

// paired is even in the even lanes and odd, which holds its values there too, in
// the odd ones.
func (p philox) paired(even, odd VecVirtual) VecVirtual {
	if p.wide {
		v := p.copied(even)
		VMOVSLDUP(odd, p.odd, v)
		return v
	}
	v := p.vector()
	VMOVSLDUP(odd, v)
	VBLENDPS(U8(0xAA), v, even, v)
	return v
}

// dropout is v·scale where the element's draw is limit or more, 0 elsewhere.
func (s isa) dropout() {
	s.function("dropout", "v *float32, n int, from *uint32, limit, scale float32) uint32",
		"dropout"+s.suffix+" is plainDropout; it is not 0 where a result is not finite.")
	v, p := argument("v"), s.philox()
	limit, scale := s.broadcast("limit"), s.broadcast("scale")
	nought, health := s.nought(), s.nought()
	s.each("", argument("n"), 2, func(runs []run) {
		c := p.next()
		first, second := p.paired(c[0], c[1]), p.paired(c[2], c[3])
		for k, unpack := range []func(...Op){VUNPCKLPD, VUNPCKHPD} {
			draw := s.result(avx2Only(unpack), second, first)
			kept := s.compare(notLess, s.toFloat(s.shiftRight(draw, 8)), limit)
			x := s.keep(kept, s.mul(runs[k].load(v), scale))
			VFMADD231PS(nought, x, health)
			runs[k].store(x, v)
		}
	})
	s.reportHealth(health)
}

// noise is y += sigma·ε, by Box and Muller.
func (s isa) noise() {
	s.function("noise", "y *float32, n int, from *uint32, sigma float32) uint32",
		"noise"+s.suffix+" is plainNoise; it is not 0 where a result is not finite.")
	y, p := argument("y"), s.philox()
	nought, health := s.nought(), s.nought()
	const unit = 1.0 / (1 << 24)
	s.each("", argument("n"), 2, func(runs []run) {
		c := p.next()
		a, b := p.paired(c[0], c[2]), p.paired(c[1], c[3])
		u := s.mul(s.toFloat(s.addInt(s.shiftRight(a, 8), word(1))), number(unit))
		radius := s.sqrt(s.mul(s.log(u), number(-2)))
		cos, sin := s.turns(s.mul(s.toFloat(s.shiftRight(b, 8)), number(unit)))
		cos, sin = s.mul(cos, radius), s.mul(sin, radius)
		for k, unpack := range []func(...Op){VUNPCKLPS, VUNPCKHPS} {
			normal := s.result(avx2Only(unpack), sin, cos)
			x := s.plus(runs[k].load(y), s.mul(normal, s.broadcast("sigma")))
			VFMADD231PS(nought, x, health)
			runs[k].store(x, y)
		}
	})
	s.reportHealth(health)
}
