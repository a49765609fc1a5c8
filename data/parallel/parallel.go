// Package parallel spreads independent pieces of work over the cores. Nothing
// in it adds up results, so whatever is computed with it equals the serial
// loop to the bit: every piece writes its own place.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Each calls do once for every i in [0, n), on GOMAXPROCS goroutines, and
// returns when all calls have. The order is not defined: do(i) must not read
// what do(j) writes. A panic in do ends the program, as in any goroutine.
func Each(n int, do func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

// Blocks cuts [0, n) into blocks of size (the last may be shorter) and calls
// do(lo, hi) once for each, under the terms of Each. The cuts depend on n and
// size alone. It panics unless size is positive.
func Blocks(n, size int, do func(lo, hi int)) {
	if size <= 0 {
		panic("parallel: block size is not positive")
	}
	Each((n+size-1)/size, func(i int) {
		do(i*size, min((i+1)*size, n))
	})
}
