package detect

import (
	"encoding/json"
	"fmt"
	"slices"

	"flowbench/train/checkpoint"
)

// newState begins the file of a fitted detector: its kind, the columns it
// learned from, and its options, a struct that JSON holds or nothing. The caller
// adds tensors and may add to the metadata.
func newState(kind string, s shape, options any) (*checkpoint.File, error) {
	if s.cols == 0 {
		return nil, fmt.Errorf("%s: %w", kind, ErrNotFitted)
	}
	words := map[string]string{"detector": kind}
	for name, value := range map[string]any{"cols": s.cols, "columns": s.names, "options": options} {
		if value == nil {
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", kind, name, err)
		}
		words[name] = string(text)
	}
	return &checkpoint.File{Metadata: words}, nil
}

// readState reads what newState wrote: into options, which it points at, and as
// the shape.
func readState(f *checkpoint.File, kind string, options any) (shape, error) {
	if is := f.Metadata["detector"]; is != kind {
		return shape{}, fmt.Errorf("%s: the file holds the detector %q", kind, is)
	}
	var s shape
	for name, into := range map[string]any{"cols": &s.cols, "columns": &s.names, "options": options} {
		if into == nil {
			continue
		}
		if err := json.Unmarshal([]byte(f.Metadata[name]), into); err != nil {
			return shape{}, fmt.Errorf("%s: the file's %s: %w", kind, name, err)
		}
	}
	if s.cols <= 0 || s.names != nil && len(s.names) != s.cols {
		return shape{}, fmt.Errorf("%s: the file names %d columns of %d", kind, len(s.names), s.cols)
	}
	return s, nil
}

// narrow and wide are tensors of float32 and float64 values, copied.
func narrow(name string, values []float32, dims ...int) checkpoint.Tensor {
	return checkpoint.Tensor{Name: name, Shape: dims, Data: append([]float32{}, values...)}
}

func wide(name string, values []float64, dims ...int) checkpoint.Tensor {
	return checkpoint.Tensor{Name: name, Shape: dims, Wide: append([]float64{}, values...)}
}

// anySize stands for a dimension that a detector learned and only its file knows.
const anySize = -1

// readNarrow and readWide return the values of a tensor of that shape, copied,
// and its shape.
func readNarrow(f *checkpoint.File, name string, dims ...int) ([]float32, []int, error) {
	t, err := readTensor(f, name, dims)
	if err == nil && t.Wide != nil {
		err = fmt.Errorf("tensor %q is float64, want float32", name)
	}
	return slices.Clone(t.Data), t.Shape, err
}

func readWide(f *checkpoint.File, name string, dims ...int) ([]float64, []int, error) {
	t, err := readTensor(f, name, dims)
	if err == nil && t.Wide == nil {
		err = fmt.Errorf("tensor %q is float32, want float64", name)
	}
	return slices.Clone(t.Wide), t.Shape, err
}

func readTensor(f *checkpoint.File, name string, dims []int) (checkpoint.Tensor, error) {
	t, err := f.Tensor(name)
	if err != nil {
		return t, err
	}
	fits := len(t.Shape) == len(dims)
	for i := 0; fits && i < len(dims); i++ {
		fits = dims[i] == anySize || dims[i] == t.Shape[i]
	}
	if !fits {
		return t, fmt.Errorf("tensor %q has the shape %v, want %v", name, t.Shape, dims)
	}
	return t, nil
}
