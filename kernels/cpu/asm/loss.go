package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// losses writes the losses with their gradients.
func (s isa) losses() {
	s.bce()
	s.mse()
	s.huber()
}

// bce is the loss of one logit a row. See loss.bce in package cpu for the formulas.
func (s isa) bce() {
	s.function("bce", "dpred, pred, target *float32, rows *float64, w0, w1, slope0, slope1 float32, n int) uint32",
		"bce"+s.suffix+" is loss.bce in float32 (twinBCE); it is not 0 where a gradient is not finite.")
	dpred, pred, target, rows := argument("dpred"), argument("pred"), argument("target"), argument("rows")
	health := s.nought()
	s.over(func(r run) {
		z := r.load(pred)
		positive := s.compare(notLessOrEqual, r.load(target), s.nought())
		e := s.exp(s.neg(s.abs(z)))
		t := s.choose(positive, s.neg(z), z) // minus the logit of the true class
		log := s.plus(s.log1p(e), s.most(s.nought(), t))
		q := s.div(s.spread(number(1)), s.plus(e, number(1)))
		q = s.choose(s.negative(t), s.mul(e, q), q)
		slope := s.choose(positive, s.broadcast("slope1"), s.broadcast("slope0"))
		g := s.mul(q, slope)
		s.addHealth(r, g, health)
		r.store(g, dpred)
		weight := s.choose(positive, s.broadcast("w1"), s.broadcast("w0"))
		r.storeDoubles(s.both(VMULPD, s.widen(log), s.widen(weight)), rows)
	})
	s.reportHealth(health)
}

// mse is the mean of weight·(pred-target)² over the columns.
func (s isa) mse() {
	s.function("mse", "dpred, pred, target, weight *float32, rows *float64, factor float32, n, cols int) uint32",
		"mse"+s.suffix+" is plainMSE; it is not 0 where a gradient is not finite.")
	s.regression(func(r run, d, w VecVirtual, sum partials) VecVirtual {
		weighted := s.mul(d, w)
		sum.addProduct(r, s.widen(weighted), s.widen(d)) // exact: 24 bits times 24
		return weighted
	})
}

// huber is the mean of weight·s·(|d|-s/2) with s = min(|d|, delta): d²/2 within
// delta and linear beyond.
func (s isa) huber() {
	s.function("huber", "dpred, pred, target, weight *float32, rows *float64, factor, delta float32, n, cols int) uint32",
		"huber"+s.suffix+" is plainHuber; it is not 0 where a gradient is not finite.")
	s.regression(func(r run, d, w VecVirtual, sum partials) VecVirtual {
		a := s.abs(d)
		slope := s.least(s.broadcast("delta"), a)
		weighted := s.mul(slope, w)
		rest := s.both(VSUBPD, s.widen(a), s.widen(s.mul(slope, number(0.5))))
		sum.add(r, s.both(VMULPD, rest, s.widen(weighted)))
		return s.xor(weighted, s.sign(d))
	})
}

// regression writes the loop of a loss that is a mean over the columns. body
// adds a register's losses to sum and returns their derivatives, but for factor.
func (s isa) regression(body func(r run, d, w VecVirtual, sum partials) VecVirtual) {
	dpred, pred, target, rows := argument("dpred"), argument("pred"), argument("target"), argument("rows")
	cols, weight := argument("cols"), argument("weight")
	health := s.nought()
	s.eachRow(cols, []Register{dpred, pred, target}, func() {
		sum := s.partials()
		s.row("row", cols, func(r run) {
			slope := body(r, s.sub(r.load(pred), r.load(target)), r.load(weight), sum)
			g := s.mul(slope, s.broadcast("factor"))
			s.addHealth(r, g, health)
			r.store(g, dpred)
		})
		total := sum.fold()
		VDIVSD(double(cols), total, total)
		VMOVSD(total, at(rows, 0))
		ADDQ(I32(8), rows)
	})
	s.reportHealth(health)
}
