package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// batchNorms writes the routines of batch norm. Those that sum down the columns
// take sixteen of them, in float64, in row order.
func (s isa) batchNorms() {
	s.columnTotals()
	s.columnSquares()
	s.columnDots()
	s.batchNorm()
	s.batchNormGrad()
}

// sixteen is a run that is a whole panel's register, number k of it.
func (s isa) sixteen(k int) run {
	zero := GP64()
	XORQ(zero, zero)
	return run{isa: s, index: zero, number: k}
}

// down runs body on n rows of a panel, of which pointers are the first rows.
func (s isa) down(pointers []Register, body func(r run)) {
	stride, left := scaled("stride"), argument("n")
	runs := make([]run, panelWidth/s.lanes)
	for k := range runs {
		runs[k] = s.sixteen(k)
	}
	Label("rows")
	for _, r := range runs {
		body(r)
	}
	for _, p := range pointers {
		ADDQ(stride, p)
	}
	DECQ(left)
	JNZ(LabelRef("rows"))
}

// storeAll writes the sixteen sums.
func (p partials) storeAll(base Register) {
	for i, v := range p.sum {
		VMOVUPD(v, at(base, i*p.bytes()))
	}
}

func (s isa) columnTotals() {
	s.function("columnTotals", "totals *float64, x *float32, stride, n int)",
		"columnTotals"+s.suffix+" is plainColumnTotals for 16 columns.")
	x, sum := argument("x"), s.partials()
	s.down([]Register{x}, func(r run) { sum.add(r, s.widen(r.load(x))) })
	sum.storeAll(argument("totals"))
	s.end()
}

func (s isa) columnSquares() {
	s.function("columnSquares", "squares, mean *float64, x *float32, stride, n int)",
		"columnSquares"+s.suffix+" is plainColumnSquares for 16 columns.")
	x, mean, sum := argument("x"), argument("mean"), s.partials()
	s.down([]Register{x}, func(r run) {
		d := s.both(VSUBPD, s.widen(r.load(x)), r.loadDoubles(mean))
		sum.add(r, s.both(VMULPD, d, d))
	})
	sum.storeAll(argument("squares"))
	s.end()
}

func (s isa) columnDots() {
	s.function("columnDots", "dots *float64, a, b *float32, stride, n int)",
		"columnDots"+s.suffix+" is plainColumnDots for 16 columns.")
	a, b, sum := argument("a"), argument("b"), s.partials()
	s.down([]Register{a, b}, func(r run) {
		sum.addProduct(r, s.widen(r.load(a)), s.widen(r.load(b)))
	})
	sum.storeAll(argument("dots"))
	s.end()
}

// loadDoubles reads a register's worth of float64, beyond the end of a run too.
func (r run) loadDoubles(base Register) (halves [2]VecVirtual) {
	for h := range halves {
		halves[h] = r.vector()
		VMOVUPD(indexed(base, r.index, 8, 2*r.number*r.bytes()+h*r.bytes()), halves[h])
	}
	return halves
}

// batchNorm standardises rows by their columns' moments and applies gain and bias.
func (s isa) batchNorm() {
	s.function("batchNorm", "y, hat, x, gain, bias *float32, mean, invStd *float64, n, cols int) uint32",
		"batchNorm"+s.suffix+" is level.batchNorm of plain Go; it is not 0 where a y is not finite.")
	y, hat, x, cols := argument("y"), argument("hat"), argument("x"), argument("cols")
	mean, invStd := argument("mean"), argument("invStd")
	health := s.nought()
	s.eachRow(cols, []Register{y, hat, x}, func() {
		gain, bias := argument("gain"), argument("bias")
		s.row("row", cols, func(r run) {
			d := s.both(VSUBPD, s.widen(r.load(x)), r.loadDoubles(mean))
			v := s.narrow(s.both(VMULPD, d, r.loadDoubles(invStd)))
			r.store(v, hat)
			v = s.plus(s.mul(v, r.load(gain)), r.load(bias))
			s.addHealth(r, v, health)
			r.store(v, y)
		})
	})
	s.reportHealth(health)
}

// batchNormGrad is the gradient in the input.
func (s isa) batchNormGrad() {
	s.function("batchNormGrad", "dx, dz, hat *float32, mean, slope, factor *float64, n, cols int) uint32",
		"batchNormGrad"+s.suffix+" is level.batchNormGrad of plain Go; it is not 0 where a dx is not finite.")
	dx, dz, hat, cols := argument("dx"), argument("dz"), argument("hat"), argument("cols")
	health := s.nought()
	s.eachRow(cols, []Register{dx, dz, hat}, func() {
		mean, slope, factor := argument("mean"), argument("slope"), argument("factor")
		s.row("row", cols, func(r run) {
			inner := s.both(VSUBPD, s.widen(r.load(dz)), r.loadDoubles(mean))
			inner = s.both(VSUBPD, inner, s.both(VMULPD, s.widen(r.load(hat)), r.loadDoubles(slope)))
			v := s.narrow(s.both(VMULPD, inner, r.loadDoubles(factor)))
			s.addHealth(r, v, health)
			r.store(v, dx)
		})
	})
	s.reportHealth(health)
}
