package cpu

// The products of Dense and DenseGrad all run on one register tile: one row of
// the left operand against four columns of the right one, packed side by side
// ("a panel"). In scalar Go on a Sapphire Rapids core, operands in cache, depth
// 78, tiles gave (GFlop/s, the best of 1,500 interleaved runs): 1×4 7.9, 2×2
// 7.8, 1×5 8.7, 3×2 8.8, 2×4 6.1, 3×3 6.3, 4×4 3.8. The compiler loads and
// multiplies a whole step before it adds, so that larger tiles run out of the 15
// registers; 1×4 needs no second kernel for the rows that are left over.

const (
	panelWidth = 4
	// productRows and productCols are the cell of a product with one row a
	// sample: the panels (16 columns of them at width 4) stay in the first-level
	// cache while the rows pass by, and a batch of 1,024 gives 32 cells or more.
	productRows = 32
	productCols = 64
	// sumRows, sumCols is the cell of a sum over the samples.
	sumRows = 8
	sumCols = 32
	// sumBlock is how many samples of a sum are packed together. A row of the
	// transposed block is then 7 cache lines, which is odd, so that its columns
	// spread over all sets of the cache while they are written.
	sumBlock = 112
)

// dot4 adds x·panel to (a, b, c, d), in ascending order, one accumulator a
// column, each product rounded before it is added. len(panel) must be len(x).
// Inlined it runs a third slower: its loop counter then goes through the stack.
//
//go:noinline
func dot4(a, b, c, d float32, x []float32, panel [][panelWidth]float32) (float32, float32, float32, float32) {
	x = x[:len(panel)]
	for k := range panel {
		w := &panel[k]
		v := x[k]
		a += float32(v * w[0])
		b += float32(v * w[1])
		c += float32(v * w[2])
		d += float32(v * w[3])
	}
	return a, b, c, d
}

// store writes the sums of one tile to dst, which may end within it.
func store(dst []float32, a, b, c, d float32) {
	if len(dst) >= panelWidth {
		dst[0], dst[1], dst[2], dst[3] = a, b, c, d
		return
	}
	copy(dst, (&[panelWidth]float32{a, b, c, d})[:])
}

// panels is how many panels cover cols columns.
func panels(cols int) int { return (cols + panelWidth - 1) / panelWidth }

func blocks(n, size int) int { return (n + size - 1) / size }

// pack lays out w (rows×cols) as panels of its columns, each rows deep; columns
// beyond cols are zero.
func pack(dst [][panelWidth]float32, w []float32, rows, cols int) {
	for k := range rows {
		row, at := w[k*cols:(k+1)*cols], k
		for len(row) >= panelWidth {
			dst[at] = [panelWidth]float32(row)
			row, at = row[panelWidth:], at+rows
		}
		if len(row) > 0 {
			dst[at] = [panelWidth]float32{}
			copy(dst[at][:], row)
		}
	}
}

// packTransposed lays out the transpose of w (rows×cols) as panels, each cols deep.
func packTransposed(dst [][panelWidth]float32, w []float32, rows, cols int) {
	for p := range panels(rows) {
		panel := dst[p*cols : (p+1)*cols]
		clear(panel)
		for c := range min(panelWidth, rows-p*panelWidth) {
			for j, v := range w[(p*panelWidth+c)*cols:][:cols] {
				panel[j][c] = v
			}
		}
	}
}

// product is one cell of y = x·w for w packed in panels of depth x.cols: rows
// i0 to i1, columns j0 to j1, j0 being a multiple of panelWidth.
func product(s *step, y, x samples, packed [][panelWidth]float32, i0, i1, j0, j1 int) {
	for j := j0; j < j1; j += panelWidth {
		panel := packed[j/panelWidth*x.cols:][:x.cols]
		for i := i0; i < i1; i++ {
			a, b, c, d := dot4(0, 0, 0, 0, x.row(s, i), panel)
			store(y.row(s, i)[j:j1], a, b, c, d)
		}
	}
}

// cellOf is cell index of a grid over rows×cols with cells of height×width.
func cellOf(index, rows, cols, height, width int) (i0, i1, j0, j1 int) {
	across := blocks(cols, width)
	i0, j0 = index/across*height, index%across*width
	return i0, min(i0+height, rows), j0, min(j0+width, cols)
}
