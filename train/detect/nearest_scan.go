package detect

import (
	"fmt"
	"math/bits"

	"flowbench/kernels/cpu"
)

// The loop that finding neighbours spends its time in: all distances between
// some sketches and those of a block.

// pair is a place of one atlas and a place of another.
type pair struct{ row, col int32 }

// panel is a block's sketches, packed once. Each has a 0 after its last number.
type panel struct{ points *cpu.Points }

// newPanel packs sketches; simd is as in cpu.NewPoints.
func newPanel(simd string, sketch []float32, depth int) panel {
	rows := len(sketch) / depth
	padded := make([]float32, 0, rows*(depth+1))
	for i := range rows {
		padded = append(append(padded, sketch[i*depth:][:depth]...), 0)
	}
	points, err := cpu.NewPoints(simd, rows, depth+1)
	if err != nil {
		panic(fmt.Sprintf("detect: %v", err)) // simd is a constant
	}
	points.Set(padded)
	return panel{points}
}

// near appends to found the place and the column of every pair of a row of x and
// a column whose squared distance is at most square, within the error that
// cpu.Points states. set is memory for bits, which it returns.
func (p panel) near(found []pair, set []uint64, x []float32, square float32, places []int32, first int32) ([]pair, []uint64) {
	words := p.points.Words()
	if need := len(places) * words; cap(set) < need {
		set = make([]uint64, need)
	} else {
		set = set[:need]
	}
	p.points.Within(set, x, square)
	for i, place := range places {
		for w, word := range set[i*words:][:words] {
			for ; word != 0; word &= word - 1 {
				found = append(found, pair{place, first + int32(64*w+bits.TrailingZeros64(word))})
			}
		}
	}
	return found, set
}
