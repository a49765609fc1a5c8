package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"

	"flowbench/train/checkpoint"
)

// Resumable is a Detector whose Fit can be interrupted and gone on with later, in
// another process, to the same bits.
type Resumable interface {
	Detector
	// FitFrom is Fit from where an earlier one was interrupted: from is a state that
	// Between of that one was offered, of equal data and an equal detector; nil
	// begins. A state of others is an error where that shows, and else undefined.
	// An error of Between ends the fit with it.
	FitFrom(ctx context.Context, data Data, from *checkpoint.File, between Between) error
}

// Between is called between two iterations of a fit, from its goroutine. The
// state is for FitFrom; it may be asked for during the call alone, costs a copy,
// and shares no memory with the fit.
type Between func(state func() *checkpoint.File) error

// offer calls between, where there is one.
func (b Between) offer(state func() *checkpoint.File) error {
	if b == nil {
		return nil
	}
	return b(state)
}

// inside is a Between of a fit that is a part of another: what it is offered is
// put into around's file, with a prefix before its names.
func (b Between) inside(prefix string, around func() *checkpoint.File) Between {
	if b == nil {
		return nil
	}
	return func(state func() *checkpoint.File) error {
		return b(func() *checkpoint.File {
			f := around()
			put(f, prefix, state())
			return f
		})
	}
}

// FitFrom is d's own where d is Resumable; another detector is fitted from the
// beginning, and between is never called.
func FitFrom(ctx context.Context, d Detector, data Data, from *checkpoint.File, between Between) error {
	if r, ok := d.(Resumable); ok {
		return r.FitFrom(ctx, data, from, between)
	}
	return d.Fit(ctx, data)
}

// newProgress begins a state of a fit: the kind and the options of the detector,
// and figures of where it is.
func newProgress(kind string, options, at any) *checkpoint.File {
	f := &checkpoint.File{Metadata: map[string]string{"fit": kind}}
	for name, value := range map[string]any{"options": options, "at": at} {
		text, err := json.Marshal(value)
		if err != nil {
			panic("detect: state of a fit: " + err.Error())
		}
		f.Metadata[name] = string(text)
	}
	return f
}

// readProgress reads what newProgress wrote; at points to where the figures go.
func readProgress(f *checkpoint.File, kind string, options, at any) error {
	want := newProgress(kind, options, nil)
	for _, name := range []string{"fit", "options"} {
		if f.Metadata[name] != want.Metadata[name] {
			return fmt.Errorf("the state is that of another fit: its %s is %q, not %q", name, f.Metadata[name], want.Metadata[name])
		}
	}
	if err := json.Unmarshal([]byte(f.Metadata["at"]), at); err != nil {
		return fmt.Errorf("the state of the fit: %w", err)
	}
	return nil
}

// put adds the content of another file, with a prefix before its names.
func put(f *checkpoint.File, prefix string, other *checkpoint.File) {
	if f.Metadata == nil {
		f.Metadata = map[string]string{}
	}
	for key, value := range other.Metadata {
		f.Metadata[prefix+key] = value
	}
	for _, t := range other.Tensors {
		t.Name = prefix + t.Name
		f.Tensors = append(f.Tensors, t)
	}
}

// take returns what put added, and the rest.
func take(f *checkpoint.File, prefix string) (inside, rest *checkpoint.File) {
	inside, rest = &checkpoint.File{Metadata: map[string]string{}}, &checkpoint.File{Metadata: maps.Clone(f.Metadata)}
	for key, value := range f.Metadata {
		if name, is := strings.CutPrefix(key, prefix); is {
			inside.Metadata[name] = value
			delete(rest.Metadata, key)
		}
	}
	for _, t := range f.Tensors {
		if name, is := strings.CutPrefix(t.Name, prefix); is {
			t.Name = name
			inside.Tensors = append(inside.Tensors, t)
		} else {
			rest.Tensors = append(rest.Tensors, t)
		}
	}
	return inside, rest
}

// labels is a tensor of whole numbers, as float64, which holds them exactly.
func labels(name string, values []int32) checkpoint.Tensor {
	t := checkpoint.Tensor{Name: name, Shape: []int{len(values)}, Wide: make([]float64, len(values))}
	for i, v := range values {
		t.Wide[i] = float64(v)
	}
	return t
}

// readLabels reads what labels wrote: rows numbers from 0, below k.
func readLabels(f *checkpoint.File, name string, rows, k int) ([]int32, error) {
	values, _, err := readWide(f, name, rows)
	if err != nil {
		return nil, err
	}
	list := make([]int32, rows)
	for i, v := range values {
		if !(v >= 0 && v < float64(k)) || v != math.Trunc(v) {
			return nil, fmt.Errorf("tensor %q: row %d has the label %v of %d", name, i, v, k)
		}
		list[i] = int32(v)
	}
	return list, nil
}
