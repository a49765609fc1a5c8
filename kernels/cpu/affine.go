package cpu

import "math"

// Affine is the map of rows x to x·Wᵀ + b: the coordinates of points along the
// rows of W. An element's bits depend on its row of x, of W and its b alone, not
// on where they stand among others, and are the same for AVX2 and AVX-512. What
// is set may be used on several threads at once; nothing but New allocates.
type Affine struct {
	level  level
	packed packed
}

// NewAffine packs vectors, the rows of W, of cols numbers each, and their biases,
// or nil for zeros. It keeps neither. simd is as in Open.
func NewAffine(simd string, vectors, bias []float32, cols int) (*Affine, error) {
	if cols < 1 || len(vectors) == 0 || len(vectors)%cols != 0 || bias != nil && len(bias) != len(vectors)/cols {
		panic("cpu: vectors are not whole rows, or none, or biases are not one each")
	}
	l, err := parseLevel(simd)
	if err != nil {
		return nil, err
	}
	c := &compiler{level: l}
	p := c.pack(vectors, bias, cols, len(vectors)/cols, true)
	for i := range blocks(p.cols, p.width()) {
		p.panel(i)
	}
	if l == plain {
		p.bias = append([]float32(nil), bias...)
		if bias == nil {
			p.bias = nil
		}
	} else {
		p.bias = nil // panel has copied it
	}
	p.source = nil
	return &Affine{level: l, packed: *p}, nil
}

// Len is the number of vectors, Cols how many numbers each has.
func (a *Affine) Len() int  { return a.packed.cols }
func (a *Affine) Cols() int { return a.packed.depth }

// Apply writes the image of every row of x: dst is rows × Len. It does not
// overlap x.
func (a *Affine) Apply(dst, x []float32) {
	rows := len(x) / a.packed.depth
	if rows*a.packed.depth != len(x) || len(dst) != rows*a.packed.cols {
		panic("cpu: x is not whole rows, or room is for other than their images")
	}
	if rows > 0 {
		a.level.product(dst, x, rows, &a.packed, float32(math.Inf(-1)))
	}
}

// SquareSums writes the sum of squares of each image, rows × Len, in float64.
func (a *Affine) SquareSums(sums []float64, images []float32) {
	if len(images) != len(sums)*a.packed.cols {
		panic("cpu: room for other than a sum an image")
	}
	if len(sums) > 0 {
		a.level.squareSums(sums, images, a.packed.cols)
	}
}

// SquareSums writes the sum of squares of each row of x, which has cols numbers a
// row, in float64, at the fastest level there is.
func SquareSums(sums []float64, x []float32, cols int) {
	if cols < 1 || len(x) != len(sums)*cols {
		panic("cpu: room for other than a sum a row")
	}
	if len(sums) > 0 {
		highest().squareSums(sums, x, cols)
	}
}
