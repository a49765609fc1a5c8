package scale

import (
	"math"
	"math/rand/v2"
	"testing"
)

// flows has the mix of the real ones: half of all cells 0, the others over nine
// decades, a few missing.
func flows(n, cols int) []float32 {
	random := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, n*cols)
	for i := range x {
		switch u := random.Float64(); {
		case u < 0.001:
			x[i] = float32(math.NaN())
		case u > 0.5:
			x[i] = float32(math.Floor(math.Exp(20 * random.Float64())))
		}
	}
	return x
}

func BenchmarkFullSize(b *testing.B) {
	const n, cols = 818520, 76
	x := flows(n, cols)
	columns, names, rows := make([]int, cols), make([]string, cols), make([]int32, 0, n)
	for c := range columns {
		columns[c] = c
	}
	for row := range n {
		if row%5 < 3 {
			rows = append(rows, int32(row))
		}
	}
	var s *Scaler
	b.Run("fit on 60 %", func(b *testing.B) {
		for b.Loop() {
			var err error
			if s, err = Fit(x, cols, columns, names, rows, SignedLog1p); err != nil {
				b.Fatal(err)
			}
		}
	})
	dst := make([]float32, len(x))
	b.Run("transform", func(b *testing.B) {
		for b.Loop() {
			s.Transform(dst, x, cols, columns, nil)
		}
	})
}
