package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The functions below compute a fresh register from others and leave those as
// they are. An operand of type Op may be a register or a constant.

// constant is 32 bits in memory, eight times over.
type constant struct{ Mem }

var constants = map[uint32]constant{}

// number is a float32 as a constant, word any 32 bits.
func number(v float32) constant { return word(math.Float32bits(v)) }

func word(bits uint32) constant {
	c, known := constants[bits]
	if !known {
		c = constant{GLOBL(fmt.Sprintf("word%08X", bits), attr.RODATA|attr.NOPTR)}
		for i := range 8 {
			DATA(4*i, U32(bits))
		}
		constants[bits] = c
	}
	return c
}

// mnemonic is an instruction whose first operand may be a constant: AVX-512
// spreads a single word itself.
type mnemonic struct{ plain, spread func(...Op) }

func avx2Only(f func(...Op)) mnemonic { return mnemonic{plain: f} }

func (s isa) do(m mnemonic, first Op, rest ...Op) {
	if c, ok := first.(constant); ok {
		if s.wide {
			m.spread(append([]Op{c.Mem}, rest...)...)
			return
		}
		first = c.Mem
	}
	m.plain(append([]Op{first}, rest...)...)
}

func (s isa) result(m mnemonic, first Op, rest ...Op) VecVirtual {
	v := s.vector()
	s.do(m, first, append(rest, v)...)
	return v
}

func (s isa) plus(a VecVirtual, b Op) VecVirtual {
	return s.result(mnemonic{VADDPS, VADDPS_BCST}, b, a)
}

func (s isa) sub(a VecVirtual, b Op) VecVirtual {
	return s.result(mnemonic{VSUBPS, VSUBPS_BCST}, b, a)
}

func (s isa) mul(a VecVirtual, b Op) VecVirtual {
	return s.result(mnemonic{VMULPS, VMULPS_BCST}, b, a)
}

func (s isa) div(a VecVirtual, b Op) VecVirtual {
	return s.result(mnemonic{VDIVPS, VDIVPS_BCST}, b, a)
}

// least and most are the smaller and the larger of limit and a; a where that is NaN.
func (s isa) least(limit, a VecVirtual) VecVirtual { return s.result(avx2Only(VMINPS), a, limit) }
func (s isa) most(limit, a VecVirtual) VecVirtual  { return s.result(avx2Only(VMAXPS), a, limit) }

func (s isa) sqrt(a VecVirtual) VecVirtual {
	v := s.vector()
	VSQRTPS(a, v)
	return v
}

func (s isa) copied(a VecVirtual) VecVirtual {
	v := s.vector()
	VMOVAPS(a, v)
	return v
}

// spread fills a register with a constant.
func (s isa) spread(c constant) VecVirtual {
	v := s.vector()
	VBROADCASTSS(c.Mem, v)
	return v
}

// fma is a·b + c in one rounding.
func (s isa) fma(a VecVirtual, b Op, c VecVirtual) VecVirtual {
	v := s.copied(c)
	s.do(mnemonic{VFMADD231PS, VFMADD231PS_BCST}, b, a, v)
	return v
}

// polynomial is Horner's rule on x, the highest power first.
func (s isa) polynomial(x VecVirtual, coefficients ...float32) VecVirtual {
	v := s.spread(number(coefficients[0]))
	for _, c := range coefficients[1:] {
		s.do(mnemonic{VFMADD213PS, VFMADD213PS_BCST}, number(c), x, v)
	}
	return v
}

func (s isa) and(a VecVirtual, b Op) VecVirtual {
	return s.result(mnemonic{VANDPS, VANDPS_BCST}, b, a)
}

func (s isa) or(a VecVirtual, b Op) VecVirtual {
	return s.result(mnemonic{VORPS, VORPS_BCST}, b, a)
}

func (s isa) xor(a VecVirtual, b Op) VecVirtual {
	return s.result(mnemonic{VXORPS, VXORPS_BCST}, b, a)
}

const signBit = 1 << 31

func (s isa) abs(a VecVirtual) VecVirtual  { return s.and(a, word(^uint32(signBit))) }
func (s isa) neg(a VecVirtual) VecVirtual  { return s.xor(a, word(signBit)) }
func (s isa) sign(a VecVirtual) VecVirtual { return s.and(a, word(signBit)) }

// Of integers: sums, differences and shifts of 32 bits.

func (s isa) addInt(a VecVirtual, b Op) VecVirtual {
	return s.result(mnemonic{VPADDD, VPADDD_BCST}, b, a)
}

func (s isa) subInt(a VecVirtual, b Op) VecVirtual {
	return s.result(mnemonic{VPSUBD, VPSUBD_BCST}, b, a)
}

func (s isa) shiftLeft(a VecVirtual, by uint8) VecVirtual {
	return s.result(avx2Only(VPSLLD), U8(by), a)
}

func (s isa) shiftRight(a VecVirtual, by uint8) VecVirtual {
	return s.result(avx2Only(VPSRLD), U8(by), a)
}

// shiftSigned keeps the sign.
func (s isa) shiftSigned(a VecVirtual, by uint8) VecVirtual {
	return s.result(avx2Only(VPSRAD), U8(by), a)
}

func (s isa) toFloat(a VecVirtual) VecVirtual { return s.result(avx2Only(VCVTDQ2PS), a) }

// toInt rounds to the nearest integer.
func (s isa) toInt(a VecVirtual) VecVirtual { return s.result(avx2Only(VCVTPS2DQ), a) }

// condition is one bit a lane.
type condition struct {
	op     Register   // AVX-512
	vector VecVirtual // AVX2
}

// Predicates of compare; a NaN on either side makes both hold.
const (
	notLess        = 5
	notLessOrEqual = 6
)

// compare is whether a relates to b as predicate says.
func (s isa) compare(predicate uint8, a VecVirtual, b Op) condition {
	if s.wide {
		k := K()
		s.do(mnemonic{
			func(o ...Op) { VCMPPS(append([]Op{U8(predicate)}, o...)...) },
			func(o ...Op) { VCMPPS_BCST(append([]Op{U8(predicate)}, o...)...) },
		}, b, a, k)
		return condition{op: k}
	}
	v := s.vector()
	if c, ok := b.(constant); ok {
		b = c.Mem
	}
	VCMPPS(U8(predicate), b, a, v)
	return condition{vector: v}
}

// negative is whether the sign bit of a is set.
func (s isa) negative(a VecVirtual) condition {
	if s.wide {
		k := K()
		VPMOVD2M(a, k)
		return condition{op: k}
	}
	return condition{vector: a} // chooses by the sign bit; keep needs a whole lane
}

// choose is yes where c holds and no elsewhere.
func (s isa) choose(c condition, yes, no VecVirtual) VecVirtual {
	v := s.vector()
	if s.wide {
		VBLENDMPS(yes, no, c.op, v)
	} else {
		VBLENDVPS(c.vector, yes, no, v)
	}
	return v
}

// keep is a where c holds and 0 elsewhere.
func (s isa) keep(c condition, a VecVirtual) VecVirtual {
	v := s.vector()
	if s.wide {
		VMOVAPS_Z(a, c.op, v)
	} else {
		VANDPS(c.vector, a, v)
	}
	return v
}
