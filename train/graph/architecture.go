package graph

import (
	"fmt"
	"math"
	"slices"

	"flowbench/kernels"
)

// Values of Architecture.Norm.
const (
	noNorm    = "none"
	layerwise = "layer"
	batchwise = "batch"
)

// Architecture is the shape of a network: Inputs → Hidden... → Outputs, all
// dense. A hidden layer is a product, its norm or else its bias, its activation
// and its dropout; the last layer is linear with a bias.
type Architecture struct {
	Inputs  int
	Hidden  []int // widths; empty for a linear model
	Outputs int   // 1 logit for two classes, else one a class; an autoencoder has as many as Inputs

	Activation kernels.ActivationFunc // of the hidden layers
	// Norm is layer, batch, or none (also ""). It stands between a hidden layer's
	// product and its activation, and its bias takes the place of the product's.
	Norm    string
	Dropout float64 // rate, of each hidden layer's output
	// Sigma and Mask corrupt the input while training: Gaussian noise of this
	// standard deviation, and the share of elements set to 0.
	Sigma, Mask float64
}

// Objective is the loss. A target of MSE and Huber is the uncorrupted input.
type Objective struct {
	Kind kernels.LossKind
	// ClassWeight is nil for all ones, else {negative, positive} for BCE and one
	// a class for SoftmaxCE.
	ClassWeight []float32
	// FeatureWeight adds the constant FeatureWeightName, one weight a column, to
	// MSE or Huber; Init sets it to ones.
	FeatureWeight bool
	Gamma         float64 // of the focal loss; 0 is plain cross-entropy
	Delta         float64 // of Huber
}

// Optimizer is the update rule; kernels.Update describes the fields. The
// learning rate is part of each step, so that a schedule can move it.
type Optimizer struct {
	Kind         kernels.OptimizerKind
	Beta1, Beta2 float64
	Epsilon      float64
	Momentum     float64
	WeightDecay  float64 // applies to the weights of dense layers alone
	ClipNorm     float64 // largest joint norm of the gradients; 0 does not clip
}

// check reports the first field that no network can be built from.
func (a Architecture) check() error {
	sizes := append([]int{a.Inputs, a.Outputs}, a.Hidden...)
	for i, n := range sizes {
		if n < 1 {
			field := "hidden"
			if i < 2 {
				field = []string{"inputs", "outputs"}[i]
			}
			return fmt.Errorf("graph: architecture: %s %d: want 1 or more", field, n)
		}
	}
	switch {
	case a.Activation > kernels.Sigmoid:
		return fmt.Errorf("graph: architecture: activation %d: there is none of this number", a.Activation)
	case !slices.Contains([]string{"", noNorm, layerwise, batchwise}, a.Norm):
		return fmt.Errorf("graph: architecture: norm %q: want %s, %s or %s", a.Norm, noNorm, layerwise, batchwise)
	}
	return nil
}

// check reports the first field that does not fit the architecture.
func (o Objective) check(a Architecture) error {
	classifies := o.Kind == kernels.BCE || o.Kind == kernels.SoftmaxCE
	switch {
	case o.Kind < kernels.BCE || o.Kind > kernels.Huber:
		return fmt.Errorf("graph: objective: kind %d: there is none of this number", o.Kind)
	case o.Kind == kernels.BCE && a.Outputs != 1:
		return fmt.Errorf("graph: objective: binary cross-entropy of %d outputs: want 1, or softmax cross-entropy", a.Outputs)
	case o.Kind == kernels.SoftmaxCE && a.Outputs < 2:
		return fmt.Errorf("graph: objective: softmax cross-entropy of 1 output: want 2 or more, or binary cross-entropy")
	case !classifies && a.Outputs != a.Inputs:
		return fmt.Errorf("graph: objective: %d outputs are to reconstruct %d inputs: want as many", a.Outputs, a.Inputs)
	case !classifies && (o.ClassWeight != nil || o.Gamma != 0):
		return fmt.Errorf("graph: objective: class weights and gamma belong to cross-entropy")
	case classifies && o.FeatureWeight:
		return fmt.Errorf("graph: objective: feature weights belong to MSE and Huber")
	case o.Kind != kernels.Huber && o.Delta != 0:
		return fmt.Errorf("graph: objective: delta %v belongs to Huber", o.Delta)
	}
	return nil
}

// check reports the first field that the update rule cannot work with.
func (o Optimizer) check() error {
	if o.Kind < kernels.SGD || o.Kind > kernels.AdamW {
		return fmt.Errorf("graph: optimizer: kind %d: there is none of this number", o.Kind)
	}
	fractions := []struct {
		name  string
		value float64
	}{{"beta1", o.Beta1}, {"beta2", o.Beta2}, {"momentum", o.Momentum}}
	for _, f := range fractions {
		if !(f.value >= 0 && float32(f.value) < 1) { // 1-1e-9 is 1 to a backend
			return fmt.Errorf("graph: optimizer: %s %v: want 0 or more and less than 1", f.name, f.value)
		}
	}
	if !(o.WeightDecay >= 0) || math.IsInf(o.WeightDecay, 1) {
		return fmt.Errorf("graph: optimizer: weight decay %v: want a finite number, 0 or more", o.WeightDecay)
	}
	if !(o.ClipNorm >= 0) || math.IsInf(o.ClipNorm, 1) {
		return fmt.Errorf("graph: optimizer: clip norm %v: want a finite number, 0 or more", o.ClipNorm)
	}
	if o.Kind != kernels.SGD && !(o.Epsilon > 0) {
		return fmt.Errorf("graph: optimizer: epsilon %v: want more than 0", o.Epsilon)
	}
	return nil
}
