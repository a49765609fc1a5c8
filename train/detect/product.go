package detect

// The float32 products that the detectors are made of, each described by the
// slow loop that it equals but for rounding. An element's bits depend on the
// operands that it is made of alone: not on its place, nor on how many rows are
// computed with it.

// tile is the edge of the square of a product that stays in registers.
const tile = 4

// operand is the right-hand side of products: a matrix with its columns as
// vectors, and a bias for each. It is packed once and then only read.
type operand struct {
	depth, cols int
	panels      [][tile]float32 // tile columns, depth long, one after the other
	bias        []float32       // padded to whole tiles
}

// newOperand packs vectors, which are cols×depth. A nil bias is 0. It keeps
// neither.
func newOperand(vectors, bias []float32, depth, cols int) *operand {
	panels := (cols + tile - 1) / tile
	o := &operand{depth: depth, cols: cols, panels: make([][tile]float32, panels*depth), bias: make([]float32, panels*tile)}
	for c := range cols {
		panel := o.panels[c/tile*depth:]
		for k, v := range vectors[c*depth : (c+1)*depth] {
			panel[k][c%tile] = v
		}
	}
	copy(o.bias, bias)
	return o
}

// product is
//
//	dst[i*cols+c] = bias[c] + Σ_k x[i*depth+k]·vectors[c*depth+k]
//
// for n rows of x. dst and x do not overlap.
func (o *operand) product(dst, x []float32, n int) {
	for c := 0; c < o.cols; c += tile {
		panel, width := o.panels[c/tile*o.depth:][:o.depth], min(tile, o.cols-c)
		for i := range n {
			sum := o.row(panel, x[i*o.depth:(i+1)*o.depth], c)
			copy(dst[i*o.cols+c:][:width], sum[:])
		}
	}
}

func (o *operand) row(panel [][tile]float32, x []float32, c int) [tile]float32 {
	s0, s1, s2, s3 := o.bias[c], o.bias[c+1], o.bias[c+2], o.bias[c+3]
	for k, v := range x {
		w := &panel[k]
		s0 += float32(v * w[0])
		s1 += float32(v * w[1])
		s2 += float32(v * w[2])
		s3 += float32(v * w[3])
	}
	return [tile]float32{s0, s1, s2, s3}
}

// gram is
//
//	dst[a*cols+b] = Σ_i x[i*cols+a]·x[i*cols+b],  a ≤ b
//
// over n rows of x. What it leaves below the diagonal means nothing. dst and x
// do not overlap.
func gram(dst, x []float32, n, cols int) {
	clear(dst[:cols*cols])
	for i := range n {
		row := x[i*cols : (i+1)*cols]
		for a, v := range row {
			if v == 0 {
				continue
			}
			to := dst[a*cols : (a+1)*cols]
			for b := a; b < cols; b++ {
				to[b] += float32(v * row[b])
			}
		}
	}
}
