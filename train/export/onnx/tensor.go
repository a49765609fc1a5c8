package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Tensor is a constant, of a Graph or of an attribute.
type Tensor struct {
	typ  Type
	dims []int
	raw  []byte // little-endian
}

// DoubleTensor is one of float64. It panics where the values do not fill dims.
func DoubleTensor(values []float64, dims ...int) Tensor {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	return newTensor(Float64, raw, len(values), dims)
}

func newTensor(typ Type, raw []byte, values int, dims []int) Tensor {
	n := 1
	for _, d := range dims {
		n *= d
	}
	if n != values {
		panic("onnx: a tensor's values do not fill its dimensions")
	}
	return Tensor{typ, dims, raw}
}

// Floats, Doubles and Ints add a constant tensor, named after stem, and give its
// name. dims none is a scalar. They panic where the values do not fill dims.
func (g *Graph) Floats(stem string, values []float32, dims ...int) Value {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return g.constant(stem, newTensor(Float32, raw, len(values), dims))
}

// Doubles is Floats of float64.
func (g *Graph) Doubles(stem string, values []float64, dims ...int) Value {
	return g.constant(stem, DoubleTensor(values, dims...))
}

// Ints is Floats of int64.
func (g *Graph) Ints(stem string, values []int64, dims ...int) Value {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return g.constant(stem, newTensor(Int64, raw, len(values), dims))
}

// Float and Double are scalars.
func (g *Graph) Float(stem string, v float32) Value { return g.Floats(stem, []float32{v}) }

// Double is Float of float64.
func (g *Graph) Double(stem string, v float64) Value { return g.Doubles(stem, []float64{v}) }

// constant adds t as an initializer. Scalars that are equal are one.
func (g *Graph) constant(stem string, t Tensor) Value {
	key := ""
	if len(t.raw) <= 8 {
		key = fmt.Sprint(t.typ, t.dims, t.raw)
		if name, ok := g.scalars[key]; ok {
			return name
		}
	}
	name := Value(g.unique("const_" + stem))
	g.initializers = append(g.initializers, initializer{name, t})
	if key != "" {
		if g.scalars == nil {
			g.scalars = map[string]Value{}
		}
		g.scalars[key] = name
	}
	return name
}
