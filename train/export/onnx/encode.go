package onnx

import (
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of the fields that are written, by message (onnx/onnx.proto, IR 8).
const (
	modelIRVersion   = 1
	modelProducer    = 2
	modelVersion     = 3
	modelDoc         = 6
	modelGraph       = 7
	modelOpSet       = 8
	modelMetadata    = 14
	opSetDomain      = 1
	opSetVersion     = 2
	metadataKey      = 1
	metadataText     = 2
	graphNode        = 1
	graphName        = 2
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12
	nodeInput        = 1
	nodeOutput       = 2
	nodeName         = 3
	nodeOp           = 4
	nodeAttribute    = 5
	nodeDomain       = 7
	tensorDims       = 1
	tensorType       = 2
	tensorName       = 8
	tensorRaw        = 9
	portName         = 1
	portType         = 2
	portDoc          = 3
	typeOfTensor     = 1
	tensorTypeElem   = 1
	tensorTypeShape  = 2
	shapeDim         = 1
	dimValue         = 1
	dimName          = 2
	attributeName    = 1
	attributeFloat   = 2
	attributeInt     = 3
	attributeString  = 4
	attributeTensor  = 5
	attributeFloats  = 7
	attributeInts    = 8
	attributeStrings = 9
	attributeType    = 20
)

// Numbers of AttributeProto.AttributeType.
const (
	typeFloat   = 1
	typeInt     = 2
	typeString  = 3
	typeTensor  = 4
	typeFloats  = 6
	typeInts    = 7
	typeStrings = 8
)

// Encode is the model as the bytes of a .onnx file: equal models give equal
// bytes. A model beyond 2 GB, which protobuf cannot hold, is an error.
func Encode(m Model) ([]byte, error) {
	graph := m.Graph.encode()
	if len(graph) > MostBytes {
		return nil, fmt.Errorf("onnx: the model has %d bytes, but a protobuf file holds %d at most", len(graph), MostBytes)
	}
	var b []byte
	b = appendInt(b, modelIRVersion, IRVersion)
	b = appendString(b, modelProducer, m.Producer)
	b = appendString(b, modelVersion, m.Version)
	b = appendString(b, modelDoc, m.Doc)
	b = appendBytes(b, modelGraph, graph)
	b = appendBytes(b, modelOpSet, appendInt(appendString(nil, opSetDomain, ""), opSetVersion, OpSet))
	if slices.ContainsFunc(m.Graph.nodes, func(n node) bool { return n.domain == MLDomain }) {
		b = appendBytes(b, modelOpSet, appendInt(appendString(nil, opSetDomain, MLDomain), opSetVersion, MLOpSet))
	}
	for _, pair := range m.Metadata {
		b = appendBytes(b, modelMetadata, appendString(appendString(nil, metadataKey, pair.Key), metadataText, pair.Text))
	}
	return b, nil
}

func (g *Graph) encode() []byte {
	var b []byte
	for _, n := range g.nodes {
		b = appendBytes(b, graphNode, n.encode())
	}
	b = appendString(b, graphName, g.Name)
	for _, i := range g.initializers {
		b = appendBytes(b, graphInitializer, i.encode(i.name))
	}
	for _, p := range g.Inputs {
		b = appendBytes(b, graphInput, p.encode())
	}
	for _, p := range g.Outputs {
		b = appendBytes(b, graphOutput, p.encode())
	}
	return b
}

func (n node) encode() []byte {
	var b []byte
	for _, v := range n.in {
		b = appendString(b, nodeInput, string(v))
	}
	for _, v := range n.out {
		b = appendString(b, nodeOutput, string(v))
	}
	b = appendString(b, nodeName, n.name)
	b = appendString(b, nodeOp, n.op)
	for _, a := range n.attributes {
		b = appendBytes(b, nodeAttribute, a.encode())
	}
	if n.domain != "" {
		b = appendString(b, nodeDomain, n.domain)
	}
	return b
}

// encode panics on a value of another type, which is a programmer's mistake.
func (a Attribute) encode() []byte {
	b := appendString(nil, attributeName, a.Name)
	kind := 0
	switch v := a.Value.(type) {
	case int:
		b, kind = appendInt(b, attributeInt, int64(v)), typeInt
	case float32:
		b, kind = appendFloat(b, attributeFloat, v), typeFloat
	case string:
		b, kind = appendString(b, attributeString, v), typeString
	case []int:
		for _, x := range v {
			b = appendInt(b, attributeInts, int64(x))
		}
		kind = typeInts
	case []float32:
		for _, x := range v {
			b = appendFloat(b, attributeFloats, x)
		}
		kind = typeFloats
	case []string:
		for _, x := range v {
			b = appendString(b, attributeStrings, x)
		}
		kind = typeStrings
	case Tensor:
		b, kind = appendBytes(b, attributeTensor, v.encode("")), typeTensor
	default:
		panic(fmt.Sprintf("onnx: an attribute of type %T", v))
	}
	return appendInt(b, attributeType, int64(kind))
}

func (t Tensor) encode(name Value) []byte {
	var b []byte
	for _, d := range t.dims {
		b = appendInt(b, tensorDims, int64(d))
	}
	b = appendInt(b, tensorType, int64(t.typ))
	b = appendString(b, tensorName, string(name))
	return appendBytes(b, tensorRaw, t.raw)
}

func (p Port) encode() []byte {
	shape := []byte{}
	for _, d := range p.Dims {
		switch d := d.(type) {
		case int:
			shape = appendBytes(shape, shapeDim, appendInt(nil, dimValue, int64(d)))
		case string:
			shape = appendBytes(shape, shapeDim, appendString(nil, dimName, d))
		default:
			panic(fmt.Sprintf("onnx: a dimension of type %T", d))
		}
	}
	tensor := appendInt(nil, tensorTypeElem, int64(p.Type))
	tensor = appendBytes(tensor, tensorTypeShape, shape)
	b := appendString(nil, portName, string(p.Name))
	b = appendBytes(b, portType, appendBytes(nil, typeOfTensor, tensor))
	return appendString(b, portDoc, p.Doc)
}

func appendInt(b []byte, field protowire.Number, v int64) []byte {
	b = protowire.AppendTag(b, field, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(v))
}

func appendFloat(b []byte, field protowire.Number, v float32) []byte {
	b = protowire.AppendTag(b, field, protowire.Fixed32Type)
	return protowire.AppendFixed32(b, math.Float32bits(v))
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, s)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, v)
}
