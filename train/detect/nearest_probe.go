package detect

import "math"

// probe holds rows of an atlas against blocks of another, or of the same one. It
// is one goroutine's own.
type probe struct {
	q      *atlas    // whose rows are held
	places []int32   // of the rows chosen for the block
	bound  []float32 // that each was chosen with
	x      []float32 // their sketches, each with one more number
	set    []uint64
	found  []pair
}

// choose forgets the rows chosen before.
func (p *probe) choose() { p.places, p.bound = p.places[:0], p.bound[:0] }

// offer chooses the row at place unless none of a block's rows can be as near
// as bound (see sketcher.bound).
func (p *probe) offer(a *atlas, block, place int, bound float32) {
	limit := bound + a.room[block] + p.q.room[place/leafRows]
	if rowGap(p.q.sketch[place*a.depth:][:a.depth], a.box(block), limit) <= limit {
		p.places = append(p.places, int32(place))
		p.bound = append(p.bound, bound)
	}
}

// within returns the pairs of a chosen place of q and a place of a, in the
// block, that may be as near as the bound that the row was offered with. All
// chosen rows are of one block of q. The next call overwrites the pairs.
//
// Rows with bounds r² of their own are compared with the largest, R²: a number
// more, √(R²-r²) where the block's rows have 0, adds the difference to every
// squared distance.
func (p *probe) within(a *atlas, block int) []pair {
	if len(p.places) == 0 {
		return nil
	}
	largest := float32(0)
	for _, b := range p.bound {
		largest = max(largest, b)
	}
	p.x = p.x[:0]
	depth := p.q.depth
	for i, place := range p.places {
		short := float64(largest) - float64(p.bound[i])
		p.x = append(append(p.x, p.q.sketch[int(place)*depth:][:depth]...), float32(math.Sqrt(short)))
	}
	slack := float32(1 + 2*a.slack())
	square := largest*slack + a.room[block] + p.q.room[p.places[0]/leafRows]
	p.found, p.set = a.panels[block].near(p.found[:0], p.set, p.x, square, p.places, int32(block*leafRows))
	return p.found
}

// apart says that no row of a block of q is as near as bound to one of a block of a.
func apart(q *atlas, other int, a *atlas, block int, bound float32) bool {
	limit := bound + q.room[other] + a.room[block]
	return boxGap(q.box(other), a.box(block), limit) > limit
}
