package cpu

import (
	"sync"
	"time"
)

// A measurement of the limit is the best of several windows, so that what else
// the machine does now and then is left out of it.
const (
	peakWindows = 8
	peakWindow  = 25 * time.Millisecond
	peakTurns   = 20_000 // of one call, some 100 µs: the clock is looked at in between
)

// Peak measures what threads goroutines together reach in multiply-adds from
// registers to registers at the best level of this build on this processor: the
// floating-point operations a second, two a multiply-add, that no kernel can
// exceed. It takes a fifth of a second. GOMAXPROCS must allow the threads. ok is
// false where the build has no assembly, and so nothing to measure with.
func Peak(threads int) (flops float64, ok bool) {
	l := highest()
	if l == plain {
		return 0, false
	}
	for range peakWindows {
		flops = max(flops, l.peakOf(threads))
	}
	return flops, true
}

// peakOf is the sum of the threads' rates in one window, which begins for all at once.
func (l level) peakOf(threads int) float64 {
	rates := make([]float64, threads)
	begin := make(chan struct{})
	var done sync.WaitGroup
	for i := range rates {
		done.Go(func() {
			<-begin
			start, turns := time.Now(), 0
			for time.Since(start) < peakWindow {
				l.peak(1, peakTurns)
				turns += peakTurns
			}
			rates[i] = float64(turns) * l.peakOperations() / time.Since(start).Seconds()
		})
	}
	close(begin)
	done.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum
}

// peakOperations is the floating-point operations of a turn of peak: chains ×
// lanes of asm/peak.go, two a multiply-add.
func (l level) peakOperations() float64 {
	if l == avx512 {
		return 2 * 24 * 16
	}
	return 2 * 12 * 8
}

// peak runs the loop of the level, which must not be plain.
func (l level) peak(x float32, turns int) float32 {
	if l == avx512 {
		return peakAVX512(x, turns)
	}
	return peakAVX2(x, turns)
}
