package cpu

import (
	"runtime"
	"testing"
)

// Each routine must do the multiply-adds that it is credited with: lane 0 of all
// chains together is a count of them.
func TestPeakDoesWhatItCounts(t *testing.T) {
	for l := avx2; l <= highest(); l++ {
		lanes := map[level]float64{avx2: 8, avx512: 16}[l]
		chains := l.peakOperations() / 2 / lanes
		for _, turns := range []int{1, 7, 1000} {
			if got, want := l.peak(2, turns), float32(4*chains)*float32(turns); got != want {
				t.Errorf("%v: %v after %d turns, want %v", l, got, turns, want)
			}
		}
	}
}

func TestPeak(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	flops, ok := Peak(2)
	if ok != (highest() > plain) || ok && !(flops > 1e9) {
		t.Errorf("%v operations a second, %v, at level %v", flops, ok, highest())
	}
	t.Logf("2 threads: %.1f GFlop/s", flops/1e9)
}
