package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Sums along rows run in float64: element j goes to partial sum j mod 16, and the
// partial sums are folded in halves, in both sets.

// partials are sixteen float64 sums, in order.
type partials struct {
	isa
	sum []VecVirtual
}

func (s isa) partials() partials {
	p := partials{isa: s}
	for range 2 * panelWidth / s.lanes {
		p.sum = append(p.sum, s.nought())
	}
	return p
}

// add adds the two halves of a run.
func (p partials) add(r run, halves [2]VecVirtual) {
	for h, v := range halves {
		sum := p.sum[2*r.number+h]
		VADDPD(v, sum, sum)
	}
}

// addProduct adds a·b, rounded once: right where the product is exact.
func (p partials) addProduct(r run, a, b [2]VecVirtual) {
	for h := range a {
		VFMADD231PD(a[h], b[h], p.sum[2*r.number+h])
	}
}

// fold is the sum of all.
func (p partials) fold() VecVirtual {
	low := YMM()
	if p.wide {
		VADDPD(p.sum[0], p.sum[1], p.sum[0])
		VEXTRACTF64X4(U8(1), p.sum[0], low)
		VADDPD(p.sum[0].AsY(), low, low)
	} else {
		VADDPD(p.sum[0], p.sum[2], p.sum[0])
		VADDPD(p.sum[1], p.sum[3], p.sum[1])
		VADDPD(p.sum[0], p.sum[1], low)
	}
	sum, other := XMM(), XMM()
	VEXTRACTF128(U8(1), low, sum)
	VADDPD(low.AsX(), sum, sum)
	VUNPCKHPD(sum, sum, other)
	VADDSD(other, sum, sum)
	return sum
}

// widen is the two halves of a register as float64.
func (s isa) widen(v VecVirtual) [2]VecVirtual {
	low, high := s.vector(), s.vector()
	if s.wide {
		half := YMM()
		VEXTRACTF32X8(U8(1), v, half)
		VCVTPS2PD(v.AsY(), low)
		VCVTPS2PD(half, high)
	} else {
		half := XMM()
		VEXTRACTF128(U8(1), v, half)
		VCVTPS2PD(v.AsX(), low)
		VCVTPS2PD(half, high)
	}
	return [2]VecVirtual{low, high}
}

// narrow is the inverse of widen, rounded.
func (s isa) narrow(halves [2]VecVirtual) VecVirtual {
	v := s.vector()
	if s.wide {
		low, high := YMM(), YMM()
		VCVTPD2PS(halves[0], low)
		VCVTPD2PS(halves[1], high)
		VINSERTF32X8(U8(1), high, low.AsZ(), v)
	} else {
		low, high := XMM(), XMM()
		VCVTPD2PSY(halves[0], low)
		VCVTPD2PSY(halves[1], high)
		VINSERTF128(U8(1), high, low.AsY(), v)
	}
	return v
}

// both applies an instruction of float64 to the two halves: f(b, a), as in a-b.
func (s isa) both(f func(...Op), a, b [2]VecVirtual) [2]VecVirtual {
	for h := range a {
		a[h] = s.result(avx2Only(f), b[h], a[h])
	}
	return a
}

// twice is a register of float64 as both halves.
func twice(v VecVirtual) [2]VecVirtual { return [2]VecVirtual{v, v} }

// spreadDouble fills a register with a float64.
func (s isa) spreadDouble(x VecVirtual) [2]VecVirtual {
	v := s.vector()
	VBROADCASTSD(x, v)
	return twice(v)
}

// trim clears the lanes beyond the end of the run.
func (r run) trim(halves [2]VecVirtual) [2]VecVirtual {
	for h := range halves {
		switch mask := r.halfMask(h); {
		case r.op != nil:
			v := r.vector()
			VMOVAPD_Z(halves[h], mask, v)
			halves[h] = v
		case r.tail != nil:
			halves[h] = r.result(avx2Only(VANDPD), mask, halves[h])
		}
	}
	return halves
}

// halfMask is the mask of one half as float64.
func (r run) halfMask(half int) Register {
	switch {
	case r.op != nil && half == 0:
		return r.op
	case r.op != nil:
		k := K()
		KSHIFTRW(U8(8), r.op, k)
		return k
	case r.tail != nil:
		words, mask := Register(r.tail.AsX()), r.vector()
		if half == 1 {
			words = XMM()
			VEXTRACTI128(U8(1), r.tail, words)
		}
		VPMOVSXDQ(words, mask)
		return mask
	}
	return nil
}

// storeDoubles writes a register's worth of float64.
func (r run) storeDoubles(halves [2]VecVirtual, base Register) {
	for h, v := range halves {
		m := indexed(base, r.index, 8, 2*r.number*r.bytes()+h*r.bytes())
		switch mask := r.halfMask(h); {
		case r.op != nil:
			VMOVUPD(v, mask, m)
		case r.tail != nil:
			VMASKMOVPD(v, mask, m)
		default:
			VMOVUPD(v, m)
		}
	}
}

// row runs body on the elements of a row of cols, sixteen at a time.
func (s isa) row(name string, cols Register, body func(run)) {
	s.each(name, cols, panelWidth/s.lanes, func(runs []run) {
		for _, r := range runs {
			body(r)
		}
	})
}

// eachRow runs body for each of n rows of cols elements, where the pointers are,
// and then moves those to the next row.
func (s isa) eachRow(cols Register, pointers []Register, body func()) {
	left := argument("n")
	Label("rows")
	body()
	bytes := GP64()
	MOVQ(cols, bytes)
	SHLQ(U8(2), bytes)
	for _, p := range pointers {
		ADDQ(bytes, p)
	}
	DECQ(left)
	JNZ(LabelRef("rows"))
}

// double converts an integer.
func double(r Register) VecVirtual {
	x := XMM()
	VXORPS(x, x, x)
	VCVTSI2SDQ(r, x, x)
	return x
}
