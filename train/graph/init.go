package graph

import (
	"fmt"
	"math"

	"flowbench/kernels"
)

// Scheme says how the weights of dense layers start.
type Scheme uint8

const (
	// He draws weights before relu, leaky relu and gelu from a normal distribution
	// of variance 2/inputs (He et al. 2015), the others as Glorot does.
	He Scheme = iota
	// Glorot draws every weight uniformly within ±√(6/(inputs+outputs)) (Glorot,
	// Bengio 2010).
	Glorot
)

// Init returns what the buffers hold before the first step, by name: every
// Parameter, Statistic and Constant (moments start at 0, as an arena does).
//
// The weights of dense layers follow the scheme. Biases and running means are 0; gains, running variances and
// feature weights are 1. Element e of parameter i is drawn from (seed, i, e)
// alone, i counting Parameters.
func (m *Model) Init(scheme Scheme, seed uint64) (map[string][]float32, error) {
	f, err := readForward(m.X, m.Y, m.Output, m.Loss)
	if err != nil {
		return nil, err
	}
	values := map[string][]float32{}
	stream := uint32(0)
	for i, l := range f.layers {
		for k, p := range l.parameters() {
			shape := p.Shape()
			v := make([]float32, shape[0]*shape[1])
			_, isDense := l.rule().(dense)
			switch {
			case isDense && k == 0 && scheme == He && rectifies(f.activationOf(i)):
				heNormal(v, seed, stream, shape[0])
			case isDense && k == 0:
				glorotUniform(v, seed, stream, shape[0]+shape[1])
			case !isDense && k == 0:
				fill(v, 1)
			}
			values[p.Name()] = v
			stream++
		}
	}
	for i, s := range f.statistics {
		v := make([]float32, s.Node.Shape()[1])
		fill(v, float32(i%2)) // a mean, then its variance
		values[s.Name()] = v
	}
	for _, c := range f.constants {
		v := make([]float32, c.Shape()[1])
		fill(v, 1)
		values[c.Name()] = v
	}
	if want := len(m.Parameters) + len(m.Statistics) + len(m.Constants); len(values) != want {
		return nil, fmt.Errorf("graph: init: %d names for %d inputs: two inputs share a name", len(values), want)
	}
	return values, nil
}

// activationOf is the activation of layer i, or of the norm that reads it.
func (f *forward) activationOf(i int) kernels.ActivationFunc {
	l := f.layers[i]
	for _, next := range f.layers[i+1:] {
		if _, isDense := next.rule().(dense); next.from == l && !isDense && l.activation == nil {
			return next.function()
		}
	}
	return l.function()
}

// rectifies says whether f passes about half of a symmetric input's variance.
func rectifies(f kernels.ActivationFunc) bool {
	return f == kernels.ReLU || f == kernels.LeakyReLU || f == kernels.GELU
}

// heNormal draws at step 0, which no training step is.
func heNormal(v []float32, seed uint64, stream uint32, inputs int) {
	deviation := math.Sqrt(2 / float64(inputs))
	for e := range v {
		v[e] = float32(deviation * float64(kernels.Normal(seed, 0, stream, uint64(e))))
	}
}

func glorotUniform(v []float32, seed uint64, stream uint32, inputsAndOutputs int) {
	limit := math.Sqrt(6 / float64(inputsAndOutputs))
	for e := range v {
		v[e] = float32(limit * (2*float64(kernels.Uniform(seed, stream, uint64(e))) - 1))
	}
}

func fill(v []float32, x float32) {
	for i := range v {
		v[i] = x
	}
}
