package detecttest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"flowbench/train/checkpoint"
	"flowbench/train/detect"
)

// errInterrupted ends a fit between two iterations.
var errInterrupted = errors.New("interrupted")

// fitInterrupted fits from a state, which is nil or as encoded, until it is
// offered another one, which it returns encoded; nil where the fit ends before.
func fitInterrupted(t *testing.T, d detect.Resumable, data detect.Data, from []byte) []byte {
	t.Helper()
	var state []byte
	err := d.FitFrom(t.Context(), data, decodeState(t, from), func(offered func() *checkpoint.File) error {
		raw, err := offered().Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(raw, from) {
			return nil // nothing has been done yet
		}
		state = raw
		return errInterrupted
	})
	switch {
	case state == nil && err != nil:
		t.Fatal(err)
	case state != nil && !errors.Is(err, errInterrupted):
		t.Fatalf("an interrupted fit: error %v", err)
	}
	return state
}

func decodeState(t *testing.T, raw []byte) *checkpoint.File {
	t.Helper()
	if raw == nil {
		return nil
	}
	return decode(t, raw)
}

// resumed interrupts a fit wherever it can be, and goes on with a new detector
// each time: it ends in the bytes of one that nobody interrupted.
func resumed(t *testing.T, c Case) {
	if _, is := c.New().(detect.Resumable); !is {
		t.Skip("this detector is fitted at one go")
	}
	for _, size := range [][2]int{{50, 4}, {3000, 7}} {
		data := Flows(size[0], size[1], 18)
		want := fit(t, c, data)
		var d detect.Resumable
		var state []byte
		interruptions := 0
		for {
			d = c.New().(detect.Resumable)
			next := fitInterrupted(t, d, data, state)
			if next == nil {
				break
			}
			if err := d.Score(data.X, make([]float64, data.Rows)); !errors.Is(err, detect.ErrNotFitted) {
				t.Fatalf("Score after an interrupted fit: error %v, want ErrNotFitted", err)
			}
			state = next
			if interruptions++; interruptions > 10_000 {
				t.Fatal("the fit never ends")
			}
		}
		if projected, is := d.(*detect.Projected); is {
			if _, is := projected.Then().(detect.Resumable); !is {
				t.Skip("the detector behind the PCA is fitted at one go")
			}
		}
		if interruptions == 0 {
			t.Fatalf("%d rows: the fit was not interrupted", data.Rows)
		}
		t.Logf("%d rows: interrupted %d times", data.Rows, interruptions)
		wantSameFile(t, d, want)
		wantEqual(t, scores(t, d, data.X, data.Rows), scores(t, want, data.X, data.Rows))
	}
}

// resumeRefuses goes on from what is no state of the fit.
func resumeRefuses(t *testing.T, c Case) {
	d, is := c.New().(detect.Resumable)
	if !is {
		t.Skip("this detector is fitted at one go")
	}
	data := Flows(300, 4, 19)
	good := fitInterrupted(t, d, data, nil)
	if good == nil {
		t.Skip("this detector is fitted at one go")
	}
	refuse := func(what string, change func(*checkpoint.File)) {
		t.Helper()
		f := decode(t, good)
		change(f)
		d := c.New().(detect.Resumable)
		if err := d.FitFrom(context.Background(), data, f, nil); err == nil {
			t.Errorf("%s: no error", what)
		}
		if err := d.Score(nil, nil); !errors.Is(err, detect.ErrNotFitted) {
			t.Errorf("%s: Score after the failed fit: error %v, want ErrNotFitted", what, err)
		}
	}
	refuse("nothing", func(f *checkpoint.File) { *f = checkpoint.File{} })
	for _, key := range slices.Sorted(maps.Keys(decode(t, good).Metadata)) {
		refuse("without "+key, func(f *checkpoint.File) { delete(f.Metadata, key) })
	}
	for i, tensor := range decode(t, good).Tensors {
		refuse("without "+tensor.Name, func(f *checkpoint.File) { f.Tensors = slices.Delete(f.Tensors, i, i+1) })
		refuse("one dimension more in "+tensor.Name, func(f *checkpoint.File) {
			f.Tensors[i].Shape = append([]int{1}, f.Tensors[i].Shape...)
		})
	}
}
