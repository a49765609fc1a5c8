package detecttest

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"flowbench/train/checkpoint"
	"flowbench/train/detect"
)

// file is what Save writes, as bytes of a safetensors file.
func file(t *testing.T, d detect.Detector) []byte {
	t.Helper()
	f, err := d.Save()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := checkpoint.Encode(&b, *f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(t *testing.T, raw []byte) *checkpoint.File {
	t.Helper()
	f, err := checkpoint.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func wantSameFile(t *testing.T, got, want detect.Detector) {
	t.Helper()
	if !bytes.Equal(file(t, got), file(t, want)) {
		t.Error("equal detectors are saved as different bytes")
	}
}

func saveBeforeFit(t *testing.T, c Case) {
	if _, err := c.New().Save(); !errors.Is(err, detect.ErrNotFitted) {
		t.Errorf("Save before Fit: error %v, want ErrNotFitted", err)
	}
}

func saveAndLoad(t *testing.T, c Case) {
	for _, names := range []bool{true, false} {
		data := Flows(700, 7, 11)
		if !names {
			data.Columns = nil
		}
		saved := fit(t, c, data)
		other := fit(t, c, Flows(300, 4, 12)) // Load forgets what was learned before
		for _, d := range []detect.Detector{c.New(), other} {
			if err := d.Load(decode(t, file(t, saved))); err != nil {
				t.Fatal(err)
			}
			if d.Name() != saved.Name() {
				t.Errorf("loaded as %q, saved as %q", d.Name(), saved.Name())
			}
			wantEqual(t, scores(t, d, data.X, data.Rows), scores(t, saved, data.X, data.Rows))
			wantSameFile(t, d, saved)
			x := slices.Clone(data.X)
			x[37*7+2] = badCells[0]
			want := "c"
			if !names {
				want = "2"
			}
			wantCell(t, d.Score(x, make([]float64, data.Rows)), want)
		}
	}
}

func saveIsACopy(t *testing.T, c Case) {
	data := Flows(300, 4, 13)
	d := fit(t, c, data)
	want := scores(t, d, data.X, data.Rows)
	f, err := d.Save()
	if err != nil {
		t.Fatal(err)
	}
	loaded := c.New()
	if err := loaded.Load(f); err != nil {
		t.Fatal(err)
	}
	for _, tensor := range f.Tensors {
		for i := range tensor.Data {
			tensor.Data[i] = -12345
		}
		for i := range tensor.Wide {
			tensor.Wide[i] = -12345
		}
	}
	clear(f.Metadata)
	wantEqual(t, scores(t, d, data.X, data.Rows), want)
	wantEqual(t, scores(t, loaded, data.X, data.Rows), want)
}

// loadRefuses takes from a good file what it holds, piece by piece.
func loadRefuses(t *testing.T, c Case) {
	data := Flows(300, 4, 14)
	good := file(t, fit(t, c, data))
	refuse := func(what string, change func(*checkpoint.File)) {
		t.Helper()
		f := decode(t, good)
		change(f)
		d := fit(t, c, data)
		if err := d.Load(f); err == nil {
			t.Errorf("%s: no error", what)
		}
		if err := d.Score(nil, nil); !errors.Is(err, detect.ErrNotFitted) {
			t.Errorf("%s: Score after the failed Load: error %v, want ErrNotFitted", what, err)
		}
	}
	refuse("nothing", func(f *checkpoint.File) { *f = checkpoint.File{} })
	refuse("another detector", func(f *checkpoint.File) { f.Metadata["detector"] = "oracle" })
	refuse("other columns", func(f *checkpoint.File) { f.Metadata["columns"] = `["a"]` })
	for _, key := range slices.Sorted(maps.Keys(decode(t, good).Metadata)) {
		refuse("without "+key, func(f *checkpoint.File) { delete(f.Metadata, key) })
	}
	for i, tensor := range decode(t, good).Tensors {
		refuse("without "+tensor.Name, func(f *checkpoint.File) { f.Tensors = slices.Delete(f.Tensors, i, i+1) })
		refuse("one dimension more in "+tensor.Name, func(f *checkpoint.File) {
			f.Tensors[i].Shape = append([]int{1}, f.Tensors[i].Shape...)
		})
		refuse("other type of "+tensor.Name, func(f *checkpoint.File) {
			of := &f.Tensors[i]
			if of.Wide != nil {
				of.Data, of.Wide = make([]float32, len(of.Wide)), nil
			} else {
				of.Data, of.Wide = nil, make([]float64, len(of.Data))
			}
		})
	}
}
