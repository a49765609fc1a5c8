package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// distances writes the routines that turn products into distances.
func (s isa) distances() {
	s.squareSums()
	s.addNorms()
	s.nearest()
	s.twoNearest()
	s.within()
}

// squareSums is the sum of squares of each row, in float64.
func (s isa) squareSums() {
	s.function("squareSums", "sums *float64, x *float32, n, cols int)", "squareSums"+s.suffix+" is plainSquareSums.")
	sums, x, cols := argument("sums"), argument("x"), argument("cols")
	s.eachRow(cols, []Register{x}, func() {
		sum := s.partials()
		s.row("row", cols, func(r run) {
			d := s.widen(r.load(x))
			sum.addProduct(r, d, d)
		})
		VMOVSD(sum.fold(), at(sums, 0))
		ADDQ(I32(8), sums)
	})
	s.end()
}

// distance is max(xnorm + ynorm + v, 0) of a product v.
func (s isa) distance(v, xnorm, ynorm, nought VecVirtual) VecVirtual {
	return s.most(nought, s.plus(s.plus(xnorm, ynorm), v))
}

// addNorms turns products into distances.
func (s isa) addNorms() {
	s.function("addNorms", "v, xnorms, ynorms *float32, n, cols int)", "addNorms"+s.suffix+" is plainAddNorms.")
	v, xnorms, ynorms, cols := argument("v"), argument("xnorms"), argument("ynorms"), argument("cols")
	nought := s.nought()
	s.eachRow(cols, []Register{v}, func() {
		xnorm := s.vector()
		VBROADCASTSS(at(xnorms, 0), xnorm)
		ADDQ(Imm(4), xnorms)
		s.row("row", cols, func(r run) { r.store(s.distance(r.load(v), xnorm, r.load(ynorms), nought), v) })
	})
	s.end()
}

// nearest keeps the least distance of each row so far and its number. The rows
// are whole panels; the first column has the number base.
func (s isa) nearest() {
	s.function("nearest", "least *float32, index *int32, v, xnorms, ynorms *float32, base int32, n, cols int)",
		"nearest"+s.suffix+" is plainNearest for cols a multiple of 16.")
	least, index, v, cols := argument("least"), argument("index"), argument("v"), argument("cols")
	left, xnorms := argument("n"), argument("xnorms")
	nought := s.nought()
	Label("rows")
	best, number, xnorm := s.vector(), s.vector(), s.vector()
	VBROADCASTSS(at(xnorms, 0), xnorm)
	VBROADCASTSS(at(least, 0), best)
	VPBROADCASTD(at(index, 0), number)
	here := s.vector()
	VBROADCASTSS(address("base"), here)
	VPADDD(s.ascending(), here, here)
	rest, ynorms := GP64(), argument("ynorms")
	MOVQ(cols, rest)
	Label("columns")
	x := s.next(v, ynorms, xnorm, nought)
	less := s.less(x, best)
	VMOVAPS(s.choose(less, x, best), best)
	VMOVAPS(s.choose(less, here, number), number)
	s.do(mnemonic{VPADDD, VPADDD_BCST}, word(uint32(s.lanes)), here, here)
	SUBQ(Imm(uint64(s.lanes)), rest)
	JNZ(LabelRef("columns"))

	smallest := s.acrossLanes(VMINPS, best)
	// Of the lanes that hold it, the one with the lowest number.
	above := s.less(smallest, best)
	number = s.acrossLanes(VPMINSD, s.choose(above, s.spread(word(1<<31-1)), number))
	VMOVSS(smallest.AsX(), at(least, 0))
	VMOVD(number.AsX(), at(index, 0))
	for _, p := range []Register{least, index, xnorms} {
		ADDQ(Imm(4), p)
	}
	DECQ(left)
	JNZ(LabelRef("rows"))
	s.end()
}

// twoNearest is nearest that keeps the least distance but one besides.
func (s isa) twoNearest() {
	s.function("twoNearest", "least, second *float32, index *int32, v, xnorms, ynorms *float32, base int32, n, cols int)",
		"twoNearest"+s.suffix+" is plainTwoNearest for cols a multiple of 16.")
	least, second, index, v := argument("least"), argument("second"), argument("index"), argument("v")
	left, xnorms := argument("n"), argument("xnorms")
	nought := s.nought()
	Label("rows")
	best, runner, number, xnorm := s.vector(), s.vector(), s.vector(), s.vector()
	VBROADCASTSS(at(xnorms, 0), xnorm)
	VBROADCASTSS(at(least, 0), best)
	VBROADCASTSS(at(second, 0), runner)
	VPBROADCASTD(at(index, 0), number)
	here := s.vector()
	VBROADCASTSS(address("base"), here)
	VPADDD(s.ascending(), here, here)
	rest, ynorms := argument("cols"), argument("ynorms")
	Label("columns")
	x := s.next(v, ynorms, xnorm, nought)
	VMINPS(s.most(best, x), runner, runner)
	less := s.less(x, best)
	VMOVAPS(s.choose(less, x, best), best)
	VMOVAPS(s.choose(less, here, number), number)
	s.do(mnemonic{VPADDD, VPADDD_BCST}, word(uint32(s.lanes)), here, here)
	SUBQ(Imm(uint64(s.lanes)), rest)
	JNZ(LabelRef("columns"))

	smallest := s.acrossLanes(VMINPS, best)
	VMOVSS(smallest.AsX(), at(least, 0))
	above := s.less(smallest, best)
	chosen := s.acrossLanes(VPMINSD, s.choose(above, s.spread(word(1<<31-1)), number))
	VMOVD(chosen.AsX(), at(index, 0))
	// All lanes but the chosen one's compete for the second place. As float32 the
	// numbers, which are below 2^24, stay apart.
	VCVTDQ2PS(chosen, chosen)
	VCVTDQ2PS(number, number)
	const equal = 0
	VMINPS(s.choose(s.compare(equal, number, chosen), s.spread(word(0x7F800000)), best), runner, runner)
	VMOVSS(s.acrossLanes(VMINPS, runner).AsX(), at(second, 0))
	for _, p := range []Register{least, second, index, xnorms} {
		ADDQ(Imm(4), p)
	}
	DECQ(left)
	JNZ(LabelRef("rows"))
	s.end()
}

// next is the distances at v, which moves on.
func (s isa) next(v, ynorms Register, xnorm, nought VecVirtual) VecVirtual {
	x, ynorm := s.vector(), s.vector()
	VMOVUPS(at(v, 0), x)
	VMOVUPS(at(ynorms, 0), ynorm)
	ADDQ(Imm(uint64(s.bytes())), v)
	ADDQ(Imm(uint64(s.bytes())), ynorms)
	return s.distance(x, xnorm, ynorm, nought)
}

// less is a < b, not where either is a NaN.
func (s isa) less(a VecVirtual, b Op) condition {
	const lessThan = 1
	return s.compare(lessThan, a, b)
}

// acrossLanes is f of all lanes in every lane.
func (s isa) acrossLanes(f func(...Op), a VecVirtual) VecVirtual {
	if s.wide {
		swapped := ZMM()
		VSHUFF64X2(U8(0x4E), a, a, swapped)
		a = s.result(avx2Only(f), swapped, a)
		swapped = ZMM()
		VSHUFF64X2(U8(0xB1), a, a, swapped)
		a = s.result(avx2Only(f), swapped, a)
	} else {
		swapped := YMM()
		VPERM2F128(U8(1), a, a, swapped)
		a = s.result(avx2Only(f), swapped, a)
	}
	for _, order := range []uint8{0x4E, 0xB1} {
		swapped := s.vector()
		VPERMILPS(U8(order), a, swapped)
		a = s.result(avx2Only(f), swapped, a)
	}
	return a
}

// ascending is 0, 1, 2, ...
func (s isa) ascending() Mem {
	if counting == (Mem{}) {
		counting = GLOBL("ascending", attr.RODATA|attr.NOPTR)
		for i := range panelWidth {
			DATA(4*i, U32(i))
		}
	}
	return counting
}

var counting Mem

// within sets a bit for each distance of at most radius; a row of bits is stride
// bytes long.
func (s isa) within() {
	s.function("within", "bits *uint64, stride int, v, xnorms, ynorms *float32, radius float32, n, cols int)",
		"within"+s.suffix+" is plainWithin for cols a multiple of 16.")
	bits, stride := argument("bits"), argument("stride")
	v, xnorms, cols := argument("v"), argument("xnorms"), argument("cols")
	left := argument("n")
	nought, radius := s.nought(), s.broadcast("radius")
	Label("rows")
	xnorm, to, rest, ynorms := s.vector(), GP64(), GP64(), argument("ynorms")
	VBROADCASTSS(at(xnorms, 0), xnorm)
	MOVQ(bits, to)
	MOVQ(cols, rest)
	Label("columns")
	const lessOrEqual = 2
	inside := s.compare(lessOrEqual, s.next(v, ynorms, xnorm, nought), radius)
	set := GP32()
	if s.wide {
		KMOVW(inside.op, set)
		MOVW(set.As16(), at(to, 0))
	} else {
		VMOVMSKPS(inside.vector, set)
		MOVB(set.As8(), at(to, 0))
	}
	ADDQ(Imm(uint64(s.lanes/8)), to)
	SUBQ(Imm(uint64(s.lanes)), rest)
	JNZ(LabelRef("columns"))
	ADDQ(stride, bits)
	ADDQ(Imm(4), xnorms)
	DECQ(left)
	JNZ(LabelRef("rows"))
	s.end()
}
