package onnx

import (
	"encoding/binary"
	"math"
)

// Floats, Doubles and Ints add a constant tensor, named after stem, and give its
// name. dims none is a scalar. They panic where the values do not fill dims.
func (g *Graph) Floats(stem string, values []float32, dims ...int) Value {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return g.constant(stem, Float32, raw, len(values), dims)
}

// Doubles is Floats of float64.
func (g *Graph) Doubles(stem string, values []float64, dims ...int) Value {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	return g.constant(stem, Float64, raw, len(values), dims)
}

// Ints is Floats of int64.
func (g *Graph) Ints(stem string, values []int64, dims ...int) Value {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return g.constant(stem, Int64, raw, len(values), dims)
}

// Float and Double are scalars.
func (g *Graph) Float(stem string, v float32) Value { return g.Floats(stem, []float32{v}) }

// Double is Float of float64.
func (g *Graph) Double(stem string, v float64) Value { return g.Doubles(stem, []float64{v}) }

func (g *Graph) constant(stem string, typ Type, raw []byte, values int, dims []int) Value {
	n := 1
	for _, d := range dims {
		n *= d
	}
	if n != values {
		panic("onnx: a tensor's values do not fill its dimensions")
	}
	// Equal scalars and small tensors are one initializer.
	for _, i := range g.initializers {
		if values <= 1 && i.typ == typ && len(i.dims) == len(dims) && string(i.raw) == string(raw) {
			return i.name
		}
	}
	name := Value(g.unique("const_" + stem))
	g.initializers = append(g.initializers, initializer{name: name, typ: typ, dims: dims, raw: raw})
	return name
}
