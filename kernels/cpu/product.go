package cpu

// The three products of a dense layer and its gradient. In assembly an element's
// sum runs in ascending order in one accumulator, with one rounding a
// multiply-add; in plain Go with two.

// product is y = max(x·w + bias, floor) for n rows of x and y, both without
// gaps, and whether all of x·w + bias is finite. A NaN is never replaced by
// floor. The assembly starts the sum with the bias, plain Go ends with it.
func (l level) product(y, x []float32, n int, w *packed, floor float32) bool {
	return l.columns(y, w.cols, x, n, w, 0, w.cols, floor)
}

// columns is product for the columns from a multiple of 32 up to end; rows of y
// are stride apart and y begins with column from.
func (l level) columns(y []float32, stride int, x []float32, n int, w *packed, from, end int, floor float32) bool {
	if l == plain {
		return plainTiles(y, stride, x, n, w, from, end, floor)
	}
	sick := uint32(0)
	for j := from; j < end; {
		cols := end - j
		yj, xj, wj, bj := &y[j-from], &x[0], &w.panels[j*w.depth], &w.start[j]
		switch {
		case l == avx512 && cols > panelWidth:
			cols = min(cols, 2*panelWidth)
			if n >= 8 {
				sick |= product8x32AVX512(yj, stride, xj, w.depth, wj, w.depth, n, bj, floor, cols)
			} else {
				sick |= product1x32AVX512(yj, stride, xj, w.depth, wj, w.depth, n, bj, floor, cols)
			}
		case l == avx512 && n >= 8:
			sick |= product8x16AVX512(yj, stride, xj, w.depth, wj, w.depth, n, bj, floor, cols)
		case l == avx512:
			sick |= product1x16AVX512(yj, stride, xj, w.depth, wj, w.depth, n, bj, floor, cols)
		default:
			cols = min(cols, panelWidth)
			if n >= 4 {
				sick |= product4x16AVX2(yj, stride, xj, w.depth, wj, w.depth, n, bj, floor, cols)
			} else {
				sick |= product1x16AVX2(yj, stride, xj, w.depth, wj, w.depth, n, bj, floor, cols)
			}
		}
		j += cols
	}
	return sick == 0
}

// outer is dw += xᵀ·dz over n samples, or = where fresh is set. dw is padded as
// sum says; what the assembly writes to its padding means nothing.
func (l level) outer(dw []float32, t sum, x, dz []float32, n int, fresh bool, w *worker) {
	if l == plain {
		plainOuter(dw, t, x, dz, n, fresh, w)
		return
	}
	for j := 0; j < t.cols; {
		j += l.outerPanels(dw, t, x, dz, n, fresh, j, t.rows)
	}
}

// outerPanels is the next columns of outer, from j on, for the first rows of dw:
// as many columns as it returns, in assembly.
func (l level) outerPanels(dw []float32, t sum, x, dz []float32, n int, fresh bool, j, rows int) int {
	dwj, xj, zj := &dw[j], &x[0], &dz[j]
	switch {
	case l == avx512 && t.cols-j > panelWidth:
		outer32AVX512(dwj, t.stride, xj, t.rows, zj, t.cols, n, blocks(rows, 8), fresh)
		return 2 * panelWidth
	case l == avx512:
		outer16AVX512(dwj, t.stride, xj, t.rows, zj, t.cols, n, blocks(rows, 8), fresh)
	default:
		outer16AVX2(dwj, t.stride, xj, t.rows, zj, t.cols, n, blocks(rows, 4), fresh)
	}
	return panelWidth
}

// columnSums is db += the sums of the columns of dz over n samples, or = where
// fresh is set.
func (l level) columnSums(db []float32, t sum, dz []float32, n int, fresh bool) {
	switch l {
	case avx512:
		columnSumsAVX512(&db[0], &dz[0], t.cols, n, blocks(t.cols, panelWidth), fresh)
	case avx2:
		columnSumsAVX2(&db[0], &dz[0], t.cols, n, blocks(t.cols, panelWidth), fresh)
	default:
		plainColumnSums(db, dz, n, t.cols, fresh)
	}
}
