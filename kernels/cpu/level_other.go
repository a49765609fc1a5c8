//go:build !amd64 || noasm

package cpu

// highest is plain: this build has no assembly.
func highest() level { return plain }
