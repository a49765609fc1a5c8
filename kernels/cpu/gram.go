package cpu

// Gram adds up Σ weight·(x-shift)·(x-shift)ᵀ over rows x: what a covariance or a
// principal component analysis begins with. Blocks of 256 rows are summed in
// float32 and added up in float64, so that an element is off by up to about
// 258·2⁻²⁴ of the sum of its terms' magnitudes, for any number of rows; errors of
// both signs leave it far closer.
//
// The result is the same bits for AVX2 and AVX-512, and depends on how rows are
// split among calls of Add and among Grams: callers that use several threads cut
// the rows at fixed places and add the parts in a fixed order.
// A Gram serves one thread at a time; only NewGram allocates.
type Gram struct {
	level       level
	cols        int
	total       []float64 // the upper triangle is valid; padded as of is
	of          sum
	block       []float32
	left, right []float32 // sliceRows rows: x-shift, weighted and not
	worker      *worker   // for plain Go
}

// NewGram makes room for rows of cols numbers; simd is as in Open.
func NewGram(simd string, cols int) (*Gram, error) {
	if cols < 1 {
		panic("cpu: rows of no number")
	}
	l, err := parseLevel(simd)
	if err != nil {
		return nil, err
	}
	c := &compiler{level: l, widest: cols}
	g := &Gram{level: l, cols: cols, of: c.sum(nil, cols, cols), worker: c.newWorker()}
	g.total = make([]float64, c.sums)
	g.block = make([]float32, c.sums)
	g.left = make([]float32, sliceRows*cols+margin)
	g.right = make([]float32, sliceRows*cols+margin)
	return g, nil
}

// Reset begins a new sum.
func (g *Gram) Reset() { clear(g.total) }

// Add adds the rows of x. shift, a number a column, and weights, one a row, may be
// nil: zeros and ones.
func (g *Gram) Add(x, shift, weights []float32) {
	rows := len(x) / g.cols
	if rows*g.cols != len(x) || shift != nil && len(shift) != g.cols || weights != nil && len(weights) != rows {
		panic("cpu: x is not whole rows, or shift or weights do not fit it")
	}
	for first := 0; first < rows; first += sliceRows {
		n := min(sliceRows, rows-first)
		fresh, full := first%gramRows == 0, (first+n)%gramRows == 0
		left := g.left[:n*g.cols]
		copy(left, x[first*g.cols:])
		for i := 0; shift != nil && i < n; i++ {
			subtract(left[i*g.cols:][:g.cols], shift)
		}
		right := left
		if weights != nil {
			right = g.right[:n*g.cols]
			for i, w := range weights[first : first+n] {
				scaleTo(right[i*g.cols:][:g.cols], left[i*g.cols:], w)
			}
		}
		g.outer(left, right, n, fresh)
		if full || first+n == rows {
			g.collect()
		}
	}
}

// gramRows is the rows of a block.
const gramRows = 4 * sliceRows

// outer adds leftᵀ·right to the block, or sets it: the upper triangle at least.
func (g *Gram) outer(left, right []float32, n int, fresh bool) {
	if g.level == plain {
		plainOuter(g.block, g.of, left, right, n, fresh, g.worker)
		return
	}
	for j := 0; j < g.cols; {
		j += g.level.outerPanels(g.block, g.of, left, right, n, fresh, j, min(g.cols, j+2*panelWidth))
	}
}

func subtract(v, shift []float32) {
	for j := range v {
		v[j] -= shift[j]
	}
}

func scaleTo(dst, v []float32, by float32) {
	v = v[:len(dst)]
	for j := range dst {
		dst[j] = v[j] * by
	}
}

// collect adds the upper triangle of the block to the total.
func (g *Gram) collect() {
	for i := range g.cols {
		from, to := i*g.of.stride+i, i*g.of.stride+g.cols
		total, block := g.total[from:to], g.block[from:to]
		for j, v := range block {
			total[j] += float64(v)
		}
	}
}

// Sum writes the sum so far, cols × cols and symmetric.
func (g *Gram) Sum(dst []float64) {
	if len(dst) != g.cols*g.cols {
		panic("cpu: room for other than cols × cols sums")
	}
	for i := range g.cols {
		for j := i; j < g.cols; j++ {
			v := g.total[i*g.of.stride+j]
			dst[i*g.cols+j], dst[j*g.cols+i] = v, v
		}
	}
}
