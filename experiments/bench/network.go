package bench

import (
	"fmt"
	"slices"

	"flowbench/kernels"
	"flowbench/train/graph"
)

// Network is what a step trains.
type Network struct {
	Work   string // "dnn" or "autoencoder"
	Hidden []int
}

// networks are the rulers' two.
var networks = []Network{
	{"dnn", []int{128, 64, 32}},
	{"autoencoder", []int{64, 32, 16, 32, 64}},
}

// Works names the networks that a step can train.
func Works() []string { return []string{networks[0].Work, networks[1].Work} }

// NetworkOf is the network of a name that Works lists.
func NetworkOf(work string) (Network, error) {
	i := slices.IndexFunc(networks, func(n Network) bool { return n.Work == work })
	if i < 0 {
		return Network{}, fmt.Errorf("bench: no network %q, only %v", work, Works())
	}
	return networks[i], nil
}

// Wide is a DNN of three hidden layers of one width, which speed is plotted over.
func Wide(width int) Network { return Network{"dnn", []int{width, width, width}} }

func (n Network) outputs() int {
	if n.Work == "dnn" {
		return 1
	}
	return Cols
}

// flops is the floating-point operations of a training step in its matrix
// products, for one sample: two a multiply-add; forward, and backward to the
// weights and to the inputs, but for the first layer, whose inputs are data.
func (n Network) flops() float64 {
	sizes := slices.Concat([]int{Cols}, n.Hidden, []int{n.outputs()})
	products := 0
	for i, width := range sizes[1:] {
		products += 3 * sizes[i] * width
	}
	return 2 * float64(products-sizes[0]*sizes[1])
}

// parameters is how many weights and biases there are.
func (n Network) parameters() int {
	sizes := slices.Concat([]int{Cols}, n.Hidden, []int{n.outputs()})
	count := 0
	for i, width := range sizes[1:] {
		count += (sizes[i] + 1) * width
	}
	return count
}

// cells is how many values a sample has, its target among them.
func (n Network) cells() int {
	if n.Work == "dnn" {
		return Cols + 1
	}
	return Cols // which an autoencoder has for its targets, too
}

// model builds and lowers the network as training does.
func (n Network) model(batch int, classWeight []float32) (*graph.Model, *kernels.Program, error) {
	objective := graph.Objective{Kind: kernels.MSE}
	if n.Work == "dnn" {
		objective = graph.Objective{Kind: kernels.BCE, ClassWeight: classWeight}
	}
	architecture := graph.Architecture{Inputs: Cols, Hidden: n.Hidden, Outputs: n.outputs(), Activation: kernels.ReLU}
	m, err := graph.Build(architecture, objective, batch)
	if err != nil {
		return nil, nil, err
	}
	p, err := m.Lower(graph.Optimizer{Kind: kernels.Adam, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8})
	return m, p, err
}
