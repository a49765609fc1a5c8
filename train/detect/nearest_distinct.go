package detect

import (
	"math"

	"flowbench/data/parallel"
)

// distinct is the rows of a matrix without their repetitions.
type distinct struct {
	first  []int32 // the row that each distinct row is first seen in, ascending
	weight []int32 // how often it is seen
	of     []int32 // row → the place in first of the row that it equals
}

// distinctRows finds the rows of x that are equal in every value (-0 equals 0):
// the same value rows have the same distance to every other. It takes 16 to 24
// bytes a row beside the result.
func distinctRows(x []float32, cols int) distinct {
	rows := len(x) / cols
	hashes := make([]uint64, rows)
	parallel.Blocks(rows, 4096, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			hashes[i] = hashRow(x[i*cols:][:cols])
		}
	})
	size := 4
	for size < 2*rows {
		size *= 2
	}
	table := make([]int32, size) // place + 1 in first; 0 is free
	d := distinct{of: make([]int32, rows)}
	for i := range rows {
		row := x[i*cols:][:cols]
		slot := int(hashes[i] >> 1 % uint64(size))
		for ; table[slot] != 0; slot = (slot + 1) % size {
			seen := d.first[table[slot]-1]
			if hashes[seen] == hashes[i] && sameRows(x[int(seen)*cols:][:cols], row) {
				break
			}
		}
		if table[slot] == 0 {
			d.first, d.weight = append(d.first, int32(i)), append(d.weight, 0)
			table[slot] = int32(len(d.first))
		}
		place := table[slot] - 1
		d.of[i] = place
		d.weight[place]++
	}
	return d
}

// hashRow mixes the values of a row; rows that are equal have equal hashes.
func hashRow(row []float32) uint64 {
	h := uint64(len(row))
	for _, v := range row {
		h = (h ^ uint64(math.Float32bits(v+0))) * 0x9E3779B97F4A7C15 // -0 + 0 is 0
		h ^= h >> 29
	}
	return h
}
