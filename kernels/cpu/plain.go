package cpu

// The textbook products: the truth that tile.go must equal to the bit. A sum
// runs in ascending order in one float32 accumulator. The conversion around
// each product keeps a compiler from fusing it with the addition, which would
// round differently from one processor to the next.

// plainProduct is y = x·w; x is n×in, w in×out, y n×out.
func plainProduct(y, x, w []float32, n, in, out int) {
	for i := range n {
		for j := range out {
			var sum float32
			for k := range in {
				sum += float32(x[i*in+k] * w[k*out+j])
			}
			y[i*out+j] = sum
		}
	}
}

// plainInputGrad is dx = dz·wᵀ.
func plainInputGrad(dx, dz, w []float32, n, in, out int) {
	for i := range n {
		for k := range in {
			var sum float32
			for j := range out {
				sum += float32(dz[i*out+j] * w[k*out+j])
			}
			dx[i*in+k] = sum
		}
	}
}

// plainWeightGrad is dw = xᵀ·dz, summed over the rows.
func plainWeightGrad(dw, x, dz []float32, n, in, out int) {
	for k := range in {
		for j := range out {
			var sum float32
			for i := range n {
				sum += float32(x[i*in+k] * dz[i*out+j])
			}
			dw[k*out+j] = sum
		}
	}
}

// plainColumnSums is db = the column sums of dz.
func plainColumnSums(db, dz []float32, n, out int) {
	for j := range out {
		var sum float32
		for i := range n {
			sum += dz[i*out+j]
		}
		db[j] = sum
	}
}
