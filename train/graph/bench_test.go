package graph

import (
	"testing"

	"flowbench/kernels"
)

// BenchmarkBuildAndLower is what a trial pays before its first step.
func BenchmarkBuildAndLower(b *testing.B) {
	a := Architecture{Inputs: 78, Hidden: []int{128, 64, 32}, Outputs: 1, Activation: kernels.ReLU, Norm: "batch", Dropout: 0.1}
	for b.Loop() {
		m := mustBuild(b, a, Objective{Kind: kernels.BCE}, 1024)
		mustLower(b, m, adam)
		mustInit(b, m, 1)
	}
}
