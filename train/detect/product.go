package detect

import "flowbench/kernels/cpu"

// The float32 products that the detectors are made of. An element's bits depend
// on the operands that it is made of alone: not on its place, nor on how many
// rows are computed with it.

// operand is the right-hand side of products: a matrix with its columns as
// vectors, and a bias for each. It is packed once and then only read.
type operand struct {
	cols   int // vectors
	affine *cpu.Affine
}

// newOperand packs vectors, which are cols×depth. A nil bias is 0. It keeps
// neither.
func newOperand(vectors, bias []float32, depth, cols int) *operand {
	if cols == 0 {
		return &operand{}
	}
	affine, err := cpu.NewAffine(simd, vectors, bias, depth)
	if err != nil {
		panic("detect: " + err.Error())
	}
	return &operand{cols, affine}
}

// simd is the level of kernels/cpu: the fastest there is, which always is one.
const simd = "auto"

// product is
//
//	dst[i*cols+c] = bias[c] + Σ_k x[i*depth+k]·vectors[c*depth+k]
//
// for n rows of x. dst, which may be longer, and x do not overlap.
func (o *operand) product(dst, x []float32, n int) {
	if o.cols > 0 && n > 0 {
		o.affine.Apply(dst[:n*o.cols], x[:n*o.affine.Cols()])
	}
}

// squareSums writes the sum of squares of each row of a product.
func (o *operand) squareSums(dst []float64, products []float32) {
	if o.cols == 0 {
		clear(dst)
		return
	}
	o.affine.SquareSums(dst, products[:len(dst)*o.cols])
}

// newGram sums outer products of rows.
func newGram(cols int) *cpu.Gram {
	g, err := cpu.NewGram(simd, cols)
	if err != nil {
		panic("detect: " + err.Error())
	}
	return g
}

// newPointSet is what distances to rows are measured with.
func newPointSet(rows []float32, cols int) *cpu.Points {
	p, err := cpu.NewPoints(simd, len(rows)/cols, cols)
	if err != nil {
		panic("detect: " + err.Error())
	}
	p.Set(rows)
	return p
}
