package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func example() File {
	return File{
		Tensors: []Tensor{
			{Name: "dense0.weight", Shape: []int{2, 3}, Data: []float32{1, -2, 3.5, float32(math.Inf(1)), 1e-45, 0}},
			{Name: "dense0.bias", Shape: []int{3}, Data: []float32{0, 0.25, -1}},
			{Name: "empty", Shape: []int{0}, Data: []float32{}},
			{Name: "values", Shape: []int{1, 2}, Wide: []float64{math.Pi, 5e-324}},
		},
		Metadata: map[string]string{"epoch": "3", "a": "b"},
	}
}

func encode(t testing.TB, f File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	want := example()
	raw := encode(t, want)
	got, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sorted(want.Tensors), got.Tensors); diff != "" {
		t.Errorf("tensors (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Metadata, got.Metadata); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if n := binary.LittleEndian.Uint64(raw); n%align != 0 {
		t.Errorf("header of %d bytes is not a multiple of %d", n, align)
	}
}

func TestEqualContentGivesEqualBytes(t *testing.T) {
	f := example()
	g := example()
	g.Tensors[0], g.Tensors[2] = g.Tensors[2], g.Tensors[0]
	if !bytes.Equal(encode(t, f), encode(t, g)) {
		t.Error("the order of the tensors shows in the bytes")
	}
	g.Tensors[1].Data[0] = math.Nextafter32(g.Tensors[1].Data[0], 1)
	if bytes.Equal(encode(t, f), encode(t, g)) {
		t.Error("a changed value does not show in the bytes")
	}
}

func TestSaveReplacesWholeFileAndLeavesNothingBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
	for range 2 {
		if err := Save(path, example()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("folder holds %v (%v), want the checkpoint alone", files, err)
	}
}

func TestLoadErrors(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	good := encode(t, example())
	cases := map[string]struct {
		raw  []byte
		want string
	}{
		"empty":       {nil, "too few"},
		"short":       {good[:20], "header claims"},
		"truncated":   {good[:len(good)-4], "do not fit"},
		"longer":      {append(bytes.Clone(good), 0, 0, 0, 0), "tensors end at byte"},
		"not JSON":    {append([]byte{2, 0, 0, 0, 0, 0, 0, 0}, "{]"...), "header"},
		"huge header": {bytes.Repeat([]byte{255}, 16), "header claims"},
		"other type":  {bytes.Replace(good, []byte("F32"), []byte("I32"), 1), "want F32 or F64"},
		"wider type":  {bytes.Replace(good, []byte("F32"), []byte("F64"), 1), "do not fit shape"},
	}
	for name, c := range cases {
		path := filepath.Join(t.TempDir(), "damaged")
		if err := os.WriteFile(path, c.raw, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want one with %q and the path", name, err, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, example()))
	f.Add(encode(f, File{}))
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 0, '{', '}'})
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := Decode(raw)
		if err != nil {
			return
		}
		again, err := Decode(encode(t, *file))
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if !bytes.Equal(encode(t, *file), encode(t, *again)) {
			t.Error("reading and writing twice gives other bytes")
		}
	})
}
