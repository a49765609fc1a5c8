package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// run is a place in a run of elements: a full register of it or, at its end, the
// elements that are left.
type run struct {
	isa
	index  Register   // of the first element of several runs side by side
	number int        // which of them this is
	op     Register   // AVX-512: opmask of a tail, nil for a full register
	tail   VecVirtual // AVX2: mask of a tail, nil for a full register
}

func (r run) place(base Register) Mem { return indexed(base, r.index, 4, r.number*r.bytes()) }

// load reads a register; lanes beyond the end of the run are zero.
func (r run) load(base Register) VecVirtual {
	v := r.vector()
	switch m := r.place(base); {
	case r.op != nil:
		VMOVUPS_Z(m, r.op, v)
	case r.tail != nil:
		VMASKMOVPS(m, r.tail, v)
	default:
		VMOVUPS(m, v)
	}
	return v
}

func (r run) store(v VecVirtual, base Register) {
	switch m := r.place(base); {
	case r.op != nil:
		VMOVUPS(v, r.op, m)
	case r.tail != nil:
		VMASKMOVPS(v, r.tail, m)
	default:
		VMOVUPS(v, m)
	}
}

// over runs body on all elements of the runs, whose length is the argument n.
func (s isa) over(body func(run)) {
	s.each("", argument("n"), 1, func(r []run) { body(r[0]) })
}

// each runs body on n elements, count registers at a time. The labels it needs
// begin with name.
func (s isa) each(name string, n Register, count int, body func([]run)) {
	full, tail, done := name+"Full", name+"Tail", name+"Done"
	left, i := GP64(), GP64()
	MOVQ(n, left)
	XORQ(i, i)
	runs := make([]run, count)
	for k := range runs {
		runs[k] = run{isa: s, index: i, number: k}
	}
	step := I32(count * s.lanes)
	SUBQ(step, left)
	JLT(LabelRef(tail))
	Label(full)
	body(runs)
	ADDQ(step, i)
	SUBQ(step, left)
	JGE(LabelRef(full))
	Label(tail)
	ADDQ(step, left)
	JZ(LabelRef(done))
	s.tails(runs, left)
	body(runs)
	Label(done)
}

// tails gives the runs, at most two, the masks for left elements in all.
func (s isa) tails(runs []run, left Register) {
	bits := GP64()
	if s.wide {
		MOVQ(I32(-1), bits)
		BZHIQ(left, bits, bits)
	} else {
		MOVQ(I32(panelWidth), bits)
		SUBQ(left, bits)
	}
	for k := range runs {
		if s.wide {
			op := K()
			KMOVW(bits.As32(), op)
			runs[k].op = op
			if k+1 < len(runs) {
				SHRQ(U8(16), bits)
			}
			continue
		}
		table := GP64()
		LEAQ(columnMasks(), table)
		runs[k].tail = s.vector()
		VMOVUPS(indexed(table, bits, 4, k*s.bytes()), runs[k].tail)
	}
}
