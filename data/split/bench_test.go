package split

import (
	"math/rand/v2"
	"testing"
)

// flows has n rows of 76 columns: one row in eight a repeat of an earlier one,
// two rows a connection on average, 36 attacks.
func flows(n int) Rows {
	const cols = 76
	random := rand.New(rand.NewPCG(1, 2))
	r := Rows{Cols: cols, Features: make([]float32, n*cols), Labels: make([]int32, n), Groups: make([]int64, n)}
	for row := range n {
		cells := r.Features[row*cols : (row+1)*cols]
		if row > 0 && random.IntN(8) == 0 {
			copy(cells, r.Features[random.IntN(row)*cols:])
		} else {
			for c := range cells {
				cells[c] = float32(random.Uint32N(1000))
			}
		}
		r.Groups[row] = random.Int64N(int64(n) / 2)
	}
	for i := range 36 {
		r.Labels[i*(n/36)] = 1
	}
	return r
}

func BenchmarkFullSize(b *testing.B) {
	r := flows(818520) // the two Infiltration days
	v := r.checked()
	b.Run("duplicates", func(b *testing.B) {
		for b.Loop() {
			findDuplicates(v)
		}
	})
	b.Run("deduplicate", func(b *testing.B) {
		for b.Loop() {
			Deduplicate(r)
		}
	})
	for _, by := range []string{ByRandom, ByGroup} {
		b.Run(by, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := Make(Config{By: by, Train: 0.6, Validation: 0.2, Test: 0.2, Seed: 1}, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
