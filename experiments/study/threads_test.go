package study

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// Workers share the processors: threads that have to take turns would only wait
// for each other.
func TestWorkersGetAFairShareOfThreads(t *testing.T) {
	const variable = "GOMAXPROCS="
	t.Setenv("GOMAXPROCS", "")
	for _, workers := range []int{1, 2, 3, runtime.NumCPU(), 10 * runtime.NumCPU()} {
		share := max(1, runtime.NumCPU()/workers)
		all := (&Sweep{Workers: workers}).environment(0)
		if got, want := all[len(all)-1], fmt.Sprintf("%s%d", variable, share); got != want {
			t.Errorf("%d workers: %s, want %s", workers, got, want)
		}
	}
	t.Setenv("GOMAXPROCS", "7") // somebody has decided
	for _, entry := range (&Sweep{Workers: 2}).environment(0) {
		if strings.HasPrefix(entry, variable) && entry != variable+"7" {
			t.Errorf("%s", entry)
		}
	}
}
