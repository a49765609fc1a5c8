package cpu

import "math"

// Points is a set of points that distances are measured to: centroids, or a
// block of a data set. Squared distances come as ‖x‖² - 2x·y + ‖y‖² from a packed
// product, so that many of them cost little more than the product; what is left
// of that sum after cancellation is off by up to
// (2·columns+8)·2⁻²⁴·(‖x‖²+‖y‖²), and never negative. Points that must be told
// apart by less should be moved towards the origin first.
//
// The distance of x to y is that of y to x, and the same bits wherever they stand
// among others, whichever method finds it, for AVX2 and AVX-512 alike. The methods run on the caller's thread and allocate nothing. All
// but Set may run on several threads at once.
type Points struct {
	level  level
	packed packed
	scaled []float32 // -2 times the points
	norms  []float32 // ‖y‖², +Inf in the padding
	count  int
	most   int
}

// NewPoints makes room for up to most points of cols numbers; simd is as in Open.
func NewPoints(simd string, most, cols int) (*Points, error) {
	if most < 1 || cols < 1 {
		panic("cpu: room for no point, or for points of no number")
	}
	l, err := parseLevel(simd)
	if err != nil {
		return nil, err
	}
	p := &Points{level: l, most: most, scaled: make([]float32, most*cols), norms: make([]float32, roundUp(most, 2*panelWidth))}
	p.packed = packed{transposed: true, depth: cols}
	if l == plain {
		p.packed.quads = make([][plainWidth]float32, cols*blocks(roundUp(most, panelWidth), plainWidth))
	} else {
		p.packed.panels = make([]float32, cols*roundUp(most, panelWidth))
		p.packed.start = make([]float32, len(p.norms))
	}
	return p, nil
}

// Len is the number of points that were set.
func (p *Points) Len() int { return p.count }

// Cols is how many numbers a point has.
func (p *Points) Cols() int { return p.packed.depth }

// Set replaces the points by those of rows, which it copies: row after row, as
// many as there is room for at most.
func (p *Points) Set(rows []float32) {
	cols := p.packed.depth
	n := len(rows) / cols
	if n*cols != len(rows) || n > p.most || n == 0 {
		panic("cpu: points are not whole rows, or none, or more than there is room for")
	}
	p.count, p.packed.cols, p.packed.source = n, n, p.scaled[:len(rows)]
	for i, v := range rows {
		p.scaled[i] = -2 * v
	}
	p.level.norms(p.norms[:n], rows, cols)
	for i := n; i < len(p.norms); i++ {
		p.norms[i] = float32(math.Inf(1))
	}
	clear(p.packed.panels)
	clear(p.packed.quads)
	for i := range blocks(n, p.packed.width()) {
		p.packed.panel(i)
	}
}

// norms is ‖x‖² of each row, summed in float64.
func (l level) norms(dst, x []float32, cols int) {
	var sums [sliceRows]float64
	for len(dst) > 0 {
		n := min(len(dst), len(sums))
		l.squareSums(sums[:n], x[:n*cols], cols)
		for i, v := range sums[:n] {
			dst[i] = float32(v)
		}
		dst, x = dst[n:], x[n*cols:]
	}
}

// squareSums is the sum of squares of each row of x.
func (l level) squareSums(sums []float64, x []float32, cols int) {
	switch l {
	case avx512:
		squareSumsAVX512(&sums[0], &x[0], len(sums), cols)
	case avx2:
		squareSumsAVX2(&sums[0], &x[0], len(sums), cols)
	default:
		plainSquareSums(sums, x, cols)
	}
}

func plainSquareSums(sums []float64, x []float32, cols int) {
	for i := range sums {
		var partial partialSums
		for j, v := range x[i*cols:][:cols] {
			partial[j%16] += float64(float64(v) * float64(v))
		}
		sums[i] = partial.fold()
	}
}

// rows is the number of rows of x.
func (p *Points) rows(x []float32) int {
	rows := len(x) / p.packed.depth
	if rows*p.packed.depth != len(x) || p.count == 0 {
		panic("cpu: x is not whole rows, or no points are set")
	}
	return rows
}

// slice is up to sliceRows rows of x, from row first on, and their norms, which
// lie in room.
func (p *Points) slice(x []float32, first int, room *[sliceRows]float32) (rows, norms []float32) {
	cols := p.packed.depth
	n := min(sliceRows, len(x)/cols-first)
	rows, norms = x[first*cols:][:n*cols], room[:n]
	p.level.norms(norms, rows, cols)
	return rows, norms
}

// Distances writes the squared distance of every row of x to every point:
// dst is rows × Len. A NaN or an infinity in x or in a point gives NaN, or +Inf.
func (p *Points) Distances(dst, x []float32) {
	rows := p.rows(x)
	if len(dst) != rows*p.count {
		panic("cpu: room for other than rows × points distances")
	}
	var room [sliceRows]float32
	for first := 0; first < rows; first += sliceRows {
		part, norms := p.slice(x, first, &room)
		d := dst[first*p.count:][:len(norms)*p.count]
		p.level.product(d, part, len(norms), &p.packed, float32(math.Inf(-1)))
		p.level.addNorms(d, norms, p.norms[:p.count])
	}
}

// addNorms turns products v = -2x·y into max(‖x‖² + ‖y‖² + v, 0).
func (l level) addNorms(v, xnorms, ynorms []float32) {
	switch l {
	case avx512:
		addNormsAVX512(&v[0], &xnorms[0], &ynorms[0], len(xnorms), len(ynorms))
	case avx2:
		addNormsAVX2(&v[0], &xnorms[0], &ynorms[0], len(xnorms), len(ynorms))
	default:
		plainAddNorms(v, xnorms, ynorms)
	}
}

func plainAddNorms(v, xnorms, ynorms []float32) {
	for i, x := range xnorms {
		row := v[i*len(ynorms):][:len(ynorms)]
		for j, y := range ynorms {
			row[j] = max(x+y+row[j], 0)
		}
	}
}

// tileCols is how many points are compared at once: with sliceRows rows their
// distances, 32 KB, stay in a first-level cache.
const tileCols = 128

type distanceTile [sliceRows * tileCols]float32

// tile fills t with the products of n rows of x and up to tileCols points, from
// point from on, and returns the norms of those: whole panels, +Inf where there
// is no point.
func (p *Points) tile(t *distanceTile, n int, x []float32, from int) (ynorms []float32) {
	width := min(tileCols, roundUp(p.count-from, panelWidth))
	p.level.columns(t[:n*width], width, x, n, &p.packed, from, from+width, float32(math.Inf(-1)))
	return p.norms[from : from+width]
}

// Nearest finds the point nearest to each row of x, the first of several as near,
// and its squared distance; distance may be nil. A NaN is never the nearest: a
// row with no distance below +Inf gets point 0, at +Inf or, if the row itself
// holds a NaN, at NaN.
func (p *Points) Nearest(index []int32, distance, x []float32) {
	rows := p.rows(x)
	if len(index) != rows || distance != nil && len(distance) != rows {
		panic("cpu: room for other than an index and a distance a row")
	}
	var tile distanceTile
	var room, leasts [sliceRows]float32
	for first := 0; first < rows; first += sliceRows {
		part, xnorms := p.slice(x, first, &room)
		least, best := leasts[:len(xnorms)], index[first:first+len(xnorms)]
		clear(best)
		for i := range least {
			least[i] = float32(math.Inf(1))
		}
		for from := 0; from < p.count; from += tileCols {
			ynorms := p.tile(&tile, len(xnorms), part, from)
			p.level.nearest(least, best, tile[:], xnorms, ynorms, from)
		}
		for i, norm := range xnorms {
			if norm != norm {
				least[i] = norm
			}
		}
		if distance != nil {
			copy(distance[first:], least)
		}
	}
}

// nearest keeps in least and index the least distance of each row so far, and
// its number; the first of ynorms is that of point base.
func (l level) nearest(least []float32, index []int32, v, xnorms, ynorms []float32, base int) {
	switch l {
	case avx512:
		nearestAVX512(&least[0], &index[0], &v[0], &xnorms[0], &ynorms[0], int32(base), len(least), len(ynorms))
	case avx2:
		nearestAVX2(&least[0], &index[0], &v[0], &xnorms[0], &ynorms[0], int32(base), len(least), len(ynorms))
	default:
		plainNearest(least, index, v, xnorms, ynorms, base)
	}
}

func plainNearest(least []float32, index []int32, v, xnorms, ynorms []float32, base int) {
	for i, x := range xnorms {
		row := v[i*len(ynorms):][:len(ynorms)]
		for j, y := range ynorms {
			if d := max(x+y+row[j], 0); d < least[i] {
				least[i], index[i] = d, int32(base+j)
			}
		}
	}
}

// TwoNearest is Nearest for rows and points without NaN and infinities, which
// finds the least distance but one besides: +Inf where there is one point. norms
// are the rows' squared lengths, SquareSums rounded to float32. There may be at
// most 2²⁴ points.
func (p *Points) TwoNearest(index []int32, distance, second, x, norms []float32) {
	rows := p.rows(x)
	if len(index) != rows || len(distance) != rows || len(second) != rows || len(norms) != rows {
		panic("cpu: other than a norm, and room for an index and two distances, a row")
	}
	var tile distanceTile
	for i := range index {
		index[i], distance[i], second[i] = 0, float32(math.Inf(1)), float32(math.Inf(1))
	}
	for first := 0; first < rows; first += sliceRows {
		end := min(first+sliceRows, rows)
		part, xnorms := x[first*p.packed.depth:end*p.packed.depth], norms[first:end]
		for from := 0; from < p.count; from += tileCols {
			ynorms := p.tile(&tile, len(xnorms), part, from)
			p.level.twoNearest(distance[first:end], second[first:end], index[first:end], tile[:], xnorms, ynorms, from)
		}
	}
}

// twoNearest is nearest that keeps the least distance but one in second.
func (l level) twoNearest(least, second []float32, index []int32, v, xnorms, ynorms []float32, base int) {
	switch l {
	case avx512:
		twoNearestAVX512(&least[0], &second[0], &index[0], &v[0], &xnorms[0], &ynorms[0], int32(base), len(least), len(ynorms))
	case avx2:
		twoNearestAVX2(&least[0], &second[0], &index[0], &v[0], &xnorms[0], &ynorms[0], int32(base), len(least), len(ynorms))
	default:
		plainTwoNearest(least, second, index, v, xnorms, ynorms, base)
	}
}

func plainTwoNearest(least, second []float32, index []int32, v, xnorms, ynorms []float32, base int) {
	for i, x := range xnorms {
		row := v[i*len(ynorms):][:len(ynorms)]
		for j, y := range ynorms {
			d := max(x+y+row[j], 0)
			second[i] = min(second[i], max(least[i], d))
			if d < least[i] {
				least[i], index[i] = d, int32(base+j)
			}
		}
	}
}

// Words is how many words of bits Within writes a row.
func (p *Points) Words() int { return blocks(p.count, 64) }

// Within sets bit j%64 of word j/64 of each row of bits where point j is within
// the radius, given as its square and less than +Inf, of that row of x, and
// clears all others; bits is rows × Words. A NaN is within no radius.
func (p *Points) Within(bits []uint64, x []float32, squaredRadius float32) {
	rows, words := p.rows(x), p.Words()
	switch {
	case len(bits) != rows*words:
		panic("cpu: room for other than rows × Words words")
	case !(squaredRadius < float32(math.Inf(1))):
		panic("cpu: an infinite radius")
	}
	clear(bits)
	var tile distanceTile
	var room [sliceRows]float32
	for first := 0; first < rows; first += sliceRows {
		part, xnorms := p.slice(x, first, &room)
		for from := 0; from < p.count; from += tileCols {
			ynorms := p.tile(&tile, len(xnorms), part, from)
			p.level.within(bits[first*words+from/64:], words, tile[:], xnorms, ynorms, squaredRadius)
		}
	}
}

// within sets the bits of a tile; rows of bits are words apart.
func (l level) within(bits []uint64, words int, v, xnorms, ynorms []float32, radius float32) {
	switch l {
	case avx512:
		withinAVX512(&bits[0], 8*words, &v[0], &xnorms[0], &ynorms[0], radius, len(xnorms), len(ynorms))
	case avx2:
		withinAVX2(&bits[0], 8*words, &v[0], &xnorms[0], &ynorms[0], radius, len(xnorms), len(ynorms))
	default:
		plainWithin(bits, words, v, xnorms, ynorms, radius)
	}
}

func plainWithin(bits []uint64, words int, v, xnorms, ynorms []float32, radius float32) {
	for i, x := range xnorms {
		row := v[i*len(ynorms):][:len(ynorms)]
		for j, y := range ynorms {
			if max(x+y+row[j], 0) <= radius {
				bits[i*words+j/64] |= 1 << (j % 64)
			}
		}
	}
}
