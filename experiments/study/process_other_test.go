//go:build !linux

package study

import "testing"

// childrenOf lists none: there is no /proc to find them in.
func childrenOf(*testing.T, int) []int { return nil }
