// Package bench times what flowbench does on the work that other tools are timed
// on: training steps of two networks, reading a CSV into a prepared set, fitting
// the classical detectors. It runs the code that training and preparing run.
//
// A figure is the median of several rounds. A round measures every case once, so
// that a machine that is slow for a while is slow for all of them.
package bench

import "slices"

// median of values, of which there must be one at least; the mean of the middle
// two where their number is even.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Progress is told that done of total measurements are over and what is next.
type Progress func(done, total int, next string)

// report calls p, which may be nil.
func (p Progress) report(done, total int, next string) {
	if p != nil {
		p(done, total, next)
	}
}
