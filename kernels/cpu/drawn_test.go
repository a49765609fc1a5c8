package cpu

import (
	"fmt"
	"slices"
	"testing"

	"flowbench/kernels"
)

// Rows must be the order's, whatever the number of threads and of rows.
func TestDrawnRows(t *testing.T) {
	o := &kernels.Order{Rows: make([]int32, 5000), Positives: []int32{-1, -2, -3}, Dealt: 90, Batch: 64, Seed: 4, Epoch: 5}
	for i := range o.Rows {
		o.Rows[i] = int32(i)
	}
	want := make([]int32, o.Len())
	o.Fill(want, 0)
	for _, threads := range []int{1, 2, 3} {
		s := &step{pool: newTestPool(t, threads)}
		d := &drawn{rows: make([]int32, o.Len())}
		for _, n := range []int{1, 255, 256, 257, 1024, 4999, o.Len(), 1} {
			first := (o.Len() - n) / 2
			if got := d.draw(s, kernels.Batch{Order: o, First: first, Count: n}); !slices.Equal(got, want[first:first+n]) {
				t.Errorf("%d threads, %d places from %d on: not the order's rows", threads, n, first)
			}
		}
	}
}

// BenchmarkDrawn is an epoch of the reference's training flows.
func BenchmarkDrawn(b *testing.B) {
	o := &kernels.Order{Rows: make([]int32, 818484), Batch: 1024, Seed: 1}
	for i := range o.Rows {
		o.Rows[i] = int32(i)
	}
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			s, d := &step{pool: newTestPool(b, threads)}, &drawn{rows: make([]int32, o.Batch)}
			for b.Loop() {
				for first := 0; first+o.Batch <= o.Len(); first += o.Batch {
					d.draw(s, kernels.Batch{Order: o, First: first, Count: o.Batch})
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(o.Len()), "ns/row")
		})
	}
}
