package detect

import "math"

// The loop that finding neighbours spends its time in. panel is its right-hand
// side.

// pair is a row and a column of a product.
type pair struct{ row, col int32 }

// panelWidth is how many columns a panel keeps together: a register tile of one
// row and four columns is what plain Go does fastest (see kernels/cpu/plain.go).
const panelWidth = 4

// panel is a block's sketches as the columns of products, packed once.
type panel struct {
	depth, cols int
	quads       [][panelWidth]float32 // depth after depth, panelWidth columns at a time
	start       [][panelWidth]float32 // minus half
}

// newPanel packs len(half) sketches.
func newPanel(sketch, half []float32, depth int) panel {
	cols := len(half)
	count := (cols + panelWidth - 1) / panelWidth
	p := panel{depth: depth, cols: cols, quads: make([][panelWidth]float32, count*depth), start: make([][panelWidth]float32, count)}
	for c := range count * panelWidth {
		if c >= cols {
			p.start[c/panelWidth][c%panelWidth] = -math.MaxFloat32 // near nothing
			continue
		}
		p.start[c/panelWidth][c%panelWidth] = -half[c]
		for k := range depth {
			p.quads[c/panelWidth*depth+k][c%panelWidth] = sketch[c*depth+k]
		}
	}
	return p
}

// near appends to found every pair of a row i of x and a column j for which
//
//	Σ_k x[i*depth+k]·sketch[j][k] - half[j] ≥ limit[i]
//
// up to float32 rounding, in any order. With limit[i] half the squared length of
// x[i] less half a squared radius, those are the pairs within the radius.
func (p *panel) near(found []pair, x, limit []float32) []pair {
	for q := range p.start {
		quad, h := p.quads[q*p.depth:][:p.depth], &p.start[q]
		at := int32(q * panelWidth)
		for i, l := range limit {
			a, b, c, d := tile4(h[0], h[1], h[2], h[3], x[i*p.depth:][:p.depth], quad)
			if a < l && b < l && c < l && d < l {
				continue
			}
			for k, s := range [panelWidth]float32{a, b, c, d} {
				if s >= l {
					found = append(found, pair{int32(i), at + int32(k)})
				}
			}
		}
	}
	return found
}

// tile4 adds x times four columns to four numbers, one accumulator each. Inlined
// it runs slower: its counter then goes through the stack.
//
//go:noinline
func tile4(a, b, c, d float32, x []float32, quad [][panelWidth]float32) (float32, float32, float32, float32) {
	x = x[:len(quad)]
	for k := range quad {
		w, v := &quad[k], x[k]
		a += float32(v * w[0])
		b += float32(v * w[1])
		c += float32(v * w[2])
		d += float32(v * w[3])
	}
	return a, b, c, d
}
