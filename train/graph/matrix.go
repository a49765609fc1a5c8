package graph

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// extent is the shape of an operand; a scalar is 1×1.
type extent struct{ rows, cols int }

func (e extent) String() string { return fmt.Sprintf("%d×%d", e.rows, e.cols) }

// row is a row vector of as many columns as e has.
func (e extent) row() extent { return extent{1, e.cols} }

// matrix is a row-major operand in float64, whatever the dtype it came in: an
// op's arithmetic is exact beside float32, and its result is rounded once.
type matrix struct {
	extent
	data []float64
}

func newMatrix(e extent) matrix { return matrix{e, make([]float64, e.rows*e.cols)} }

func (m matrix) at(i, j int) float64     { return m.data[i*m.cols+j] }
func (m matrix) set(i, j int, v float64) { m.data[i*m.cols+j] = v }
func (m matrix) row(i int) []float64     { return m.data[i*m.cols : (i+1)*m.cols] }

// column copies column j.
func (m matrix) column(j int) []float64 {
	c := make([]float64, m.rows)
	for i := range c {
		c[i] = m.at(i, j)
	}
	return c
}

// extentOf reads the shape of a value or a node.
func extentOf(s tensor.Shape) (extent, error) {
	switch len(s) {
	case 0:
		return extent{1, 1}, nil
	case 2:
		return extent{s[0], s[1]}, nil
	}
	return extent{}, fmt.Errorf("shape %v: want two dimensions", s)
}

// load copies a value into a matrix.
func load(v gorgonia.Value) (matrix, error) {
	switch v := v.(type) {
	case nil:
		return matrix{}, fmt.Errorf("no value")
	case *gorgonia.F32:
		return matrix{extent{1, 1}, []float64{float64(*v)}}, nil
	case *gorgonia.F64:
		return matrix{extent{1, 1}, []float64{float64(*v)}}, nil
	case *tensor.Dense:
		return loadDense(v)
	}
	return matrix{}, fmt.Errorf("a value of type %T: want float32 or float64", v)
}

func loadDense(t *tensor.Dense) (matrix, error) {
	e, err := extentOf(t.Shape())
	if err != nil {
		return matrix{}, err
	}
	if t.RequiresIterator() || t.DataOrder().IsColMajor() {
		return matrix{}, fmt.Errorf("a strided or column-major tensor: materialise it first")
	}
	m := newMatrix(e)
	switch data := t.Data().(type) {
	case []float32:
		for i, v := range data {
			m.data[i] = float64(v)
		}
	case []float64:
		copy(m.data, data)
	case float32: // a tensor of one element
		m.data[0] = float64(data)
	case float64:
		m.data[0] = data
	default:
		return matrix{}, fmt.Errorf("a tensor of %v: want float32 or float64", t.Dtype())
	}
	return m, nil
}

// store rounds the matrix to a value of the dtype, a scalar where one is asked for.
func (m matrix) store(dtype tensor.Dtype, scalar bool) gorgonia.Value {
	if dtype == tensor.Float64 {
		if scalar {
			return gorgonia.NewF64(m.data[0])
		}
		return tensor.New(tensor.WithShape(m.rows, m.cols), tensor.WithBacking(m.data))
	}
	if scalar {
		return gorgonia.NewF32(float32(m.data[0]))
	}
	data := make([]float32, len(m.data))
	for i, v := range m.data {
		data[i] = float32(v)
	}
	return tensor.New(tensor.WithShape(m.rows, m.cols), tensor.WithBacking(data))
}
