package detect

// The one loop that neighbours cost time in. panel is its right-hand side.

// pair is a row and a column of a product.
type pair struct{ row, col int32 }

// panelWidth is how many columns a panel keeps together.
const panelWidth = 4

// panel is a block's sketches as the columns of products, packed once.
type panel struct {
	depth, cols int
	quads       [][panelWidth]float32 // depth after depth, panelWidth columns at a time
	half        []float32
}

// newPanel packs len(half) sketches.
func newPanel(sketch, half []float32, depth int) panel {
	cols := len(half)
	p := panel{depth: depth, cols: cols, half: half}
	p.quads = make([][panelWidth]float32, (cols+panelWidth-1)/panelWidth*depth)
	for c := range cols {
		for k := range depth {
			p.quads[c/panelWidth*depth+k][c%panelWidth] = sketch[c*depth+k]
		}
	}
	return p
}

// near appends to found every pair of a row i of x and a column j for which
//
//	Σ_k x[i*depth+k]·sketch[j][k] ≥ limit[i] + half[j]
//
// up to float32 rounding, by rows within columns or by columns within rows. With
// limit[i] half the squared length of x[i] less half a squared radius, those are
// the pairs within the radius.
func (p *panel) near(found []pair, x, limit []float32) []pair {
	for q := 0; q < p.cols; q += panelWidth {
		quad := p.quads[q/panelWidth*p.depth:][:p.depth]
		var half [panelWidth]float32
		width := copy(half[:], p.half[q:])
		for i, l := range limit {
			s := dot4(x[i*p.depth:][:p.depth], quad)
			for c, h := range half[:width] {
				if s[c] >= l+h {
					found = append(found, pair{int32(i), int32(q + c)})
				}
			}
		}
	}
	return found
}

// dot4 is x times four columns, one accumulator each.
//
//go:noinline
func dot4(x []float32, quad [][panelWidth]float32) [panelWidth]float32 {
	var s0, s1, s2, s3 float32
	x = x[:len(quad)]
	for k := range quad {
		w, v := &quad[k], x[k]
		s0 += float32(v * w[0])
		s1 += float32(v * w[1])
		s2 += float32(v * w[2])
		s3 += float32(v * w[3])
	}
	return [panelWidth]float32{s0, s1, s2, s3}
}
