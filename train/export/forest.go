package export

import (
	"math"

	"flowbench/train/detect"
	"flowbench/train/export/onnx"
)

// forest adds an isolation forest: the sum of the depths by the operator for
// trees, which compares in float64 here as its cuts are float32 values, and whose
// sum is float32, exact to 10⁻⁷ of it; then the score of that sum.
func (b *builder) forest(f *detect.IsolationForest, x onnx.Value) onnx.Value {
	trees, power := f.Trees()
	var ensemble ensemble
	for t, tree := range trees {
		ensemble.add(t, tree)
	}
	depth := b.ML("TreeEnsembleRegressor", []onnx.Value{b.Cast(x, onnx.Float64)}, ensemble.attributes()...)
	return b.Unary("Exp", b.Binary("Mul", b.Cast(depth, onnx.Float64), b.Double("power", power*math.Ln2)))
}

// ensemble is trees as the operator has them: each attribute one entry a node, or
// one a leaf.
type ensemble struct {
	tree, node, column, below, above []int
	modes                            []string
	cuts                             []float64
	leafTree, leafNode, leafTarget   []int
	depths                           []float64
}

func (e *ensemble) add(t int, tree []detect.ForestNode) {
	for i, n := range tree {
		mode := "BRANCH_LEQ"
		if n.Column < 0 {
			mode, n = "LEAF", detect.ForestNode{Depth: n.Depth}
			e.leafTree, e.leafNode, e.leafTarget = append(e.leafTree, t), append(e.leafNode, i), append(e.leafTarget, 0)
			e.depths = append(e.depths, n.Depth)
		}
		e.tree, e.node, e.modes = append(e.tree, t), append(e.node, i), append(e.modes, mode)
		e.column, e.cuts = append(e.column, n.Column), append(e.cuts, float64(n.Cut))
		e.below, e.above = append(e.below, n.Below), append(e.above, n.Above)
	}
}

func (e *ensemble) attributes() []onnx.Attribute {
	return []onnx.Attribute{
		{Name: "n_targets", Value: 1},
		{Name: "aggregate_function", Value: "SUM"},
		{Name: "post_transform", Value: "NONE"},
		{Name: "nodes_treeids", Value: e.tree},
		{Name: "nodes_nodeids", Value: e.node},
		{Name: "nodes_modes", Value: e.modes},
		{Name: "nodes_featureids", Value: e.column},
		{Name: "nodes_values_as_tensor", Value: onnx.DoubleTensor(e.cuts, len(e.cuts))},
		{Name: "nodes_truenodeids", Value: e.below},
		{Name: "nodes_falsenodeids", Value: e.above},
		{Name: "target_treeids", Value: e.leafTree},
		{Name: "target_nodeids", Value: e.leafNode},
		{Name: "target_ids", Value: e.leafTarget},
		{Name: "target_weights_as_tensor", Value: onnx.DoubleTensor(e.depths, len(e.depths))},
	}
}
