package detect

// probe holds rows of an atlas against blocks of another, or of the same one. It
// is one goroutine's own.
type probe struct {
	q      *atlas    // whose rows are held
	places []int32   // of the rows chosen for the block
	sketch []float32 // their sketches
	limit  []float32 // what their products must reach
	found  []pair
}

// choose forgets the rows chosen before.
func (p *probe) choose() {
	p.places, p.sketch, p.limit = p.places[:0], p.sketch[:0], p.limit[:0]
}

// offer chooses the row at place unless none of a block's rows can be as near
// as bound (see sketcher.bound).
func (p *probe) offer(a *atlas, block, place int, bound float32) {
	q := p.q
	limit := bound + a.room[block] + float32(2.01*q.slack())*q.half[place]
	if a.rowGap(block, q, place, limit) > limit {
		return
	}
	p.places = append(p.places, int32(place))
	p.sketch = append(p.sketch, q.sketch[place*q.depth:][:q.depth]...)
	p.limit = append(p.limit, q.half[place]-bound/2)
}

// within returns the pairs of a place of q and a place of a, in the block, that
// may be as near as the bound the row was offered with. The next call
// overwrites them.
func (p *probe) within(a *atlas, block int) []pair {
	if len(p.places) == 0 {
		return nil
	}
	p.found = a.panels[block].near(p.found[:0], p.sketch, p.limit)
	first := int32(block * leafRows)
	for i := range p.found {
		f := &p.found[i]
		f.row, f.col = p.places[f.row], first+f.col
	}
	return p.found
}

// apart says that no row of a block of q is as near as bound to one of a block of a.
func apart(q *atlas, other int, a *atlas, block int, bound float32) bool {
	limit := bound + q.room[other] + a.room[block]
	return a.blockGap(block, q, other, limit) > limit
}
