package cpu

// Sums down up to sixteen columns of n rows, stride apart, in float64 and in row
// order; their results have room for sixteen, of which those beyond the columns
// mean nothing.

// columnTotals is the sum of each column.
func (l level) columnTotals(totals []float64, x []float32, stride, n int) {
	switch l {
	case avx512:
		columnTotalsAVX512(&totals[0], &x[0], stride, n)
	case avx2:
		columnTotalsAVX2(&totals[0], &x[0], stride, n)
	default:
		plainColumnTotals(totals, x, stride, n)
	}
}

func plainColumnTotals(totals []float64, x []float32, stride, n int) {
	clear(totals)
	for i := range n {
		for j, v := range x[i*stride:][:len(totals)] {
			totals[j] += float64(v)
		}
	}
}

// columnSquares is the sum of the squares of x-mean.
func (l level) columnSquares(squares, mean []float64, x []float32, stride, n int) {
	switch l {
	case avx512:
		columnSquaresAVX512(&squares[0], &mean[0], &x[0], stride, n)
	case avx2:
		columnSquaresAVX2(&squares[0], &mean[0], &x[0], stride, n)
	default:
		plainColumnSquares(squares, mean, x, stride, n)
	}
}

func plainColumnSquares(squares, mean []float64, x []float32, stride, n int) {
	clear(squares)
	for i := range n {
		for j, v := range x[i*stride:][:len(squares)] {
			d := float64(v) - mean[j]
			squares[j] += float64(d * d)
		}
	}
}

// columnDots is the sum of a·b.
func (l level) columnDots(dots []float64, a, b []float32, stride, n int) {
	switch l {
	case avx512:
		columnDotsAVX512(&dots[0], &a[0], &b[0], stride, n)
	case avx2:
		columnDotsAVX2(&dots[0], &a[0], &b[0], stride, n)
	default:
		plainColumnDots(dots, a, b, stride, n)
	}
}

func plainColumnDots(dots []float64, a, b []float32, stride, n int) {
	clear(dots)
	for i := range n {
		row := b[i*stride:][:len(dots)]
		for j, v := range a[i*stride:][:len(dots)] {
			dots[j] += float64(float64(v) * float64(row[j]))
		}
	}
}
