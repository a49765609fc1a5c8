package split

import (
	"math"
	"math/bits"

	"flowbench/data/parallel"
)

// grouping puts every position into one of count groups; groups are numbered
// in the order of their first position.
type grouping struct {
	of    []int32
	count int
}

// findDuplicates groups the rows that agree in every column in use. Cells are
// compared by their bits with two exceptions: any NaN equals any NaN (a missing
// cell is a missing cell), and -0 equals 0. Rows are found by a 64-bit hash and
// then compared cell by cell, so that the answer is exact.
//
// Cost: one pass over the columns in use, spread over the cores, and one hash
// table of 4 to 8 bytes a row.
func findDuplicates(v view) grouping { return groupEqual(v, hashRows(v)) }

// groupEqual is findDuplicates given hashes that are equal for equal rows.
func groupEqual(v view, hashes []uint64) grouping {
	slots := make([]int32, 1<<bits.Len(uint(2*len(hashes)))) // group+1; 0 is free
	mask := uint64(len(slots) - 1)
	g := grouping{of: make([]int32, len(hashes))}
	var first []int32 // group -> its first position
	for p, h := range hashes {
		slot := h & mask
		for ; slots[slot] != 0; slot = (slot + 1) & mask {
			q := first[slots[slot]-1]
			if hashes[q] == h && v.equal(int(q), p) {
				break
			}
		}
		if slots[slot] == 0 {
			first = append(first, int32(p))
			slots[slot] = int32(len(first))
		}
		g.of[p] = slots[slot] - 1
	}
	g.count = len(first)
	return g
}

// rowBlock is how many rows one goroutine hashes at a time: 4,096 rows of 76
// columns are 1.2 MB, long enough to stream and short enough to balance.
const rowBlock = 4096

func hashRows(v view) []uint64 {
	hashes := make([]uint64, len(v.rows))
	parallel.Blocks(len(hashes), rowBlock, func(lo, hi int) {
		for p := lo; p < hi; p++ {
			hashes[p] = hashRow(v.row(p), v.Columns)
		}
	})
	return hashes
}

func (v view) row(p int) []float32 {
	start := int(v.rows[p]) * v.Cols
	return v.Features[start : start+v.Cols]
}

// hashRow folds two cells at a time into the hash with a 64×64-bit product,
// the mixing step of wyhash. The constants are the odd halves of the golden
// ratio and of √2, which have no structure that flow features could share.
func hashRow(row []float32, columns []int) uint64 {
	const golden, root2 = 0x9E3779B97F4A7C15, 0x6A09E667F3BCC909
	h := uint64(golden)
	for len(columns) >= 2 {
		pair := uint64(canonical(row[columns[0]])) | uint64(canonical(row[columns[1]]))<<32
		high, low := bits.Mul64(h^pair, root2)
		h = high ^ low ^ golden
		columns = columns[2:]
	}
	if len(columns) == 1 {
		high, low := bits.Mul64(h^uint64(canonical(row[columns[0]])), root2)
		h = high ^ low
	}
	return h ^ h>>29
}

func (v view) equal(p, q int) bool {
	a, b := v.row(p), v.row(q)
	for _, c := range v.Columns {
		if canonical(a[c]) != canonical(b[c]) {
			return false
		}
	}
	return true
}

// canonical is the bits of x, with one pattern for every NaN and one for both zeros.
func canonical(x float32) uint32 {
	const infinity, oneNaN = 0x7F800000, 0x7FC00000
	b := math.Float32bits(x)
	switch magnitude := b &^ (1 << 31); {
	case magnitude == 0:
		return 0
	case magnitude > infinity:
		return oneNaN
	}
	return b
}
