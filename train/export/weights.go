package export

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"sort"
	"strings"

	"flowbench/train"
	"flowbench/train/checkpoint"
)

// Layouts of the weights.
const (
	// Plain is what flowbench trains: dense weights inputs×outputs, rows 1×n.
	Plain = "plain"
	// Torch is that of PyTorch: dense weights outputs×inputs, rows of n.
	Torch = "torch"
)

// prefix begins the names of what member i has.
func prefix(i int) string { return fmt.Sprintf("member%d.", i) }

// Flatten puts the weights of all members into one file, in the given layout. The
// names and the metadata of member 0 begin with "member0.".
func Flatten(f *train.Finished, layout string) (checkpoint.File, error) {
	out := checkpoint.File{Metadata: map[string]string{"layout": layout, "fingerprint": f.Model.Fingerprint}}
	switch {
	case layout != Plain && layout != Torch:
		return out, fmt.Errorf("--layout %s is none that there is: write %s or %s", layout, Plain, Torch)
	case layout == Torch && !isNetwork(f.Model):
		return out, fmt.Errorf("--layout %s is one of networks, and the model is of kind %s: leave it out", Torch, f.Model.Config.Model.Kind)
	}
	for i, member := range f.Members {
		for key, text := range member.Metadata {
			out.Metadata[prefix(i)+key] = text
		}
		for _, t := range member.Tensors {
			if layout == Torch {
				t = toTorch(t)
			}
			t.Name = prefix(i) + t.Name
			out.Tensors = append(out.Tensors, t)
		}
	}
	sort.Slice(out.Tensors, func(i, j int) bool { return out.Tensors[i].Name < out.Tensors[j].Name })
	return out, nil
}

func isNetwork(m *train.ModelFile) bool {
	return m.Config.Model.Kind == "dnn" || m.Config.Model.Kind == "autoencoder"
}

// split is the inverse of Flatten, of so many members.
func split(flat *checkpoint.File, members int) ([]*checkpoint.File, error) {
	files := make([]*checkpoint.File, members)
	for i := range files {
		files[i] = &checkpoint.File{Metadata: map[string]string{}}
		for key, text := range flat.Metadata {
			if name, ok := strings.CutPrefix(key, prefix(i)); ok {
				files[i].Metadata[name] = text
			}
		}
	}
	taken := 0
	for _, t := range flat.Tensors {
		for i, f := range files {
			name, ok := strings.CutPrefix(t.Name, prefix(i))
			if !ok {
				continue
			}
			t.Name = name
			if flat.Metadata["layout"] == Torch {
				t = fromTorch(t)
			}
			f.Tensors = append(f.Tensors, t)
			taken++
		}
	}
	if taken != len(flat.Tensors) {
		return nil, fmt.Errorf("%d tensors, of which %d belong to the %d members", len(flat.Tensors), taken, members)
	}
	return files, nil
}

var denseWeight = regexp.MustCompile(`^dense\d+\.weight$`)

func toTorch(t checkpoint.Tensor) checkpoint.Tensor {
	if denseWeight.MatchString(t.Name) {
		return turned(t)
	}
	if len(t.Shape) == 2 && t.Shape[0] == 1 {
		t.Shape = t.Shape[1:]
	}
	return t
}

func fromTorch(t checkpoint.Tensor) checkpoint.Tensor {
	if denseWeight.MatchString(t.Name) && len(t.Shape) == 2 {
		return turned(t)
	}
	if len(t.Shape) == 1 {
		t.Shape = []int{1, t.Shape[0]}
	}
	return t
}

func turned(t checkpoint.Tensor) checkpoint.Tensor {
	rows, cols := t.Shape[0], t.Shape[1]
	return checkpoint.Tensor{Name: t.Name, Shape: []int{cols, rows}, Data: transposed(t.Data, rows, cols)}
}

// NPZ writes the tensors as NumPy reads them: a ZIP of one .npy file a tensor
// (NumPy Enhancement Proposal 1, version 1.0), stored as they are. Equal tensors
// give equal bytes.
func NPZ(f checkpoint.File) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, t := range f.Tensors {
		w, err := z.CreateHeader(&zip.FileHeader{Name: t.Name + ".npy", Method: zip.Store})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(npy(t)); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

// npyAlign is what NumPy pads the header to.
const npyAlign = 64

func npy(t checkpoint.Tensor) []byte {
	dtype, dims := "<f4", make([]string, len(t.Shape))
	if t.Wide != nil {
		dtype = "<f8"
	}
	for i, d := range t.Shape {
		dims[i] = fmt.Sprintf("%d,", d)
	}
	const magic = "\x93NUMPY\x01\x00"
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", dtype, strings.Join(dims, " "))
	for (len(magic)+2+len(header)+1)%npyAlign != 0 {
		header += " "
	}
	raw := binary.LittleEndian.AppendUint16([]byte(magic), uint16(len(header)+1))
	raw = append(append(raw, header...), '\n')
	for _, v := range t.Data {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	for _, v := range t.Wide {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	return raw
}
