package cpu

// Plain Go: the products where there is no assembly, on one register tile of one
// row of the left operand against four columns of the right one. In scalar Go on
// a Sapphire Rapids core, operands in cache, depth 78, tiles gave (GFlop/s, the
// best of 1,500 interleaved runs): 1×4 7.9, 2×2 7.8, 1×5 8.7, 3×2 8.8, 2×4 6.1,
// 3×3 6.3, 4×4 3.8. The compiler loads and multiplies a whole step before it
// adds, so that larger tiles run out of the 15 registers; 1×4 needs no second
// kernel for the rows that are left over.

// dot4 adds x·panel to (a, b, c, d), in ascending order, one accumulator a
// column, each product rounded before it is added. len(panel) must be len(x).
// Inlined it runs a third slower: its loop counter then goes through the stack.
//
//go:noinline
func dot4(a, b, c, d float32, x []float32, panel [][plainWidth]float32) (float32, float32, float32, float32) {
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
	if len(dst) >= plainWidth {
		dst[0], dst[1], dst[2], dst[3] = a, b, c, d
		return
	}
	copy(dst, (&[plainWidth]float32{a, b, c, d})[:])
}

// plainTiles is level.columns.
func plainTiles(y []float32, stride int, x []float32, n int, w *packed, from, end int, floor float32) bool {
	ok := true
	for j := from; j < end; j += plainWidth {
		panel := w.quads[j/plainWidth*w.depth:][:w.depth]
		for i := range n {
			a, b, c, d := dot4(0, 0, 0, 0, x[i*w.depth:][:w.depth], panel)
			store(y[i*stride+j-from:i*stride+min(j+plainWidth, end)-from], a, b, c, d)
		}
	}
	for i := range n {
		row := y[i*stride:][:end-from]
		if w.bias != nil {
			add(row, w.bias[from:end])
		}
		ok = finite(row) && ok
		for j, v := range row {
			row[j] = max(v, floor)
		}
	}
	return ok
}

// add adds b to y, element by element.
func add(y, b []float32) {
	b = b[:len(y)]
	for i := range y {
		y[i] += b[i]
	}
}

// plainOuter is level.outer. It packs the samples so that they run along rows.
func plainOuter(dw []float32, t sum, x, dz []float32, n int, fresh bool, w *worker) {
	in, out := t.rows, t.cols
	for i := range n {
		at := i
		for _, v := range x[i*in:][:in] {
			w.transposed[at] = v
			at += sliceRows
		}
		for j := 0; j < out; j += plainWidth {
			quad := &w.panels[j/plainWidth*sliceRows+i]
			*quad = [plainWidth]float32{}
			copy(quad[:], dz[i*out+j:(i+1)*out])
		}
	}
	for k := range in {
		for j := 0; j < out; j += plainWidth {
			row := dw[k*t.stride+j:][:plainWidth] // the stride is a multiple of 16
			if fresh {
				clear(row)
			}
			row[0], row[1], row[2], row[3] = dot4(row[0], row[1], row[2], row[3],
				w.transposed[k*sliceRows:][:n], w.panels[j/plainWidth*sliceRows:][:n])
		}
	}
}

// plainColumnSums is level.columnSums.
func plainColumnSums(db, dz []float32, n, cols int, fresh bool) {
	db = db[:cols]
	if fresh {
		clear(db)
	}
	for i := range n {
		add(db, dz[i*cols:][:cols])
	}
}
