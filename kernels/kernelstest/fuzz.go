package kernelstest

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"flowbench/kernels"
)

// Fuzz spoils a Program with every instruction at random, one byte triple a
// change, and wants one of two ends: Check finds the fault and Compile refuses
// the Program, or both accept it and a step and a score run to their end.
func Fuzz(f *testing.F, backend kernels.Backend) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 200, 7, 3, 9, 9, 9})
	for i := range byte(60) {
		f.Add([]byte{i, i * 7, i * 31, i * 3, 255 - i, 1})
	}
	f.Fuzz(func(t *testing.T, changes []byte) {
		_, p := everything(6, 4)
		for ; len(changes) >= 3; changes = changes[3:] {
			spoil(p, int(changes[0]), int(changes[1]), int(changes[2]))
		}
		fault := p.Check()
		if fault == nil && p.ArenaLen > 1<<20 {
			t.Skip("valid, but large")
		}
		machine, err := backend.Compile(p)
		if (fault == nil) != (err == nil) {
			t.Fatalf("Check says %v, Compile %v", fault, err)
		}
		if err != nil {
			return
		}
		defer machine.Close()
		exercise(t, p, machine)
	})
}

// exercise runs a step and a score; errors are fine, panics are not.
func exercise(t *testing.T, p *kernels.Program, m kernels.Machine) {
	const rows = 9
	d := kernels.Data{Rows: rows, Y: make([]float32, rows)}
	for _, b := range p.Buffers {
		if b.Kind == kernels.Table {
			d.Cols, d.X = b.Cols, make([]float32, rows*b.Cols)
		}
	}
	if err := m.Bind(d); err != nil {
		t.Fatalf("Bind: %v", err)
	}
	n := min(p.Batch, rows)
	if _, err := m.Train(kernels.Batch{Rows: someRows(1, n, rows), Step: 1, LearningRate: 0.1}); err != nil && len(p.Train) > 0 {
		t.Fatalf("Train: %v", err)
	}
	if len(p.Score) > 0 {
		out := p.Buffers[p.Output]
		if err := m.Predict(someRows(2, rows, rows), make([]float32, rows*out.Cols)); err != nil {
			t.Fatalf("Predict: %v", err)
		}
	}
}

// spoil makes one change: to the lists, to a buffer or to an instruction.
func spoil(p *kernels.Program, what, where, value int) {
	list := &p.Train
	if what&1 != 0 {
		list = &p.Score
	}
	switch {
	case what < 16:
		p.Batch, p.ArenaLen = p.Batch+value%3-1, p.ArenaLen-where%2*value
	case what < 32:
		p.Output = kernels.Buf(value)
	case len(*list) == 0:
	case what < 64:
		at := where % len(*list)
		*list = slices.Delete(slices.Clone(*list), at, at+1)
	case what < 80:
		i, j := where%len(*list), value%len(*list)
		*list = slices.Clone(*list)
		(*list)[i], (*list)[j] = (*list)[j], (*list)[i]
	case what < 150:
		b := reflect.ValueOf(&p.Buffers[where%len(p.Buffers)]).Elem()
		spoilField(b.Field(what%b.NumField()), value)
	default:
		at := where % len(*list)
		in := reflect.New(reflect.TypeOf((*list)[at])).Elem()
		in.Set(reflect.ValueOf((*list)[at]))
		spoilField(in.Field(what%in.NumField()), value)
		*list = slices.Clone(*list)
		(*list)[at] = in.Interface().(kernels.Instruction)
	}
}

// spoilField sets a field to a value that may or may not make sense.
func spoilField(v reflect.Value, value int) {
	switch v.Kind() {
	case reflect.Int, reflect.Int32:
		v.SetInt(v.Int() + int64(value-128))
	case reflect.Uint8, reflect.Uint32:
		v.SetUint(uint64(value % 12))
	case reflect.Bool:
		v.SetBool(value%2 == 0)
	case reflect.String:
		v.SetString(string(rune('a' + value%26)))
	case reflect.Float32:
		v.SetFloat([]float64{0, -1, 0.5, 1, 2, math.NaN(), math.Inf(1), 1e30}[value%8])
	case reflect.Struct:
		spoilField(v.Field(value%v.NumField()), value/3)
	case reflect.Slice:
		if v.Len() == 0 || value < 20 {
			v.SetZero()
			return
		}
		clone := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(clone, v)
		spoilField(clone.Index(value%v.Len()), value)
		v.Set(clone)
	}
}
