package cpu

// The textbook products: the truth that every level's tiles must equal to the
// bit. madd is how the level rounds a multiply-add.

// textbookProduct is y = x·w, on top of what y holds; x is n×in, w in×out.
func textbookProduct(y, x, w []float32, n, in, out int, madd func(a, b, c float32) float32) {
	for i := range n {
		for j := range out {
			for k := range in {
				y[i*out+j] = madd(x[i*in+k], w[k*out+j], y[i*out+j])
			}
		}
	}
}

// textbookOuter is dw = xᵀ·dz, summed over the rows, on top of what dw holds.
func textbookOuter(dw, x, dz []float32, n, in, out int, madd func(a, b, c float32) float32) {
	for i := range n {
		for k := range in {
			for j := range out {
				dw[k*out+j] = madd(x[i*in+k], dz[i*out+j], dw[k*out+j])
			}
		}
	}
}
