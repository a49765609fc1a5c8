// Package kernelstest is the conformance suite of kernels: one table of cases
// that every Backend must pass, against float64 references.
//
// A backend's own test calls Run. The cases build small Programs by hand, run
// them a few steps and compare every buffer that a step leaves behind. Inputs
// stand among NaN, outputs among guards, and whatever a step computes starts as
// NaN, so that an instruction that reads or writes where it must not is seen.
package kernelstest

import (
	"testing"

	"flowbench/kernels"
)

// Run runs the whole suite on backend: some seconds.
func Run(t *testing.T, backend kernels.Backend) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, kernels.Backend)
	}{
		{"DenseSizes", denseSizes},
		{"DenseExact", denseExact},
		{"ActivationValues", activationValues},
		{"Activations", activations},
		{"Networks", networks},
		{"NormSizes", normSizes},
		{"NormEdges", normEdges},
		{"BatchNormStatistics", batchNormStatistics},
		{"BCE", bceLogits},
		{"SoftmaxCE", softmaxLogits},
		{"Regression", regressionLosses},
		{"Clip", clipping},
		{"UpdateRules", updateRules},
		{"UpdateHundredSteps", updateHundredSteps},
		{"DropoutMask", dropoutMask},
		{"DropoutShare", dropoutShare},
		{"CorruptNoise", corruptNoise},
		{"CorruptMoments", corruptMoments},
		{"PredictInChunks", predictInChunks},
		{"SharedPlaces", sharedPlaces},
		{"Threads", threads},
		{"TwoMachines", twoMachines},
		{"Orders", orders},
		{"OrderErrors", orderErrors},
		{"NonFinite", nonFinite},
		{"Errors", errorCases},
		{"Closed", closed},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, backend) })
	}
}

// sums is the tolerance for chains of float32 sums of up to about a thousand
// terms: 1e-5 is 170 units of 2⁻²⁴ where the bound for one sum alone is 1,000,
// and a correct backend was seen to use a tenth of it.
var sums = tolerance{scaled: 1e-5, relative: 1e-5, absolute: 1e-37}

// elementwise is the tolerance for functions of one element: a few roundings.
// The absolute part is the smallest normal float32: a backend may flush denormals.
var elementwise = tolerance{relative: 2e-6, absolute: 1.2e-38}

func sgd() kernels.Update { return kernels.Update{Kind: kernels.SGD} }

// classLoss is the loss for a last layer of that many columns.
func classLoss(cols int) kernels.Loss {
	if cols == 1 {
		return kernels.Loss{Kind: kernels.BCE}
	}
	return kernels.Loss{Kind: kernels.SoftmaxCE}
}

func classes(cols int) int { return max(cols, 2) }
