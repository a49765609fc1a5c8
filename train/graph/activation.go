package graph

import (
	"fmt"
	"math"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
)

// Activate applies f to each element of z. kernels.Identity returns z itself.
func Activate(f kernels.ActivationFunc, z *gorgonia.Node) (*gorgonia.Node, error) {
	if f == kernels.Identity {
		return z, nil
	}
	if f > kernels.Sigmoid {
		return nil, fmt.Errorf("graph: activation function %d: there is none of this number", f)
	}
	return apply(activation{f}, z)
}

type activation struct{ f kernels.ActivationFunc }

func (a activation) label() string {
	switch a.f {
	case kernels.ReLU:
		return "relu"
	case kernels.LeakyReLU:
		return "leaky relu"
	case kernels.GELU:
		return "gelu"
	case kernels.Tanh:
		return "tanh"
	case kernels.Sigmoid:
		return "sigmoid"
	}
	panic("graph: activation without a name")
}

func (activation) operands() []string                { return []string{"z"} }
func (activation) infer(in []extent) (extent, error) { return in[0], nil }

func (a activation) compute(in []matrix, out matrix) error {
	for i, z := range in[0].data {
		out.data[i] = a.value(z)
	}
	return nil
}

// value lets a NaN through: a network that diverged must not look healthy.
func (a activation) value(z float64) float64 {
	switch a.f {
	case kernels.ReLU:
		if z < 0 {
			return 0
		}
		return z
	case kernels.LeakyReLU:
		if z > 0 {
			return z
		}
		return 0.01 * z
	case kernels.GELU:
		return z * gaussian(z)
	case kernels.Tanh:
		return math.Tanh(z)
	default:
		return sigmoid(z)
	}
}

// slope is the derivative at z, where the value is y.
func (a activation) slope(z, y float64) float64 {
	switch a.f {
	case kernels.ReLU:
		if z > 0 {
			return 1
		}
		return 0
	case kernels.LeakyReLU:
		if z > 0 {
			return 1
		}
		return 0.01
	case kernels.GELU:
		return gaussian(z) + z*math.Exp(-z*z/2)/math.Sqrt(2*math.Pi)
	case kernels.Tanh:
		return 1 - y*y
	default:
		return y * (1 - y)
	}
}

// gaussian is Φ, the distribution function of the standard normal.
func gaussian(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// sigmoid is 1/(1+e^-z) without overflow.
func sigmoid(z float64) float64 {
	if z >= 0 {
		return 1 / (1 + math.Exp(-z))
	}
	e := math.Exp(z)
	return e / (1 + e)
}

func (activation) wrt() []bool { return []bool{true} }

func (a activation) derive(in gorgonia.Nodes, out, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dz, err := apply(activationGrad{a}, in[0], out, grad)
	return gorgonia.Nodes{dz}, err
}

// activationGrad is f'(z)·dy; y = f(z) is at hand and saves computing it again.
type activationGrad struct{ activation activation }

func (g activationGrad) label() string      { return "gradient of " + g.activation.label() }
func (g activationGrad) operands() []string { return []string{"z", "y", "dy"} }
func (g activationGrad) infer(in []extent) (extent, error) {
	if in[1] != in[0] || in[2] != in[0] {
		return extent{}, fmt.Errorf("z is %v, y is %v and dy is %v: want one shape", in[0], in[1], in[2])
	}
	return in[0], nil
}

func (g activationGrad) compute(in []matrix, out matrix) error {
	z, y, dy := in[0], in[1], in[2]
	for i, d := range dy.data {
		out.data[i] = g.activation.slope(z.data[i], y.data[i]) * d
	}
	return nil
}
