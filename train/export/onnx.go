package export

import (
	"fmt"
	"strings"

	"flowbench/data/scale"
	"flowbench/train"
	"flowbench/train/export/onnx"
)

// Names of the graph's input and outputs.
const (
	featuresName      = "features"
	scoreName         = "score"
	probabilitiesName = "probabilities"
)

// ONNX is the model as the bytes of a .onnx file, the way from raw flows to
// scores: input features, float32 [N, d], of which cells that are NaN or infinite
// are missing; output score, float64 [N]; for a DNN also probabilities, float32
// [N, classes]. A model that keeps more rows than a file of ONNX holds is an
// *UnsupportedError.
func ONNX(f *train.Finished) ([]byte, error) {
	m, g := f.Model, &onnx.Graph{Name: "flowbench"}
	cols := len(m.Scaler.Columns)
	g.Inputs = []onnx.Port{{Name: featuresName, Type: onnx.Float32, Dims: []any{"N", cols}, Doc: "raw feature values: " + strings.Join(m.Scaler.Columns, ", ")}}
	b := &builder{Graph: g, model: m}
	score, err := b.score(f, b.prepare(featuresName, m.Scaler))
	if err != nil {
		return nil, err
	}
	g.As(scoreName, g.Flat(score))
	g.Outputs = append([]onnx.Port{{Name: scoreName, Type: onnx.Float64, Dims: []any{"N"}, Doc: "higher is more suspicious"}}, g.Outputs...)
	return onnx.Encode(onnx.Model{Graph: g, Producer: "flowbench", Version: fmt.Sprint(bundleVersion), Doc: describe(m), Metadata: metadata(m)})
}

// UnsupportedError is a model that ONNX has no form of.
type UnsupportedError struct{ Kind, Reason string }

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("a model of kind %s has no ONNX form: %s; leave out onnx: --format safetensors,npz, or train it on fewer rows: fit.max_rows", e.Kind, e.Reason)
}

// builder adds a model to a graph.
type builder struct {
	*onnx.Graph
	model *train.ModelFile
}

// score adds the way from scaled rows to scores, float64 [N, 1].
func (b *builder) score(f *train.Finished, x onnx.Value) (onnx.Value, error) {
	switch b.model.Config.Model.Kind {
	case "dnn":
		return b.classifier(f.Members, x)
	case "autoencoder":
		return b.autoencoders(f.Members, x)
	}
	return b.detector(f.Members[0], x)
}

// prepare adds what scale.Scaler does. The logarithm is taken in float64, as there.
func (b *builder) prepare(x onnx.Value, s *scale.Scaler) onnx.Value {
	cols := len(s.Columns)
	missing := b.Binary("Or", b.Unary("IsNaN", x), b.Unary("IsInf", x))
	x = b.Where(missing, b.Floats("fill", s.Fill, 1, cols), x)
	if s.Func == scale.SignedLog1p {
		wide := b.Cast(x, onnx.Float64)
		size := b.Unary("Log", b.Binary("Add", b.Double("one", 1), b.Unary("Abs", wide)))
		x = b.Cast(b.Binary("Mul", b.Unary("Sign", wide), size), onnx.Float32)
	}
	x = b.Binary("Mul", b.Binary("Sub", x, b.Floats("mean", s.Mean, 1, cols)), b.Floats("inv_std", s.InvStd, 1, cols))
	if s.Clip > 0 {
		x = b.Binary("Min", b.Binary("Max", x, b.Float("low", -s.Clip)), b.Float("high", s.Clip))
	}
	return x
}

// metadata is what a user of the file alone needs to know.
func metadata(m *train.ModelFile) []onnx.Pair {
	pairs := []onnx.Pair{
		{Key: "feature_names", Text: strings.Join(m.Scaler.Columns, "\n")},
		{Key: "classes", Text: strings.Join(m.Classes, "\n")},
		{Key: "kind", Text: m.Config.Model.Kind},
		{Key: "fingerprint", Text: m.Fingerprint},
		{Key: "data_fingerprint", Text: m.Data},
		{Key: "flows_fingerprint", Text: m.Flows},
	}
	if threshold, ok := Threshold(m); ok {
		pairs = append(pairs, onnx.Pair{Key: "threshold", Text: fmt.Sprint(threshold)}, onnx.Pair{Key: "threshold_on", Text: m.ThresholdOn})
	}
	return pairs
}

// describe is a sentence on the model.
func describe(m *train.ModelFile) string {
	return fmt.Sprintf("%s over %d flow features: %s against %s. A score at or above the threshold is an alert.",
		m.Config.Model.Kind, len(m.Scaler.Columns), strings.Join(m.Classes[1:], ", "), m.Classes[0])
}

func (b *builder) square(x onnx.Value) onnx.Value { return b.Binary("Mul", x, x) }
