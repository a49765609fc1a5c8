package detect

import (
	"context"
	"math"

	"flowbench/data/parallel"
)

// leafRows is the rows of a block. Smaller blocks are farther apart, larger ones
// keep the products busy: with 64, 128 and 256 a row of 818,520 lies within 3 of
// the boxes of 12, 16 and 19 % of them.
const leafRows = 128

// atlas is rows in blocks of near ones, each with the box around its sketches.
// No pair of rows is ever stored. It takes rows·(cols + 4·depth) float32.
type atlas struct {
	*sketcher
	rows   int
	order  []int32   // place → row of the matrix that it was made of
	x      []float32 // the rows by place
	sketch []float32 // their sketches
	panels []panel   // a block's sketches, packed
	boxes  []side    // around a block's sketches, depth sides each
	room   []float32 // what rounding may add to a squared distance to a block's rows
}

// newAtlas lays out rows of x. chosen are the rows to take; nil takes all. It
// keeps neither, and returns early with ctx's error.
func newAtlas(ctx context.Context, s *sketcher, x []float32, chosen []int32) (*atlas, error) {
	if chosen == nil {
		chosen = make([]int32, len(x)/s.cols)
		for i := range chosen {
			chosen[i] = int32(i)
		}
	}
	a := &atlas{sketcher: s, rows: len(chosen)}
	sketch := make([]float32, a.rows*s.depth)
	parallel.Blocks(a.rows, 1024, func(lo, hi int) {
		if ctx.Err() != nil {
			return
		}
		centred := make([]float64, s.cols)
		for i := lo; i < hi; i++ {
			s.sketch(sketch[i*s.depth:][:s.depth], x[int(chosen[i])*s.cols:][:s.cols], centred)
		}
	})
	places, err := arrange(ctx, sketch, s.depth)
	if err != nil {
		return nil, err
	}
	a.x, a.sketch = make([]float32, a.rows*s.cols), make([]float32, a.rows*s.depth)
	a.order = make([]int32, a.rows)
	blocks := a.blocks()
	a.panels, a.room = make([]panel, blocks), make([]float32, blocks)
	a.boxes = make([]side, blocks*s.depth)
	parallel.Each(blocks, func(b int) {
		first, end := a.block(b)
		for i := first; i < end; i++ {
			from := int(places[i])
			a.order[i] = chosen[from]
			copy(a.x[i*s.cols:][:s.cols], x[int(chosen[from])*s.cols:])
			copy(a.sketch[i*s.depth:][:s.depth], sketch[from*s.depth:])
		}
		a.measure(b)
	})
	return a, ctx.Err()
}

func (a *atlas) blocks() int { return (a.rows + leafRows - 1) / leafRows }

// block returns the places of a block.
func (a *atlas) block(b int) (first, end int) {
	return b * leafRows, min((b+1)*leafRows, a.rows)
}

func (a *atlas) row(place int) []float32 { return a.x[place*a.cols:][:a.cols:a.cols] }

// measure fills in what is known of a block but its rows and sketches.
func (a *atlas) measure(b int) {
	first, end := a.block(b)
	depth := a.depth
	for k, box := 0, a.box(b); k < depth; k++ {
		lo, hi := float32(math.Inf(1)), float32(math.Inf(-1))
		for i := first; i < end; i++ {
			v := a.sketch[i*depth+k]
			lo, hi = min(lo, v), max(hi, v)
		}
		box[k] = side{lo, hi}
	}
	slack, longest := a.slack(), 0.0
	for i := first; i < end; i++ {
		square := 0.0
		for _, v := range a.sketch[i*depth:][:depth] {
			square += float64(v) * float64(v)
		}
		longest = max(longest, square)
	}
	a.room[b] = float32(longest * slack)
	a.panels[b] = newPanel("auto", a.sketch[first*depth:end*depth], depth)
}

// box is the box of a block.
func (a *atlas) box(block int) []side { return a.boxes[block*a.depth:][:a.depth:a.depth] }

// side is what a box covers of one dimension.
type side struct{ lo, hi float32 }

// rowGap is the squared distance of a sketch to a box, or any number above limit
// where it is above. It does without branches on what it compares, for none could
// be foretold: nearly twice as fast.
func rowGap(sketch []float32, box []side, limit float32) float32 {
	sum := float32(0)
	sketch = sketch[:len(box)]
	k := 0
	for ; k+4 <= len(box); k += 4 {
		x, b := sketch[k:k+4:k+4], box[k:k+4:k+4]
		d0 := min(x[0]-b[0].lo, b[0].hi-x[0], 0)
		d1 := min(x[1]-b[1].lo, b[1].hi-x[1], 0)
		d2 := min(x[2]-b[2].lo, b[2].hi-x[2], 0)
		d3 := min(x[3]-b[3].lo, b[3].hi-x[3], 0)
		sum += float32(d0*d0) + float32(d1*d1) + (float32(d2*d2) + float32(d3*d3))
		if sum > limit {
			return sum
		}
	}
	for ; k < len(box); k++ {
		d := min(sketch[k]-box[k].lo, box[k].hi-sketch[k], 0)
		sum += float32(d * d)
	}
	return sum
}

// boxGap is rowGap of two boxes.
func boxGap(a, b []side, limit float32) float32 {
	sum := float32(0)
	b = b[:len(a)]
	for k, s := range a {
		d := min(s.hi-b[k].lo, b[k].hi-s.lo, 0)
		if sum += float32(d * d); sum > limit {
			break
		}
	}
	return sum
}

// middleGap is the squared distance of the middles of two boxes.
func middleGap(a, b []side) float32 {
	sum := float32(0)
	for k, s := range a {
		d := (s.lo + s.hi - b[k].lo - b[k].hi) / 2
		sum += float32(d * d)
	}
	return sum
}

// key is a row's number in one dimension of the sketches. Rows with equal
// numbers are ordered by place, so that no order is left to chance.
type key struct {
	value float32
	place int32
}

func (k key) less(o key) bool { return k.value < o.value || k.value == o.value && k.place < o.place }

// arrange returns the rows of sketches in the order of their blocks: halved,
// at a whole number of blocks, across the dimension in which they vary most,
// until a block is left (Bentley 1975, Friedman, Bentley and Finkel 1977).
func arrange(ctx context.Context, sketch []float32, depth int) ([]int32, error) {
	rows := len(sketch) / depth
	places := make([]int32, rows)
	for i := range places {
		places[i] = int32(i)
	}
	keys := make([]key, rows)
	// Both halves of a cut are independent: each level is one list of pieces.
	for pieces := [][2]int{{0, rows}}; len(pieces) > 0; {
		halves := make([][2][2]int, len(pieces))
		parallel.Each(len(pieces), func(i int) {
			if lo, hi := pieces[i][0], pieces[i][1]; hi-lo > leafRows && ctx.Err() == nil {
				blocks := (hi - lo + leafRows - 1) / leafRows
				cut := lo + blocks/2*leafRows
				halve(places[lo:hi], keys[lo:hi], sketch, depth, cut-lo)
				halves[i] = [2][2]int{{lo, cut}, {cut, hi}}
			}
		})
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		pieces = pieces[:0]
		for _, h := range halves {
			if h[1][1] > 0 {
				pieces = append(pieces, h[0], h[1])
			}
		}
	}
	return places, nil
}

// halve puts the cut smallest of places first.
func halve(places []int32, keys []key, sketch []float32, depth, cut int) {
	dimension := widest(places, sketch, depth)
	for i, p := range places {
		keys[i] = key{sketch[int(p)*depth+dimension], p}
	}
	partition(keys, cut)
	for i, k := range keys {
		places[i] = k.place
	}
}

// widest is the dimension of the largest variance among at most some thousand
// of the places, the first of equals.
func widest(places []int32, sketch []float32, depth int) int {
	step := len(places)/1024 + 1
	best, most := 0, -1.0
	for k := range depth {
		var n, sum, squares float64
		for i := 0; i < len(places); i += step {
			v := float64(sketch[int(places[i])*depth+k])
			n++
			sum += v
			squares += v * v
		}
		if spread := squares - sum*sum/n; spread > most {
			best, most = k, spread
		}
	}
	return best
}

// partition moves the n smallest keys to the front: Hoare's selection with the
// median of three.
func partition(keys []key, n int) {
	for len(keys) > 1 && n > 0 && n < len(keys) {
		at := len(keys) / 2
		a, b, c := keys[0], keys[at], keys[len(keys)-1]
		if b.less(a) {
			a, b = b, a
		}
		if c.less(b) {
			b = c
			if b.less(a) {
				b = a
			}
		}
		i, j := 0, len(keys)-1
		for i <= j {
			for keys[i].less(b) {
				i++
			}
			for b.less(keys[j]) {
				j--
			}
			if i <= j {
				keys[i], keys[j] = keys[j], keys[i]
				i++
				j--
			}
		}
		switch { // keys[:j+1] ≤ b ≤ keys[i:]
		case n <= j:
			keys = keys[:j+1]
		case n >= i:
			keys, n = keys[i:], n-i
		default:
			return
		}
	}
}
