package train

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"flowbench/kernels"
	"flowbench/train/checkpoint"
	"flowbench/train/graph"
)

// network is a compiled model with its memory. Close frees it.
type network struct {
	data    *Data
	program *kernels.Program
	machine kernels.Machine
	bound   kernels.Data
	kept    []kernels.Buf // parameters, statistics and moments: what a checkpoint holds
}

// precisions are what train.precision may be.
var precisions = map[string]kernels.Precision{
	kernels.Float32.String(): kernels.Float32, kernels.TF32.String(): kernels.TF32, kernels.BFloat16.String(): kernels.BFloat16,
}

// newNetwork builds the graph of c for data, lowers it and compiles it on backend.
func newNetwork(c Config, objective graph.Objective, data *Data, y []float32, backend kernels.Backend) (*network, *graph.Model, error) {
	architecture, err := c.architecture(data)
	if err != nil {
		return nil, nil, err
	}
	model, err := graph.Build(architecture, objective, c.Train.Batch)
	if err != nil {
		return nil, nil, err
	}
	program, err := model.Lower(c.optimizer())
	if err != nil {
		return nil, nil, err
	}
	program.Precision = precisions[c.Train.Precision]
	machine, err := backend.Compile(program)
	if err != nil {
		return nil, nil, err
	}
	n := &network{data: data, program: program, machine: machine}
	for i, b := range program.Buffers {
		switch b.Kind {
		case kernels.Parameter, kernels.Statistic, kernels.Moment:
			n.kept = append(n.kept, kernels.Buf(i))
		}
	}
	n.bound = kernels.Data{X: data.X, Rows: data.Rows, Cols: data.Cols, Y: y}
	if err := machine.Bind(n.bound); err != nil {
		machine.Close()
		return nil, nil, err
	}
	return n, model, nil
}

func (n *network) Close() error { return n.machine.Close() }

// initialise sets every buffer that init names; the rest keeps its zeros.
func (n *network) initialise(init map[string][]float32) error {
	for i, b := range n.program.Buffers {
		if values, ok := init[b.Name]; ok {
			if err := n.machine.Write(kernels.Buf(i), values); err != nil {
				return err
			}
		}
	}
	return nil
}

// outputs is the number of columns that Predict writes.
func (n *network) outputs() int { return n.program.Buffers[n.program.Output].Cols }

// tensors reads what a checkpoint holds; with weights only, the moments stay out.
func (n *network) tensors(weightsOnly bool) ([]checkpoint.Tensor, error) {
	var tensors []checkpoint.Tensor
	for _, id := range n.kept {
		b := n.program.Buffers[id]
		if weightsOnly && b.Kind == kernels.Moment {
			continue
		}
		values := make([]float32, b.Len())
		if err := n.machine.Read(id, values); err != nil {
			return nil, err
		}
		tensors = append(tensors, checkpoint.Tensor{Name: b.Name, Shape: []int{b.Rows, b.Cols}, Data: values})
	}
	return tensors, nil
}

// restore writes a checkpoint's tensors back. Every parameter and statistic must
// be there in its shape; moments may be missing, as in a file of weights alone.
func (n *network) restore(f *checkpoint.File) error {
	for _, id := range n.kept {
		b := n.program.Buffers[id]
		t, err := f.Tensor(b.Name)
		if err != nil {
			if b.Kind == kernels.Moment {
				continue
			}
			return err
		}
		if len(t.Data) != b.Len() {
			return fmt.Errorf("checkpoint: tensor %q has shape %v, the model wants %d×%d", t.Name, t.Shape, b.Rows, b.Cols)
		}
		if err := n.machine.Write(id, t.Data); err != nil {
			return err
		}
	}
	return nil
}

// predictChunk is how many rows are scored between looks at the context: large
// enough to keep a backend busy, small enough to answer Ctrl-C in well under a second.
const predictChunk = 4096

// predict calls use with the outputs (rows×outputs, valid during the call) of
// consecutive chunks of rows. It ends with ctx's error where that ends first.
func (n *network) predict(ctx context.Context, rows []int32, use func(chunk []int32, out []float32) error) error {
	out := make([]float32, min(len(rows), predictChunk)*n.outputs())
	for len(rows) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk := rows[:min(len(rows), predictChunk)]
		rows = rows[len(chunk):]
		if err := n.machine.Predict(chunk, out[:len(chunk)*n.outputs()]); err != nil {
			return err
		}
		if err := use(chunk, out[:len(chunk)*n.outputs()]); err != nil {
			return err
		}
	}
	return nil
}

// reconstruct is predict for an autoencoder whose outputs go through it again,
// passes times in all.
func (n *network) reconstruct(ctx context.Context, rows []int32, passes int, use func(chunk []int32, out []float32) error) error {
	return n.predict(ctx, rows, func(chunk []int32, out []float32) error {
		if err := n.feedBack(out, len(chunk), passes-1); err != nil {
			return err
		}
		return use(chunk, out)
	})
}

// feedBack replaces out, of the given number of rows, by its reconstruction, times over.
func (n *network) feedBack(out []float32, rows, times int) (err error) {
	if times <= 0 {
		return nil
	}
	in := make([]float32, len(out))
	every := make([]int32, rows)
	for i := range every {
		every[i] = int32(i)
	}
	defer func() { err = errors.Join(err, n.machine.Bind(n.bound)) }()
	if err := n.machine.Bind(kernels.Data{X: in, Rows: rows, Cols: n.data.Cols}); err != nil {
		return err
	}
	for range times {
		copy(in, out)
		if err := n.machine.Predict(every, out); err != nil {
			return err
		}
	}
	return nil
}

var activations = map[string]kernels.ActivationFunc{
	"relu":       kernels.ReLU,
	"leaky_relu": kernels.LeakyReLU,
	"gelu":       kernels.GELU,
	"tanh":       kernels.Tanh,
	"sigmoid":    kernels.Sigmoid,
}

var initSchemes = map[string]graph.Scheme{"he": graph.He, "glorot": graph.Glorot}

// architecture is the shape of the network that c describes, for data.
func (c Config) architecture(data *Data) (graph.Architecture, error) {
	a := graph.Architecture{
		Inputs:  data.Cols,
		Hidden:  c.Model.Hidden,
		Outputs: data.Cols,
		Norm:    c.Model.Norm,
		Dropout: c.Model.Dropout,
		Sigma:   c.Model.Noise,
		Mask:    c.Model.Mask,
	}
	if a.Norm == "none" {
		a.Norm = ""
	}
	if c.Model.Kind == "dnn" {
		a.Outputs = 1
		if data.Multiclass() {
			a.Outputs = len(data.Classes)
		}
	}
	f, ok := activations[c.Model.Activation]
	if !ok {
		return a, fmt.Errorf("model.activation: %q is none of %v", c.Model.Activation, sortedKeys(activations))
	}
	a.Activation = f
	return a, nil
}

// objective is the loss that c describes, with its class weights fitted on the train part.
func (c Config) objective(data *Data) (graph.Objective, error) {
	o := graph.Objective{Delta: c.Loss.Delta}
	switch c.Loss.Kind {
	case "mse":
		o.Kind = kernels.MSE
		return o, nil
	case "huber":
		o.Kind = kernels.Huber
		return o, nil
	}
	o.Kind = kernels.BCE
	if data.Multiclass() {
		o.Kind = kernels.SoftmaxCE
	}
	if c.Loss.Kind == "focal" {
		o.Gamma = c.Loss.Gamma
	}
	var err error
	o.ClassWeight, err = classWeights(c.Loss, data.classCounts(data.Train), data.Classes)
	return o, err
}

func (c Config) optimizer() graph.Optimizer {
	kinds := map[string]kernels.OptimizerKind{"sgd": kernels.SGD, "adam": kernels.Adam, "adamw": kernels.AdamW}
	o := c.Optimizer
	return graph.Optimizer{
		Kind:        kinds[o.Kind],
		Beta1:       o.Beta1,
		Beta2:       o.Beta2,
		Epsilon:     o.Epsilon,
		Momentum:    o.Momentum,
		WeightDecay: o.WeightDecay,
		ClipNorm:    o.ClipNorm,
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
