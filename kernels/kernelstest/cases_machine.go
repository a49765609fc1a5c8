package kernelstest

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"flowbench/kernels"
)

// everything is a small network with every instruction, for the cases that look
// at the machine rather than at one of them.
func everything(batch, in int) (*Builder, *kernels.Program) {
	b := NewBuilder(batch, in).Corrupt(0.1, 0.1)
	b.Dense(24, true, b.Epilogue(kernels.GELU, 0.2)).Norm(kernels.BatchNorm, kernels.Epilogue{Activation: kernels.LeakyReLU})
	b.Dense(17, true, b.Epilogue(kernels.ReLU, 0.2)).Norm(kernels.LayerNorm, kernels.Epilogue{})
	b.Dense(3, true, kernels.Epilogue{})
	return b, b.Loss(kernels.Loss{Kind: kernels.SoftmaxCE, Gamma: 2}, false).Clip(1).Finish(Adam())
}

// predictInChunks scores from no row to several batches at once, the same row
// giving the same bits wherever it stands.
func predictInChunks(t *testing.T, backend kernels.Backend) {
	const batch, rows, in = 16, 40, 5
	b := NewBuilder(batch, in)
	b.Dense(9, true, b.Epilogue(kernels.Tanh, 0.5)).Norm(kernels.BatchNorm, kernels.Epilogue{})
	p := b.Dense(2, true, kernels.Epilogue{}).Loss(classLoss(2), false).Finish(Adam())
	tr := newTrial(t, backend, b, p, randomData(8, rows, in, 2))
	for _, n := range []int{0, 1, 15, 16, 17, 33, 99} {
		tr.predict(someRows(uint64(n), n, rows), sums)
	}
	seen := slices.Repeat([]int32{7}, 3*batch+1)
	dst := make([]float32, 2*len(seen))
	if err := tr.machine.Predict(seen, dst); err != nil {
		t.Fatal(err)
	}
	for i := 2; i < len(dst); i += 2 {
		if dst[i] != dst[0] || dst[i+1] != dst[1] {
			t.Fatalf("row 7 at place %d scores %v, at place 0 %v", i/2, dst[i:i+2], dst[:2])
		}
	}
}

// sharedPlaces runs one network with a place for every activation and with as
// few places as lifetimes allow: the parameters must be the same bits.
func sharedPlaces(t *testing.T, backend kernels.Backend) {
	const batch, rows, in = 19, 50, 7
	data := randomData(5, rows, in, 3)
	var want [][]float32
	for _, share := range []bool{false, true} {
		b, p := everything(batch, in)
		if share {
			if saved := planActivations(p); saved <= 0 {
				t.Fatal("the plan saves nothing: this case tests nothing")
			}
			b.guards = nil
		}
		tr := newTrial(t, backend, b, p, data)
		for step := range uint64(4) {
			tr.train(kernels.Batch{Rows: someRows(step, batch-int(step), rows), Step: step + 1, Seed: 1, LearningRate: 0.01})
		}
		got := tr.lasting()
		if want == nil {
			want = got
		}
		for i := range got {
			if fault := sameBits(got[i], want[i]); fault != "" {
				t.Errorf("shared %v: lasting buffer %d: %s", share, i, fault)
			}
		}
	}
}

// lasting reads what outlives a step, in order.
func (tr *trial) lasting() [][]float32 {
	var all [][]float32
	for i, b := range tr.program.Buffers {
		switch b.Kind {
		case kernels.Parameter, kernels.Gradient, kernels.Moment, kernels.Statistic:
			all = append(all, tr.read(kernels.Buf(i)))
		}
	}
	return all
}

// planActivations moves every activation to the lowest place that no other one
// alive at the same time holds, behind all other buffers, and returns how many
// float32 that saves. It takes Train's lifetimes, and keeps Score's apart.
func planActivations(p *kernels.Program) (saved int) {
	first, last := make([]int, len(p.Buffers)), make([]int, len(p.Buffers))
	for i := range first {
		first[i] = -1
	}
	for at, in := range slices.Concat(p.Train, p.Score) {
		for _, o := range kernels.Operands(in) {
			if first[o.Buf] < 0 {
				first[o.Buf] = at
			}
			last[o.Buf] = at
		}
	}
	last[p.Output] = len(p.Train) + len(p.Score)
	base := p.ArenaLen
	p.ArenaLen = base
	var placed []int
	for i := range p.Buffers {
		b := &p.Buffers[i]
		if b.Kind != kernels.Activation {
			continue
		}
		b.Offset = base
		for moved := true; moved; {
			moved = false
			for _, j := range placed {
				o := p.Buffers[j]
				end := (o.Offset + o.Len() + kernels.Alignment - 1) / kernels.Alignment * kernels.Alignment
				if first[i] <= last[j] && first[j] <= last[i] && b.Offset < end && o.Offset < b.Offset+b.Len() {
					b.Offset, moved = end, true
				}
			}
		}
		placed = append(placed, i)
		saved += b.Len()
		p.ArenaLen = max(p.ArenaLen, b.Offset+b.Len())
	}
	return saved - (p.ArenaLen - base)
}

// threads runs one network at several GOMAXPROCS: every buffer must be the same bits.
func threads(t *testing.T, backend kernels.Backend) {
	const batch, rows, in = 500, 700, 33
	data := randomData(3, rows, in, 3)
	var want [][]float32
	for _, n := range []int{1, 2, 4} {
		previous := runtime.GOMAXPROCS(n)
		b, p := everything(batch, in)
		tr := newTrial(t, backend, b, p, data)
		var loss float64
		for step := range uint64(3) {
			loss = tr.train(kernels.Batch{Rows: someRows(step, batch-9*int(step), rows), Step: step + 1, Seed: 1, LearningRate: 0.01}).Loss
		}
		dst := make([]float32, 3*rows)
		if err := tr.machine.Predict(someRows(1, rows, rows), dst); err != nil {
			t.Fatal(err)
		}
		runtime.GOMAXPROCS(previous)
		got := append(tr.lasting(), dst, []float32{float32(loss)})
		if want == nil {
			want = got
		}
		for i := range got {
			if fault := sameBits(got[i], want[i]); fault != "" {
				t.Errorf("GOMAXPROCS %d against 1: lasting buffer %d: %s", n, i, fault)
			}
		}
	}
}

// twoMachines trains two machines at once on the same data, which the race
// detector watches, and wants both to end at the same bits.
func twoMachines(t *testing.T, backend kernels.Backend) {
	const batch, rows, in = 50, 100, 7
	b, p := everything(batch, in)
	data := randomData(2, rows, in, 3)
	trials := []*trial{newTrial(t, backend, b, p, data), newTrial(t, backend, b, p, data)}
	var wait sync.WaitGroup
	for _, tr := range trials {
		if err := tr.machine.Bind(trials[0].data); err != nil {
			t.Fatal(err)
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			for step := range uint64(5) {
				if _, err := tr.machine.Train(kernels.Batch{Rows: someRows(step, batch, rows), Step: step + 1, LearningRate: 0.01}); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wait.Wait()
	first, second := trials[0].lasting(), trials[1].lasting()
	for i := range first {
		if fault := sameBits(second[i], first[i]); fault != "" {
			t.Errorf("lasting buffer %d: %s", i, fault)
		}
	}
}

// wantError wants an error that holds part.
func wantError(t *testing.T, what string, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("%s: error %v, want one with %q", what, err, part)
	}
}

// errorCases are the world's mistakes; none may change the machine.
func errorCases(t *testing.T, backend kernels.Backend) {
	const batch, rows, in = 4, 10, 5
	b, p := everything(batch, in)
	tr := newTrial(t, backend, b, p, randomData(1, rows, in, 3))
	before := tr.lasting()
	d := randomData(1, rows, in, 3)
	for part, spoil := range map[string]func(*kernels.Data){
		"columns": func(d *kernels.Data) { d.Cols++ },
		"rows":    func(d *kernels.Data) { d.Rows = 0 },
		"values":  func(d *kernels.Data) { d.X = d.X[1:] },
		"targets": func(d *kernels.Data) { d.Y = d.Y[1:] },
	} {
		bad := d
		spoil(&bad)
		wantError(t, "Bind", tr.machine.Bind(bad), part)
	}
	for part, bad := range map[string]kernels.Batch{
		"the batch is empty":         {Rows: nil, Step: 1},
		"has 5 rows":                 {Rows: make([]int32, batch+1), Step: 1},
		"table row 11, want 0 to 10": {Rows: []int32{0, 11}, Step: 1},
		"table row -1":               {Rows: []int32{-1}, Step: 1},
		"the target of table row 10": {Rows: []int32{10}, Step: 1},
		"step 0":                     {Rows: []int32{0}, Step: 0},
	} {
		_, err := tr.machine.Train(bad)
		wantError(t, "Train", err, part)
	}
	for _, y := range []float32{3, -1, 0.5, -0.5, 1e30, guardValue} {
		bad := randomData(1, rows, in, 3)
		bad.Y[2] = y
		if err := tr.machine.Bind(bad); err != nil {
			t.Fatal(err)
		}
		_, err := tr.machine.Train(kernels.Batch{Rows: []int32{1, 2}, Step: 1})
		wantError(t, "Train", err, "the target of table row 2")
	}
	for i, v := range tr.lasting() {
		if fault := sameBits(v, before[i]); fault != "" {
			t.Errorf("an error changed lasting buffer %d: %s", i, fault)
		}
	}
	tr.accessErrors(rows, in)
}

// accessErrors are those of Predict, Read, Write and Compile, and of a machine
// without data.
func (tr *trial) accessErrors(rows, in int) {
	t := tr.t.(*testing.T)
	wantError(t, "Predict", tr.machine.Predict([]int32{99}, make([]float32, 3)), "table row 99")
	wantError(t, "Predict", tr.machine.Predict([]int32{0}, make([]float32, 2)), "want 1 rows × 3 columns")
	wantError(t, "Read", tr.machine.Read(tr.buf("dense1.bias"), make([]float32, 3)), `"dense1.bias"`)
	wantError(t, "Write", tr.machine.Write(tr.buf("dense1.bias"), make([]float32, 99)), `"dense1.bias"`)
	wantError(t, "Read", tr.machine.Read(tr.buf("x"), make([]float32, 4*in)), `"x"`)
	wantError(t, "Read", tr.machine.Read(-1, nil), "buffer -1")
	wantError(t, "Write", tr.machine.Write(kernels.Buf(len(tr.program.Buffers)), nil), "buffer ")
	without := randomData(1, rows, in, 0)
	if err := tr.machine.Bind(without); err != nil {
		t.Fatal(err)
	}
	_, err := tr.machine.Train(kernels.Batch{Rows: []int32{0}, Step: 1})
	wantError(t, "Train", err, "targets")
	if err := tr.machine.Predict([]int32{0}, make([]float32, 3)); err != nil {
		t.Errorf("Predict without targets: %v", err)
	}
}

// closed wants an error from every call after Close, from a machine without
// data, and from Compile of a faulty or strange Program.
func closed(t *testing.T, backend kernels.Backend) {
	_, p := everything(4, 5)
	m, err := backend.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Train(kernels.Batch{Rows: []int32{0}, Step: 1})
	wantError(t, "Train", err, "Bind")
	wantError(t, "Predict", m.Predict([]int32{0}, make([]float32, 3)), "Bind")
	if err := m.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	_, err = m.Train(kernels.Batch{Rows: []int32{0}, Step: 1})
	wantError(t, "Train", err, "closed")
	wantError(t, "Predict", m.Predict([]int32{0}, make([]float32, 3)), "closed")
	wantError(t, "Bind", m.Bind(randomData(1, 1, 5, 3)), "closed")
	wantError(t, "Read", m.Read(0, make([]float32, 16)), "closed")
	wantError(t, "Write", m.Write(0, make([]float32, 16)), "closed")
	p.Train = append(p.Train, nil)
	if _, err := backend.Compile(p); err == nil {
		t.Error("an unknown instruction compiles")
	}
	p.Batch = 0
	_, err = backend.Compile(p)
	wantError(t, "Compile", err, "Batch is 0")
}
