package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// layerNorms writes the routines of layer norm.
func (s isa) layerNorms() {
	s.layerNorm()
	s.layerNormGrad()
	s.productSums()
}

// layerNorm standardises rows and applies gain and bias.
func (s isa) layerNorm() {
	s.function("layerNorm", "y, hat, x, gain, bias, invStd *float32, n, cols int, epsilon float64) uint32",
		"layerNorm"+s.suffix+" is level.layerNorm of plain Go; it is not 0 where a y is not finite.")
	y, hat, x, invStd := argument("y"), argument("hat"), argument("x"), argument("invStd")
	cols := argument("cols")
	health := s.nought()
	s.eachRow(cols, []Register{y, hat, x}, func() {
		sum := s.partials()
		s.row("mean", cols, func(r run) { sum.add(r, s.widen(r.load(x))) })
		mean := sum.fold()
		VDIVSD(double(cols), mean, mean)
		means := s.spreadDouble(mean)
		deviation := func(r run) [2]VecVirtual { return s.both(VSUBPD, s.widen(r.load(x)), means) }

		squares := s.partials()
		s.row("variance", cols, func(r run) {
			d := r.trim(deviation(r))
			squares.add(r, s.both(VMULPD, d, d))
		})
		factor := squares.fold()
		VDIVSD(double(cols), factor, factor)
		VADDSD(address("epsilon"), factor, factor)
		VSQRTSD(factor, factor, factor)
		VDIVSD(factor, one(), factor)
		s.storeInvStd(factor, invStd)

		factors := s.spreadDouble(factor)
		gain, bias := argument("gain"), argument("bias")
		s.row("apply", cols, func(r run) {
			v := s.narrow(s.both(VMULPD, deviation(r), factors))
			r.store(v, hat)
			v = s.plus(s.mul(v, r.load(gain)), r.load(bias))
			s.addHealth(r, v, health)
			r.store(v, y)
		})
	})
	s.reportHealth(health)
}

// storeInvStd writes the row's factor, and moves on, unless invStd is nil.
func (s isa) storeInvStd(factor VecVirtual, invStd Register) {
	TESTQ(invStd, invStd)
	JZ(LabelRef("notKept"))
	single := XMM()
	VCVTSD2SS(factor, factor, single)
	VMOVSS(single, at(invStd, 0))
	ADDQ(Imm(4), invStd)
	Label("notKept")
}

// one is 1 as float64.
func one() VecVirtual {
	x, bits := XMM(), GP64()
	MOVQ(U64(0x3FF0000000000000), bits)
	VMOVQ(bits, x)
	return x
}

// addHealth turns a lane of health into NaN where v is not finite.
func (s isa) addHealth(r run, v, health VecVirtual) {
	if r.op != nil || r.tail != nil {
		// Lanes beyond the end hold what came of zeros, which may be anything.
		switch {
		case r.op != nil:
			VFMADD231PS(s.nought(), v, r.op, health)
		default:
			VFMADD231PS(s.nought(), s.and(v, r.tail), health)
		}
		return
	}
	VFMADD231PS(s.nought(), v, health)
}

// layerNormGrad is the gradient in the input.
func (s isa) layerNormGrad() {
	s.function("layerNormGrad", "dx, dz, hat, gain, invStd *float32, n, cols int) uint32",
		"layerNormGrad"+s.suffix+" is level.layerNormGrad of plain Go; it is not 0 where a dx is not finite.")
	dx, dz, hat := argument("dx"), argument("dz"), argument("hat")
	gain, invStd := argument("gain"), argument("invStd")
	cols := argument("cols")
	health := s.nought()
	s.eachRow(cols, []Register{dx, dz, hat}, func() {
		scaled := func(r run) [2]VecVirtual {
			return s.both(VMULPD, s.widen(r.load(dz)), s.widen(r.load(gain)))
		}
		sum, dot := s.partials(), s.partials()
		s.row("sums", cols, func(r run) {
			h := scaled(r)
			sum.add(r, h)
			dot.add(r, s.both(VMULPD, s.widen(r.load(hat)), h))
		})
		mean, slope := sum.fold(), dot.fold()
		VDIVSD(double(cols), mean, mean)
		VDIVSD(double(cols), slope, slope)
		factor := XMM()
		VXORPS(factor, factor, factor)
		VCVTSS2SD(at(invStd, 0), factor, factor)
		ADDQ(Imm(4), invStd)
		means, slopes, factors := s.spreadDouble(mean), s.spreadDouble(slope), s.spreadDouble(factor)
		s.row("apply", cols, func(r run) {
			inner := s.both(VSUBPD, scaled(r), means)
			inner = s.both(VSUBPD, inner, s.both(VMULPD, s.widen(r.load(hat)), slopes))
			v := s.narrow(s.both(VMULPD, inner, factors))
			s.addHealth(r, v, health)
			r.store(v, dx)
		})
	})
	s.reportHealth(health)
}

// productSums is columnSums of the products of two matrices' elements.
func (s isa) productSums() {
	vectors := panelWidth / s.lanes
	s.function("productSums", "sums, a, b *float32, cols, n, panels int, first bool)",
		"productSums"+s.suffix+" is level.productSums of plain Go.")
	sums, a, b, stride := argument("sums"), argument("a"), argument("b"), scaled("cols")
	panels := argument("panels")
	Label("panel")
	total := make([]VecVirtual, vectors)
	first := GP32()
	MOVBLZX(address("first"), first)
	TESTL(first, first)
	for v := range total {
		total[v] = s.vector()
		s.zero(total[v])
	}
	JNZ(LabelRef("start"))
	for v := range total {
		VMOVUPS(at(sums, v*s.bytes()), total[v])
	}
	Label("start")
	pa, pb, n := GP64(), GP64(), argument("n")
	MOVQ(a, pa)
	MOVQ(b, pb)
	Label("samples")
	for v := range total {
		x := s.vector()
		VMOVUPS(at(pa, v*s.bytes()), x)
		VMULPS(at(pb, v*s.bytes()), x, x)
		VADDPS(x, total[v], total[v])
	}
	ADDQ(stride, pa)
	ADDQ(stride, pb)
	DECQ(n)
	JNZ(LabelRef("samples"))
	for v := range total {
		VMOVUPS(total[v], at(sums, v*s.bytes()))
	}
	for _, p := range []Register{a, b, sums} {
		ADDQ(Imm(4*panelWidth), p)
	}
	DECQ(panels)
	JNZ(LabelRef("panel"))
	s.end()
}
