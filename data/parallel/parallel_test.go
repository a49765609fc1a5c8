package parallel

import (
	"fmt"
	"runtime"
	"testing"
)

func TestEveryIndexIsVisitedOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 7} {
		for _, n := range []int{0, 1, 2, 19, 989} {
			t.Run(fmt.Sprintf("threads=%d/n=%d", threads, n), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
				seen := make([]int32, n)
				Each(n, func(i int) { seen[i]++ })
				for i, k := range seen {
					if k != 1 {
						t.Fatalf("index %d visited %d times", i, k)
					}
				}
			})
		}
	}
}

func TestBlocksCoverTheRangeWithoutOverlap(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 989} {
		for _, size := range []int{1, 64, 1000} {
			seen := make([]int32, n)
			Blocks(n, size, func(lo, hi int) {
				if lo%size != 0 || hi <= lo || hi-lo > size {
					t.Errorf("n=%d size=%d: block [%d, %d)", n, size, lo, hi)
				}
				for i := lo; i < hi; i++ {
					seen[i]++
				}
			})
			for i, k := range seen {
				if k != 1 {
					t.Fatalf("n=%d size=%d: index %d visited %d times", n, size, i, k)
				}
			}
		}
	}
}

func TestBlockSizeMustBePositive(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic for block size 0")
		}
	}()
	Blocks(3, 0, func(int, int) {})
}
