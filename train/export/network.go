package export

import (
	"fmt"
	"math"
	"strings"

	"flowbench/train"
	"flowbench/train/checkpoint"
	"flowbench/train/export/onnx"
	"flowbench/train/graph"
)

// network adds one network, from rows to its outputs, float32.
func (b *builder) network(weights *checkpoint.File, x onnx.Value) (onnx.Value, error) {
	c := b.model.Config.Model
	for i := range len(c.Hidden) + 1 {
		last := i == len(c.Hidden)
		weight, err := weights.Tensor(fmt.Sprintf("dense%d.weight", i))
		if err != nil {
			return "", err
		}
		x = b.Binary("MatMul", x, b.Floats("weight", weight.Data, weight.Shape...))
		if last || c.Norm == "none" || c.Norm == "" {
			bias, err := weights.Tensor(fmt.Sprintf("dense%d.bias", i))
			if err != nil {
				return "", err
			}
			x = b.Binary("Add", x, b.Floats("bias", bias.Data, 1, len(bias.Data)))
		} else if x, err = b.norm(weights, i, x); err != nil {
			return "", err
		}
		if !last {
			x = b.activation(c.Activation, x)
		}
	}
	return x, nil
}

// norm adds the norm of hidden layer i.
func (b *builder) norm(weights *checkpoint.File, i int, x onnx.Value) (onnx.Value, error) {
	gain, err := weights.Tensor(fmt.Sprintf("norm%d.gain", i))
	if err != nil {
		return "", err
	}
	bias, err := weights.Tensor(fmt.Sprintf("norm%d.bias", i))
	if err != nil {
		return "", err
	}
	width := len(gain.Data)
	if b.model.Config.Model.Norm == "layer" {
		in := []onnx.Value{x, b.Floats("gain", gain.Data, width), b.Floats("bias", bias.Data, width)}
		return b.Op("LayerNormalization", in, onnx.Attribute{Name: "axis", Value: -1}, onnx.Attribute{Name: "epsilon", Value: float32(graph.NormEpsilon)}), nil
	}
	mean, err := weights.Tensor(fmt.Sprintf("norm%d.running_mean", i))
	if err != nil {
		return "", err
	}
	variance, err := weights.Tensor(fmt.Sprintf("norm%d.running_variance", i))
	if err != nil {
		return "", err
	}
	factor := make([]float32, width)
	for j, v := range variance.Data {
		factor[j] = float32(float64(gain.Data[j]) / math.Sqrt(float64(v)+graph.NormEpsilon))
	}
	x = b.Binary("Mul", b.Binary("Sub", x, b.Floats("mean", mean.Data, 1, width)), b.Floats("factor", factor, 1, width))
	return b.Binary("Add", x, b.Floats("bias", bias.Data, 1, width)), nil
}

// activation adds one of those that model.activation names.
func (b *builder) activation(name string, x onnx.Value) onnx.Value {
	switch name {
	case "relu":
		return b.Unary("Relu", x)
	case "leaky_relu":
		return b.Op("LeakyRelu", []onnx.Value{x}, onnx.Attribute{Name: "alpha", Value: float32(0.01)})
	case "gelu": // x·Φ(x), which operator set 17 has no name for
		phi := b.Binary("Add", b.Float("one", 1), b.Unary("Erf", b.Binary("Mul", x, b.Float("root_half", float32(1/math.Sqrt2)))))
		return b.Binary("Mul", b.Binary("Mul", x, phi), b.Float("half", 0.5))
	case "tanh":
		return b.Unary("Tanh", x)
	case "sigmoid":
		return b.Unary("Sigmoid", x)
	}
	panic("export: no activation " + name)
}

// classifier adds a DNN: the log-odds of not being the negative class, and beside
// it the probabilities.
func (b *builder) classifier(members []*checkpoint.File, x onnx.Value) (onnx.Value, error) {
	var odds, probabilities []onnx.Value
	for _, weights := range members {
		out, err := b.network(weights, x)
		if err != nil {
			return "", err
		}
		wide := b.Cast(out, onnx.Float64)
		if n := len(b.model.Classes); n > 2 {
			probabilities = append(probabilities, b.Op("Softmax", []onnx.Value{wide}, onnx.Attribute{Name: "axis", Value: 1}))
			wide = b.Binary("Sub", b.logSumExp(b.Columns(wide, 1, n)), b.Columns(wide, 0, 1))
		}
		odds = append(odds, wide)
	}
	score, shares := odds[0], onnx.Value("")
	if len(odds) > 1 || probabilities == nil {
		yes, no := b.mean(b.halves(odds, false)), b.mean(b.halves(odds, true))
		shares = b.beside(no, yes)
		if len(odds) > 1 {
			score = b.Binary("Sub", b.Unary("Log", yes), b.Unary("Log", no))
		}
	}
	if probabilities != nil {
		shares = b.mean(probabilities)
	}
	b.As(probabilitiesName, b.Cast(shares, onnx.Float32))
	b.Outputs = append(b.Outputs, onnx.Port{Name: probabilitiesName, Type: onnx.Float32, Dims: []any{"N", len(b.model.Classes)}, Doc: "of each class, as the loss weighed them: " + strings.Join(b.model.Classes, ", ")})
	return score, nil
}

// maxLogit is where train bounds a member's log-odds, so that neither of its
// probabilities is 0 in float64.
const maxLogit = 700

// halves are the probabilities of log-odds, or those of the contrary, which keep
// their digits where they are tiny.
func (b *builder) halves(odds []onnx.Value, contrary bool) []onnx.Value {
	one := b.Double("one", 1)
	var out []onnx.Value
	for _, v := range odds {
		v = b.Binary("Min", b.Binary("Max", v, b.Double("low", -maxLogit)), b.Double("high", maxLogit))
		if !contrary {
			v = b.Unary("Neg", v)
		}
		out = append(out, b.Binary("Div", one, b.Binary("Add", one, b.Unary("Exp", v))))
	}
	return out
}

// autoencoders adds the mean of the members' scores.
func (b *builder) autoencoders(members []*checkpoint.File, x onnx.Value) (onnx.Value, error) {
	var scores []onnx.Value
	for _, weights := range members {
		out := x
		for range max(b.model.Config.Model.Passes, 1) {
			var err error
			if out, err = b.network(weights, out); err != nil {
				return "", err
			}
		}
		distance := b.Unary("Abs", b.Binary("Sub", b.Cast(out, onnx.Float64), b.Cast(x, onnx.Float64)))
		terms, err := b.residual(weights, distance)
		if err != nil {
			return "", err
		}
		scores = append(scores, b.MeanRows(terms))
	}
	return b.mean(scores), nil
}

// residual adds what each column's distance counts for.
func (b *builder) residual(weights *checkpoint.File, distance onnx.Value) (onnx.Value, error) {
	kind := b.model.Config.Model.Score
	if kind == "squared" {
		return b.square(distance), nil
	}
	t, err := weights.Tensor(train.ResidualTensor)
	if err != nil {
		return "", err
	}
	scale := b.Doubles("residual_scale", widened(t.Data), 1, len(t.Data))
	if kind == "variance" {
		return b.Binary("Div", b.square(distance), scale), nil
	}
	size := b.Unary("Log", b.Binary("Add", b.Double("one", 1), b.Binary("Div", distance, scale)))
	if kind == "log_median_squared" {
		size = b.square(size)
	}
	return size, nil
}

// mean is the elementwise one of values of the same shape, float64.
func (b *builder) mean(values []onnx.Value) onnx.Value {
	if len(values) == 1 {
		return values[0]
	}
	return b.Binary("Div", b.Op("Sum", values), b.Double("members", float64(len(values))))
}

// logSumExp is the logarithm of the sum of the exponentials of each row, [N, 1].
func (b *builder) logSumExp(x onnx.Value) onnx.Value {
	most := b.MaxRows(x)
	return b.Binary("Add", most, b.Unary("Log", b.SumRows(b.Unary("Exp", b.Binary("Sub", x, most)))))
}

func widened(values []float32) []float64 {
	wide := make([]float64, len(values))
	for i, v := range values {
		wide[i] = float64(v)
	}
	return wide
}
