// Package checkpoint keeps named float32 and float64 tensors in safetensors
// files, the format of trained weights, of fitted detectors and of what a trial
// needs to go on after a crash.
//
// A file is an 8-byte little-endian header length, a JSON header, and the
// tensors' bytes without gaps (github.com/huggingface/safetensors, format
// 2023), float64 before float32 so that each is aligned. Equal tensors and
// metadata give equal bytes: the header's keys are sorted and nothing in it
// depends on time or place.
package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
)

// Tensor is one named row-major array of float32 or, where Wide is not nil, of
// float64.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32 // product of Shape values, or nil
	Wide  []float64 // the same
}

// size is the number of values that the tensor has and the bytes of one.
func (t Tensor) size() (values int, width int64) {
	if t.Wide != nil {
		return len(t.Wide), 8
	}
	return len(t.Data), 4
}

// File is the content of a checkpoint. Tensors are in order of name.
type File struct {
	Tensors  []Tensor
	Metadata map[string]string
}

// Tensor returns the tensor of that name, or an error that lists what is there.
func (f *File) Tensor(name string) (Tensor, error) {
	names := make([]string, len(f.Tensors))
	for i, t := range f.Tensors {
		if t.Name == name {
			return t, nil
		}
		names[i] = t.Name
	}
	return Tensor{}, fmt.Errorf("checkpoint: no tensor %q (it holds %v)", name, names)
}

// maxHeader bounds the header of a file that is read: 100 MB, the limit of the
// reference implementation, so that a damaged length cannot exhaust memory.
const maxHeader = 100 << 20

// align is the multiple that the header's length is padded to with spaces, so
// that tensors start on an 8-byte boundary as readers that map the file expect.
const align = 8

// dtypes names the types of values by their bytes.
var dtypes = map[int64]string{4: "F32", 8: "F64"}

type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// Encode writes the file to w. It panics where a tensor's values do not match
// its Shape, which is a programmer's mistake, and returns w's errors.
func Encode(w io.Writer, f File) error {
	raw, err := f.Bytes()
	if err != nil {
		return err
	}
	_, err = w.Write(raw)
	return err
}

// Bytes is what Encode writes, with its panic. The caller owns it.
func (f File) Bytes() ([]byte, error) {
	tensors := wideFirst(sorted(f.Tensors))
	header, err := encodeHeader(tensors, f.Metadata)
	if err != nil {
		return nil, err
	}
	size := 8 + len(header)
	for _, t := range tensors {
		values, width := t.size()
		size += values * int(width)
	}
	raw := binary.LittleEndian.AppendUint64(make([]byte, 0, size), uint64(len(header)))
	raw = append(raw, header...)
	for _, t := range tensors {
		for _, v := range t.Data {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		for _, v := range t.Wide {
			raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
		}
	}
	return raw, nil
}

func sorted(tensors []Tensor) []Tensor {
	s := append([]Tensor(nil), tensors...)
	sort.Slice(s, func(i, j int) bool { return s[i].Name < s[j].Name })
	return s
}

// wideFirst moves the float64 tensors to the front and changes no other order.
func wideFirst(tensors []Tensor) []Tensor {
	sort.SliceStable(tensors, func(i, j int) bool { return tensors[i].Wide != nil && tensors[j].Wide == nil })
	return tensors
}

func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	entries := make(map[string]any, len(tensors)+1)
	if len(metadata) > 0 {
		entries["__metadata__"] = metadata
	}
	at := int64(0)
	for _, t := range tensors {
		values, width := t.size()
		if elements(t.Shape) != int64(values) || t.Data != nil && t.Wide != nil {
			panic("checkpoint: tensor data does not match its shape")
		}
		end := at + width*int64(values)
		entries[t.Name] = entry{dtypes[width], t.Shape, [2]int64{at, end}}
		at = end
	}
	header, err := json.Marshal(entries) // sorts the keys
	if err != nil {
		return nil, err
	}
	for len(header)%align != 0 {
		header = append(header, ' ')
	}
	return header, nil
}

func elements(shape []int) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= int64(d)
	}
	return n
}

// Save writes the file to path as WriteFile does.
func Save(path string, f File) error {
	raw, err := f.Bytes()
	if err != nil {
		return fmt.Errorf("checkpoint: writing %s: %w", path, err)
	}
	return WriteFile(path, raw)
}

// Load reads the file at path. A damaged file is an error that says what is
// wrong with it; a missing one satisfies errors.Is(err, fs.ErrNotExist).
func Load(path string) (*File, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	f, err := Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w; remove it to train again from the start", path, err)
	}
	return f, nil
}

// Decode reads a whole file from raw. It accepts only what Encode can write:
// float32 and float64 tensors that cover the data without gap or overlap.
func Decode(raw []byte) (*File, error) {
	if len(raw) < 8 {
		return nil, fmt.Errorf("%d bytes are too few for a safetensors file", len(raw))
	}
	n := binary.LittleEndian.Uint64(raw)
	if n > maxHeader || n > uint64(len(raw)-8) {
		return nil, fmt.Errorf("the header claims %d bytes, the file has %d", n, len(raw)-8)
	}
	entries, metadata, err := decodeHeader(raw[8 : 8+n])
	if err != nil {
		return nil, err
	}
	return decodeTensors(entries, metadata, raw[8+n:])
}

func decodeHeader(header []byte) (map[string]entry, map[string]string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(header, &fields); err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	var metadata map[string]string
	entries := make(map[string]entry, len(fields))
	for name, field := range fields {
		if name == "__metadata__" {
			if err := json.Unmarshal(field, &metadata); err != nil {
				return nil, nil, fmt.Errorf("header: metadata: %w", err)
			}
			continue
		}
		var e entry
		d := json.NewDecoder(bytes.NewReader(field))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			return nil, nil, fmt.Errorf("header: tensor %q: %w", name, err)
		}
		entries[name] = e
	}
	return entries, metadata, nil
}

func decodeTensors(entries map[string]entry, metadata map[string]string, data []byte) (*File, error) {
	f := &File{Metadata: metadata}
	spans := make([][2]int64, 0, len(entries))
	for name, e := range entries {
		if err := e.check(int64(len(data))); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		spans = append(spans, e.Offsets)
		f.Tensors = append(f.Tensors, e.tensor(name, data[e.Offsets[0]:e.Offsets[1]]))
	}
	f.Tensors = sorted(f.Tensors)
	sort.Slice(spans, func(i, j int) bool {
		return spans[i][0] < spans[j][0] || spans[i][0] == spans[j][0] && spans[i][1] < spans[j][1]
	})
	at := int64(0)
	for _, s := range spans {
		if s[0] != at {
			return nil, fmt.Errorf("tensors leave a gap or overlap at byte %d", at)
		}
		at = s[1]
	}
	if at != int64(len(data)) {
		return nil, fmt.Errorf("tensors end at byte %d, the data at %d", at, len(data))
	}
	return f, nil
}

func (e entry) tensor(name string, data []byte) Tensor {
	t := Tensor{Name: name, Shape: e.Shape}
	if e.DType == dtypes[8] {
		t.Wide = make([]float64, len(data)/8)
		for i := range t.Wide {
			t.Wide[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
		}
		return t
	}
	t.Data = make([]float32, len(data)/4)
	for i := range t.Data {
		t.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return t
}

func (e entry) check(size int64) error {
	width := int64(4)
	switch e.DType {
	case dtypes[4]:
	case dtypes[8]:
		width = 8
	default:
		return fmt.Errorf("type %s, want F32 or F64", e.DType)
	}
	n := int64(1)
	for _, d := range e.Shape {
		if d < 0 || (d > 0 && n > size/int64(d)) {
			return fmt.Errorf("shape %v is larger than the file", e.Shape)
		}
		n *= int64(d)
	}
	if e.Offsets[0] < 0 || e.Offsets[1] > size || e.Offsets[1]-e.Offsets[0] != width*n {
		return fmt.Errorf("bytes %v do not fit shape %v in %d bytes of data", e.Offsets, e.Shape, size)
	}
	return nil
}
