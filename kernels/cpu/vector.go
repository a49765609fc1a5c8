package cpu

// Routines on runs of elements. The assembly gives the bits of the loop.

// finite reports whether v is free of NaN and infinities.
func (l level) finite(v []float32) bool {
	if len(v) == 0 {
		return true
	}
	switch l {
	case avx512:
		return finiteAVX512(&v[0], len(v)) == 0
	case avx2:
		return finiteAVX2(&v[0], len(v)) == 0
	}
	return finite(v)
}

// add adds b to a, element by element.
func (l level) add(a, b []float32) {
	if len(a) == 0 {
		return
	}
	b = b[:len(a)]
	switch l {
	case avx512:
		addAVX512(&a[0], &b[0], len(a))
	case avx2:
		addAVX2(&a[0], &b[0], len(a))
	default:
		add(a, b)
	}
}

// prefetch asks for rows of x, which are about to be read; plain Go cannot.
func (l level) prefetch(x []float32, rows []int32, cols int) {
	if len(rows) == 0 {
		return
	}
	switch l {
	case avx512:
		prefetchAVX512(&x[0], &rows[0], len(rows), cols)
	case avx2:
		prefetchAVX2(&x[0], &rows[0], len(rows), cols)
	}
}
