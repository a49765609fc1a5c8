package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// products writes the routines that all matrix products run on.
func (s isa) products() {
	for _, rows := range []int{s.rows, 1} {
		for panels := 1; panels <= 1+b2i(s.wide); panels++ {
			s.product(rows, panels)
		}
	}
	for panels := 1; panels <= 1+b2i(s.wide); panels++ {
		s.outer(panels)
	}
	s.columnSums()
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// strided are the addresses of up to 8 equally spaced rows: two base registers
// and up to three multiples of the stride reach them all.
type strided struct {
	base          [2]Register
	stride, three Register
}

func newStrided(base, stride Register, rows int) strided {
	t := strided{base: [2]Register{base}, stride: stride}
	if rows > 3 {
		three := GP64()
		LEAQ(indexed(stride, stride, 2, 0), three)
		t.three = three
	}
	if rows > 4 {
		second := GP64()
		LEAQ(indexed(base, stride, 4, 0), second)
		t.base[1] = second
	}
	return t
}

func (t strided) row(i, displacement int) Mem {
	base := t.base[i/4]
	switch i % 4 {
	case 0:
		return at(base, displacement)
	case 1:
		return indexed(base, t.stride, 1, displacement)
	case 2:
		return indexed(base, t.stride, 2, displacement)
	}
	return indexed(base, t.three, 1, displacement)
}

// advance moves all rows by bytes.
func (t strided) advance(bytes int) {
	for _, b := range t.base {
		if b != nil {
			ADDQ(I32(bytes), b)
		}
	}
}

// tile is rows × vectors accumulators.
type tile struct {
	isa
	rows, vectors int
	sum           [][]VecVirtual
}

func (s isa) tile(rows, vectors int) tile {
	t := tile{isa: s, rows: rows, vectors: vectors}
	for range rows {
		row := make([]VecVirtual, vectors)
		for v := range row {
			row[v] = s.vector()
		}
		t.sum = append(t.sum, row)
	}
	return t
}

// step adds one rank-one update: left(i) is broadcast, right(v) a vector.
func (t tile) step(left func(i int) Mem, right func(v int) Mem) {
	b := make([]VecVirtual, t.vectors)
	for v := range b {
		b[v] = t.vector()
		VMOVUPS(right(v), b[v])
	}
	for i := range t.rows {
		a := t.vector()
		VBROADCASTSS(left(i), a)
		for v := range b {
			VFMADD231PS(a, b[v], t.sum[i][v])
		}
	}
}

// product is y = max(bias + x·w, floor), a panel of w (or two) at a time.
func (s isa) product(rows, panels int) {
	vectors := panels * panelWidth / s.lanes
	s.function(fmt.Sprintf("product%dx%d", rows, panels*panelWidth),
		"y *float32, ldy int, x *float32, ldx int, w *float32, depth, rows int, bias *float32, floor float32, cols int) uint32",
		fmt.Sprintf("product%dx%d%s is plainTiles, of one rounding a multiply-add, for %d to %d columns and at least %d rows.",
			rows, panels*panelWidth, s.suffix, 1+(panels-1)*panelWidth, panels*panelWidth, rows))
	y, ldy := argument("y"), scaled("ldy")
	x, ldx := argument("x"), scaled("ldx")
	left := argument("rows")
	floor, health := s.vector(), s.vector()
	VBROADCASTSS(address("floor"), floor)
	s.zero(health)
	mask := s.mask(vectors)
	nought := s.vector()
	s.zero(nought)

	Label("tile")
	t := s.tile(rows, vectors)
	bias := argument("bias")
	for i := range rows {
		for v := range vectors {
			VMOVUPS(at(bias, v*s.bytes()), t.sum[i][v])
		}
	}
	px, pw, p2, k := GP64(), argument("w"), Register(nil), argument("depth")
	MOVQ(x, px)
	if panels == 2 { // the second panel follows the first
		p2 = GP64()
		MOVQ(k, p2)
		SHLQ(U8(6), p2)
		ADDQ(pw, p2)
	}
	a := newStrided(px, ldx, rows)
	right := func(u int) func(int) Mem {
		return func(v int) Mem {
			if s.wide {
				return at([]Register{pw, p2}[v], u*4*panelWidth)
			}
			return at(pw, u*4*panelWidth+v*s.bytes())
		}
	}
	advance := func(n int) {
		a.advance(4 * n)
		ADDQ(I32(4*panelWidth*n), pw)
		if p2 != nil {
			ADDQ(I32(4*panelWidth*n), p2)
		}
	}
	const unroll = 4
	SUBQ(Imm(unroll), k)
	JLT(LabelRef("rest"))
	Label("depth")
	for u := range unroll {
		t.step(func(i int) Mem { return a.row(i, 4*u) }, right(u))
	}
	advance(unroll)
	SUBQ(Imm(unroll), k)
	JGE(LabelRef("depth"))
	Label("rest")
	ADDQ(Imm(unroll), k)
	JZ(LabelRef("store"))
	Label("single")
	t.step(func(i int) Mem { return a.row(i, 0) }, right(0))
	advance(1)
	DECQ(k)
	JNZ(LabelRef("single"))

	Label("store")
	for i := range rows {
		for v := range vectors {
			sum := t.sum[i][v]
			VFMADD231PS(nought, sum, health)
			VMAXPS(sum, floor, sum) // a NaN in sum stays
		}
	}
	out := newStrided(y, ldy, rows)
	s.store(t, mask, out)

	// The last tile overlaps the one before it where rows are left over.
	SUBQ(Imm(uint64(rows)), left)
	JZ(LabelRef("done"))
	move := GP64()
	MOVQ(I32(rows), move)
	CMPQ(left, Imm(uint64(rows)))
	JGE(LabelRef("next"))
	MOVQ(left, move)
	MOVQ(I32(rows), left)
	Label("next")
	step := GP64()
	MOVQ(move, step)
	IMULQ(ldx, step)
	ADDQ(step, x)
	IMULQ(ldy, move)
	ADDQ(move, y)
	JMP(LabelRef("tile"))
	Label("done")
	s.reportHealth(health)
}

// outer is dw += xᵀ·dz (or = where first is set) over n samples, tiles times
// s.rows rows of dw by one or two panels of columns.
func (s isa) outer(panels int) {
	vectors := panels * panelWidth / s.lanes
	s.function(fmt.Sprintf("outer%d", panels*panelWidth),
		"dw *float32, lddw int, x *float32, ldx int, dz *float32, lddz int, n, tiles int, first bool)",
		fmt.Sprintf("outer%d%s is plainOuter, of one rounding a multiply-add, for %d columns and %d rows a tile.",
			panels*panelWidth, s.suffix, panels*panelWidth, s.rows))
	dw, lddw := argument("dw"), scaled("lddw")
	x, ldx := argument("x"), scaled("ldx")
	lddz := scaled("lddz")
	tiles := argument("tiles")

	Label("tile")
	t := s.tile(s.rows, vectors)
	out := newStrided(dw, lddw, s.rows)
	first := GP32()
	MOVBLZX(address("first"), first)
	TESTL(first, first)
	JNZ(LabelRef("fresh"))
	for i := range s.rows {
		for v := range vectors {
			VMOVUPS(out.row(i, v*s.bytes()), t.sum[i][v])
		}
	}
	JMP(LabelRef("start"))
	Label("fresh")
	for i := range s.rows {
		for v := range vectors {
			s.zero(t.sum[i][v])
		}
	}
	Label("start")
	px, pz, n := GP64(), argument("dz"), argument("n")
	MOVQ(x, px)
	add := func() {
		t.step(
			func(i int) Mem { return at(px, 4*i) },
			func(v int) Mem { return at(pz, v*s.bytes()) },
		)
		ADDQ(ldx, px)
		ADDQ(lddz, pz)
	}
	const unroll = 4
	SUBQ(Imm(unroll), n)
	JLT(LabelRef("rest"))
	Label("samples")
	for range unroll {
		add()
	}
	SUBQ(Imm(unroll), n)
	JGE(LabelRef("samples"))
	Label("rest")
	ADDQ(Imm(unroll), n)
	JZ(LabelRef("store"))
	Label("single")
	add()
	DECQ(n)
	JNZ(LabelRef("single"))
	Label("store")
	for i := range s.rows {
		for v := range vectors {
			VMOVUPS(t.sum[i][v], out.row(i, v*s.bytes()))
		}
	}
	ADDQ(I32(4*s.rows), x)
	MOVQ(lddw, n)
	IMUL3Q(I32(s.rows), n, n)
	ADDQ(n, dw)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	s.end()
}

// columnSums is db += the sums over n samples of dz, panels of columns at a time.
func (s isa) columnSums() {
	vectors := panelWidth / s.lanes
	s.function("columnSums", "db, dz *float32, lddz, n, panels int, first bool)",
		fmt.Sprintf("columnSums%s is plainColumnSums.", s.suffix))
	db, dz, lddz := argument("db"), argument("dz"), scaled("lddz")
	panels := argument("panels")
	Label("panel")
	sums := make([]VecVirtual, vectors)
	first := GP32()
	MOVBLZX(address("first"), first)
	TESTL(first, first)
	for v := range sums {
		sums[v] = s.vector()
		s.zero(sums[v])
	}
	JNZ(LabelRef("start"))
	for v := range sums {
		VMOVUPS(at(db, v*s.bytes()), sums[v])
	}
	Label("start")
	p, n := GP64(), argument("n")
	MOVQ(dz, p)
	Label("samples")
	for v := range sums {
		VADDPS(at(p, v*s.bytes()), sums[v], sums[v])
	}
	ADDQ(lddz, p)
	DECQ(n)
	JNZ(LabelRef("samples"))
	for v := range sums {
		VMOVUPS(sums[v], at(db, v*s.bytes()))
	}
	ADDQ(Imm(4*panelWidth), dz)
	ADDQ(Imm(4*panelWidth), db)
	DECQ(panels)
	JNZ(LabelRef("panel"))
	s.end()
}

// mask is what a store needs to leave the columns beyond the last alone.
type mask struct {
	op      []Register // AVX-512: an opmask a vector
	vectors []VecVirtual
	cols    Register
}

// mask reads the argument cols, the number of columns in vectors registers.
func (s isa) mask(vectors int) mask {
	cols := argument("cols")
	if !s.wide {
		return mask{cols: cols}
	}
	bits := GP64()
	MOVQ(I32(-1), bits)
	BZHIQ(cols, bits, bits)
	var m mask
	for v := range vectors {
		k := K()
		KMOVW(bits.As32(), k)
		m.op = append(m.op, k)
		if v+1 < vectors {
			SHRQ(U8(16), bits)
		}
	}
	return m
}

// store writes a tile. AVX2 has masked stores that some processors run slowly:
// it uses them only where columns are left out.
func (s isa) store(t tile, m mask, out strided) {
	if s.wide {
		for i := range t.rows {
			for v := range t.vectors {
				VMOVUPS(t.sum[i][v], m.op[v], out.row(i, v*s.bytes()))
			}
		}
		return
	}
	CMPQ(m.cols, Imm(panelWidth))
	JNE(LabelRef("masked"))
	for i := range t.rows {
		for v := range t.vectors {
			VMOVUPS(t.sum[i][v], out.row(i, v*s.bytes()))
		}
	}
	JMP(LabelRef("stored"))
	Label("masked")
	table := GP64()
	LEAQ(columnMasks(), table)
	for v := range t.vectors {
		mask := s.vector()
		from := GP64()
		MOVQ(I32(panelWidth+v*s.lanes), from)
		SUBQ(m.cols, from)
		VMOVUPS(indexed(table, from, 4, 0), mask)
		for i := range t.rows {
			VMASKMOVPS(t.sum[i][v], mask, out.row(i, v*s.bytes()))
		}
	}
	Label("stored")
}

// columnMasks is a row of 16 set and 16 clear words: read from word 16-n on it
// selects the first n columns.
func columnMasks() Mem {
	if masks == (Mem{}) {
		masks = GLOBL("columnMasks", attr.RODATA|attr.NOPTR)
		for i := range 2 * panelWidth {
			DATA(4*i, U32(0xFFFFFFFF*uint32(1-i/panelWidth)))
		}
	}
	return masks
}

var masks Mem

// reportHealth returns whether a lane of health is a NaN and ends the routine.
func (s isa) reportHealth(health VecVirtual) {
	sick := GP32()
	if s.wide {
		k := K()
		VCMPPS(Imm(3), health, health, k)
		KMOVW(k, sick)
	} else {
		VCMPPS(Imm(3), health, health, health)
		VMOVMSKPS(health, sick)
	}
	Store(sick, ReturnIndex(0))
	s.end()
}

// end returns; upper halves left dirty would slow down SSE code that follows.
func (s isa) end() {
	VZEROUPPER()
	RET()
}
