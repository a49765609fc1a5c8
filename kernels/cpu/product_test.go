package cpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

var (
	sampleCounts = []int{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 63, 64}
	widths       = []int{1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 78, 128}
	depths       = []int{1, 3, 4, 5, 16, 33, 78}
)

// rounding is how a level rounds a multiply-add.
func (l level) rounding() func(a, b, c float32) float32 {
	if l == plain {
		return twoRoundings
	}
	return oneRounding
}

// productCase is one product on one level beside its textbook loop.
type productCase struct {
	n, depth, cols int
	x, w, bias     []float32
	transposed     bool
	floor          float32
}

func (c productCase) packed(l level) *packed {
	p := (&compiler{level: l}).pack(c.w, c.bias, c.depth, c.cols, c.transposed)
	for i := range blocks(c.cols, p.width()) {
		p.panel(i)
	}
	return p
}

// textbook is what the product must give, and whether all sums are finite.
func (c productCase) textbook(l level) ([]float32, bool) {
	y, w := make([]float32, c.n*c.cols), c.w
	if c.transposed {
		w = transposed(c.w, c.cols, c.depth)
	}
	for i := range y {
		if c.bias != nil && l != plain {
			y[i] = c.bias[i%c.cols]
		}
	}
	textbookProduct(y, c.x, w, c.n, c.depth, c.cols, l.rounding())
	if c.bias != nil && l == plain {
		for i := range y {
			y[i] += c.bias[i%c.cols]
		}
	}
	ok := true
	for i, v := range y {
		ok = ok && v-v == 0
		if v < c.floor {
			y[i] = c.floor
		}
	}
	return y, ok
}

func transposed(w []float32, rows, cols int) []float32 {
	t := make([]float32, len(w))
	for i := range rows {
		for j := range cols {
			t[j*rows+i] = w[i*cols+j]
		}
	}
	return t
}

func (c productCase) check(t testing.TB, l level) {
	t.Helper()
	what := fmt.Sprintf("%v: %d×%d·%d×%d, transposed %v", l, c.n, c.depth, c.depth, c.cols, c.transposed)
	y, x, w := newFenced(c.n*c.cols), fencedCopy(c.x), c.packed(l)
	ok := l.product(y.v, x.v, c.n, w, c.floor)
	want, wantOK := c.textbook(l)
	if l == plain { // max(-0, 0) is 0 in Go and may be either in a register
		for i := range want {
			y.v[i], want[i] = y.v[i]+0, want[i]+0
		}
	}
	sameBits(t, what, y.v, want)
	if ok != wantOK {
		t.Fatalf("%s: finite is %v, want %v", what, ok, wantOK)
	}
	y.check(t, what)
	sameBits(t, what+": x afterwards", x.v, c.x)
}

func TestProductEqualsTextbook(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for l := plain; l <= highest(); l++ {
		for i, n := range sampleCounts {
			for j, cols := range widths {
				depth := depths[(i+j)%len(depths)]
				c := productCase{n: n, depth: depth, cols: cols, x: normals(rng, n*depth), w: normals(rng, depth*cols),
					floor: float32(math.Inf(-1)), transposed: (i+j)%3 == 0}
				if j%2 == 0 {
					c.bias = normals(rng, cols)
				}
				if i%2 == 0 {
					c.floor = 0
				}
				c.check(t, l)
			}
		}
	}
}

// A NaN or an infinity must come out as one, and be reported, wherever it stands.
func TestProductReportsNonFinite(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for l := plain; l <= highest(); l++ {
		for _, n := range []int{1, 5, 9, 17} {
			for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
				const depth, cols = 6, 37
				for i := range n * depth {
					c := productCase{n: n, depth: depth, cols: cols, x: normals(rng, n*depth), w: normals(rng, depth*cols), bias: normals(rng, cols)}
					c.x[i] = bad
					c.check(t, l)
				}
				for _, j := range []int{0, 15, 16, 31, 32, cols - 1} {
					c := productCase{n: n, depth: depth, cols: cols, x: normals(rng, n*depth), w: normals(rng, depth*cols), bias: normals(rng, cols)}
					c.bias[j] = bad
					c.check(t, l)
				}
			}
		}
	}
}

// outerCase is one sum over samples on one level beside its textbook loop.
type outerCase struct {
	n, in, out int
	x, dz      []float32
}

func (c outerCase) check(t testing.TB, l level) {
	t.Helper()
	what := fmt.Sprintf("%v: %d samples, %d×%d", l, c.n, c.in, c.out)
	comp := &compiler{level: l, widest: max(c.in, c.out)}
	sum := comp.sum(nil, c.in, c.out)
	w := comp.newWorker()
	dw, start := newFenced(sum.padded*sum.stride), make([]float32, c.in*c.out)
	for i := range dw.v {
		dw.v[i] = sentinel // fresh must not read it
	}
	x, dz := withMargin(c.x), withMargin(c.dz)
	for _, fresh := range []bool{true, false} {
		l.outer(dw.v, sum, x, dz, c.n, fresh, w)
		textbookOuter(start, c.x, c.dz, c.n, c.in, c.out, l.rounding())
		got := make([]float32, 0, c.in*c.out)
		for k := range c.in {
			got = append(got, dw.v[k*sum.stride:][:c.out]...)
		}
		sameBits(t, what, got, start)
		dw.check(t, what)
	}
	sameBits(t, what+": x afterwards", x, c.x)
	sameBits(t, what+": dz afterwards", dz, c.dz)
}

func (c outerCase) checkColumnSums(t testing.TB, l level) {
	t.Helper()
	what := fmt.Sprintf("%v: column sums of %d×%d", l, c.n, c.out)
	sum := (&compiler{level: l}).vectorSum(nil, c.out)
	db, want, dz := newFenced(sum.stride), make([]float32, c.out), withMargin(c.dz)
	for i := range db.v {
		db.v[i] = sentinel
	}
	for _, fresh := range []bool{true, false} {
		l.columnSums(db.v, sum, dz, c.n, fresh)
		for i, v := range c.dz {
			want[i%c.out] += v
		}
		sameBits(t, what, db.v[:c.out], want)
		db.check(t, what)
	}
	sameBits(t, what+": dz afterwards", dz, c.dz)
}

// withMargin is a copy of v with what a routine may read behind it: NaN, which
// may end up in padding only.
func withMargin(v []float32) []float32 {
	room := make([]float32, len(v)+margin)
	copy(room, v)
	for i := len(v); i < len(room); i++ {
		room[i] = sentinel
	}
	return room[:len(v)]
}

func TestSumsEqualTextbook(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for l := plain; l <= highest(); l++ {
		for i, n := range sampleCounts {
			for j, out := range widths {
				in := widths[(i+3*j)%len(widths)]
				c := outerCase{n: n, in: in, out: out, x: normals(rng, n*in), dz: normals(rng, n*out)}
				c.check(t, l)
				c.checkColumnSums(t, l)
			}
		}
	}
}

// FuzzProducts holds the products of every level against the textbook with any
// bits as numbers.
func FuzzProducts(f *testing.F) {
	f.Add(uint8(9), uint8(5), uint8(17), uint8(0), []byte{0, 0, 128, 63, 0, 0, 0, 64})
	f.Add(uint8(3), uint8(8), uint8(33), uint8(3), []byte{0, 0, 192, 127, 1, 0, 0, 0, 0, 0, 128, 255})
	f.Fuzz(func(t *testing.T, n, depth, cols, how uint8, data []byte) {
		next := numbers(data)
		c := productCase{n: int(n)%70 + 1, depth: int(depth)%40 + 1, cols: int(cols)%70 + 1, transposed: how&1 != 0}
		c.x, c.w = next(c.n*c.depth), next(c.depth*c.cols)
		if how&2 != 0 {
			c.bias = next(c.cols)
		}
		if c.floor = float32(math.Inf(-1)); how&4 != 0 {
			c.floor = 0
		}
		o := outerCase{n: min(c.n, sliceRows), in: c.depth, out: c.cols}
		o.x, o.dz = next(o.n*o.in), next(o.n*o.out)
		for l := plain; l <= highest(); l++ {
			c.check(t, l)
			o.check(t, l)
			o.checkColumnSums(t, l)
		}
	})
}

// numbers reads float32 bits from data, over and over, each time changed a bit.
func numbers(data []byte) func(n int) []float32 {
	at, round := 0, uint32(0)
	return func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			if len(data) < 4 {
				v[i] = float32(i)
				continue
			}
			if at+4 > len(data) {
				at, round = 0, round+1
			}
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[at:]) ^ round)
			at += 4
		}
		return v
	}
}
