//go:build !linux

package bench

// peakMemory is 0: what the process has had resident is not known.
func peakMemory() int64 { return 0 }
