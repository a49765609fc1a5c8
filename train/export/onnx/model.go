// Package onnx writes models in the format of the Open Neural Network Exchange,
// field by field: IR version 8, operator set 17, and where a graph has trees
// version 3 of the operators for machine learning. A Graph is built by calls that add nodes
// and give the name of what comes out; what does not fit together shows when a runtime loads the model, so every graph needs a test that
// runs it.
package onnx

import (
	"fmt"
	"math"
	"strings"
)

// Versions that a Model declares.
const (
	IRVersion = 8
	OpSet     = 17
	MLOpSet   = 3 // of MLDomain
)

// MostBytes is how large a graph may be: a protobuf message holds 2 GB, of which
// what is said of the graph needs a little.
const MostBytes = math.MaxInt32 - 1<<20

// MLDomain is that of the operators for what is learned without gradients.
const MLDomain = "ai.onnx.ml"

// Type is the element type of a tensor, by its number in TensorProto.DataType.
type Type int

// The types that are used.
const (
	Float32 Type = 1
	Int64   Type = 7
	Bool    Type = 9
	Float64 Type = 11
)

// Value is the name of a tensor in a Graph.
type Value string

// Port is an input or an output of a Graph. A dimension that is a word, such as
// "N", is free.
type Port struct {
	Name Value
	Type Type
	Dims []any // int or string
	Doc  string
}

// Attribute is one attribute of a node: Value is an int, a float32, a string,
// a slice of one of them, or a Tensor.
type Attribute struct {
	Name  string
	Value any
}

// Graph is nodes in the order in which they were added, which is one in which
// they can run.
type Graph struct {
	Name            string
	Inputs, Outputs []Port

	nodes        []node
	initializers []initializer
	counts       map[string]int
	scalars      map[string]Value // initializers of one value
}

type node struct {
	domain     string // "" is the default
	op, name   string
	in         []Value
	out        []Value
	attributes []Attribute
}

type initializer struct {
	name Value
	Tensor
}

// Pair is a key of a model's metadata with its text.
type Pair struct{ Key, Text string }

// Model is a Graph and what is said of it.
type Model struct {
	Graph    *Graph
	Producer string // name of the program that wrote it
	Version  string // of that program
	Doc      string
	Metadata []Pair // in this order
}

// unique is a name that begins with stem and that no other value has.
func (g *Graph) unique(stem string) string {
	if g.counts == nil {
		g.counts = map[string]int{}
	}
	g.counts[stem]++
	return fmt.Sprintf("%s_%d", stem, g.counts[stem])
}

// Op adds a node of the default operator set and gives its output.
func (g *Graph) Op(op string, in []Value, attributes ...Attribute) Value {
	return g.add(op, Value(g.unique(strings.ToLower(op))), in, attributes)
}

// Two adds a node of two outputs.
func (g *Graph) Two(op string, in []Value, attributes ...Attribute) (first, second Value) {
	first = g.Op(op, in, attributes...)
	n := &g.nodes[len(g.nodes)-1]
	second = first + "_2"
	n.out = append(n.out, second)
	return first, second
}

// ML adds a node of MLDomain.
func (g *Graph) ML(op string, in []Value, attributes ...Attribute) Value {
	out := g.Op(op, in, attributes...)
	g.nodes[len(g.nodes)-1].domain = MLDomain
	return out
}

func (g *Graph) add(op string, out Value, in []Value, attributes []Attribute) Value {
	g.nodes = append(g.nodes, node{op: op, name: string(out), in: in, out: []Value{out}, attributes: attributes})
	return out
}

// As gives a value one more name, that of an output.
func (g *Graph) As(name, v Value) { g.add("Identity", name, []Value{v}, nil) }

// Unary, Binary and Cast are the commonest nodes.
func (g *Graph) Unary(op string, x Value) Value     { return g.Op(op, []Value{x}) }
func (g *Graph) Binary(op string, a, b Value) Value { return g.Op(op, []Value{a, b}) }

// Cast converts to a type.
func (g *Graph) Cast(x Value, to Type) Value {
	return g.Op("Cast", []Value{x}, Attribute{"to", int(to)})
}

// Where takes a where the condition holds, else b.
func (g *Graph) Where(condition, a, b Value) Value {
	return g.Op("Where", []Value{condition, a, b})
}

// Least gives the place of the least value of each row of x, [N, k], as [N].
func (g *Graph) Least(x Value) Value {
	return g.Op("ArgMin", []Value{x}, Attribute{"axis", 1}, Attribute{"keepdims", 0})
}

// SumRows adds up the last axis: [N, d] becomes [N, 1].
func (g *Graph) SumRows(x Value) Value {
	axes := g.Ints("axes", []int64{1}, 1)
	return g.Op("ReduceSum", []Value{x, axes}, Attribute{"keepdims", 1})
}

// reduceRows is a reduction whose axes are an attribute in operator set 17.
func (g *Graph) reduceRows(op string, x Value) Value {
	return g.Op(op, []Value{x}, Attribute{"axes", []int{1}}, Attribute{"keepdims", 1})
}

// MeanRows and MaxRows reduce the last axis: [N, d] becomes [N, 1].
func (g *Graph) MeanRows(x Value) Value { return g.reduceRows("ReduceMean", x) }
func (g *Graph) MaxRows(x Value) Value  { return g.reduceRows("ReduceMax", x) }

// Columns are those from lo to before hi of x, [N, k].
func (g *Graph) Columns(x Value, lo, hi int) Value { return g.slice(x, lo, hi, 1) }

// Rows are those from lo to before hi of x.
func (g *Graph) Rows(x Value, lo, hi int) Value { return g.slice(x, lo, hi, 0) }

func (g *Graph) slice(x Value, lo, hi, axis int) Value {
	return g.Op("Slice", []Value{x, g.Ints("lo", []int64{int64(lo)}, 1), g.Ints("hi", []int64{int64(hi)}, 1), g.Ints("axis", []int64{int64(axis)}, 1)})
}

// Smallest gives the k smallest values of each row of x, [N, m], in rising order,
// of equals the first first, and their places, int64.
func (g *Graph) Smallest(x Value, k int) (values, places Value) {
	return g.Two("TopK", []Value{x, g.Ints("k", []int64{int64(k)}, 1)}, Attribute{"axis", 1}, Attribute{"largest", 0}, Attribute{"sorted", 1})
}

// Constant is the value v for every row of x, [N, 1].
func (g *Graph) Constant(x Value, v float64) Value {
	rows := g.Op("Shape", []Value{x}, Attribute{"start", 0}, Attribute{"end", 1})
	shape := g.Op("Concat", []Value{rows, g.Ints("one", []int64{1}, 1)}, Attribute{"axis", 0})
	return g.Op("ConstantOfShape", []Value{shape}, Attribute{"value", DoubleTensor([]float64{v}, 1)})
}

// Flat makes [N, 1] to [N].
func (g *Graph) Flat(x Value) Value {
	return g.Op("Reshape", []Value{x, g.Ints("shape", []int64{-1}, 1)})
}
