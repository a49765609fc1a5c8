package kernelstest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"flowbench/kernels"
)

// guardValue fills the guards: a NaN whose payload no arithmetic produces.
var guardValue = math.Float32frombits(0x7fc0beef)

// trial is one Program on one backend beside its reference.
type trial struct {
	t       testing.TB
	program *kernels.Program
	data    kernels.Data
	kept    kernels.Data // a copy: what the reference reads, and what data must still be
	machine kernels.Machine
	ref     *reference
	guards  []kernels.Buf
	rng     *rand.Rand
}

// newTrial compiles b's network after Finish, binds data in which NaN stands
// around the values, and fills parameters, constants and statistics at random.
func newTrial(t testing.TB, backend kernels.Backend, b *Builder, p *kernels.Program, d kernels.Data) *trial {
	t.Helper()
	tr := &trial{t: t, program: p, guards: b.guards, rng: rand.New(rand.NewPCG(7, uint64(len(p.Buffers))))}
	tr.data = kernels.Data{X: fenced(d.X), Y: fenced(d.Y), Rows: d.Rows, Cols: d.Cols}
	tr.kept = kernels.Data{X: slices.Clone(d.X), Y: slices.Clone(d.Y), Rows: d.Rows, Cols: d.Cols}
	machine, err := backend.Compile(p)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	tr.machine = machine
	t.Cleanup(func() { machine.Close() })
	if err := machine.Bind(tr.data); err != nil {
		t.Fatalf("Bind: %v", err)
	}
	tr.ref = newReference(p, tr.kept)
	tr.fill()
	return tr
}

// fenced is a copy of v inside a larger slice of NaN.
func fenced(v []float32) []float32 {
	if v == nil {
		return nil
	}
	const margin = 64
	room := make([]float32, len(v)+2*margin)
	for i := range room {
		room[i] = guardValue
	}
	copy(room[margin:], v)
	return room[margin : margin+len(v) : margin+len(v)]
}

// fill gives every buffer its first value: parameters normal with a variance
// that keeps activations near 1, gains and variances near 1, the rest of what
// a step reads at random; everything that a step computes starts as NaN.
func (tr *trial) fill() {
	for i, b := range tr.program.Buffers {
		v := make([]float32, b.Len())
		for j := range v {
			switch b.Kind {
			case kernels.Parameter:
				v[j] = float32(tr.rng.NormFloat64() / math.Sqrt(float64(b.Rows)))
			case kernels.Constant, kernels.Statistic:
				v[j] = float32(0.5 + tr.rng.Float64())
			case kernels.Moment:
				v[j] = 0
			default:
				v[j] = guardValue
			}
		}
		if b.Offset >= 0 {
			tr.write(kernels.Buf(i), v)
		}
	}
	for _, g := range tr.guards {
		v := make([]float32, kernels.Alignment)
		for j := range v {
			v[j] = guardValue
		}
		tr.write(g, v)
	}
}

// write sets a buffer of the machine and of the reference.
func (tr *trial) write(b kernels.Buf, v []float32) {
	tr.t.Helper()
	if err := tr.machine.Write(b, v); err != nil {
		tr.t.Fatalf("Write: %v", err)
	}
	tr.ref.write(b, v)
}

// set is write by name.
func (tr *trial) set(name string, v ...float32) {
	tr.t.Helper()
	tr.write(tr.buf(name), v)
}

func (tr *trial) buf(name string) kernels.Buf {
	tr.t.Helper()
	for i, b := range tr.program.Buffers {
		if b.Name == name {
			return kernels.Buf(i)
		}
	}
	tr.t.Fatalf("no buffer %q", name)
	return kernels.None
}

func (tr *trial) read(b kernels.Buf) []float32 {
	tr.t.Helper()
	v := make([]float32, tr.program.Buffers[b].Len())
	if err := tr.machine.Read(b, v); err != nil {
		tr.t.Fatalf("Read: %v", err)
	}
	return v
}

// train runs one step on the machine alone.
func (tr *trial) train(b kernels.Batch) kernels.StepResult {
	tr.t.Helper()
	result, err := tr.machine.Train(b)
	if err != nil {
		tr.t.Fatalf("Train: %v", err)
	}
	return result
}

// step runs one step on both and compares every buffer and the loss.
func (tr *trial) step(b kernels.Batch, tol tolerance) {
	tr.t.Helper()
	result, want := tr.train(b), tr.ref.step(b)
	if result.NonFinite != kernels.None {
		tr.t.Fatalf("step %d: %q reported as not finite", b.Step, tr.program.Buffers[result.NonFinite].Name)
	}
	if d := deviation(result.Loss, want, (tol.scaled+tol.relative)*math.Abs(want)+tol.absolute); !(d <= 1) {
		tr.t.Errorf("step %d: loss %v, want %v (%.3g times the tolerance)", b.Step, result.Loss, want, d)
	}
	tr.compareAll(len(b.Rows), tol)
	tr.unchanged()
}

// compareAll compares what the last step left in the arena.
func (tr *trial) compareAll(rows int, tol tolerance) {
	tr.t.Helper()
	for i, buf := range tr.program.Buffers {
		b := kernels.Buf(i)
		if buf.Offset < 0 || slices.Contains(tr.guards, b) {
			continue
		}
		n := buf.Len()
		if buf.PerSample {
			n = rows * buf.Cols
		}
		if fault := compare(tr.read(b)[:n], tr.ref.values[b][:n], tol); fault != "" {
			tr.t.Errorf("%s: %s", buf.Name, fault)
		}
	}
}

// unchanged proves that nothing wrote beyond its buffer or into the data.
func (tr *trial) unchanged() {
	tr.t.Helper()
	for _, g := range tr.guards {
		for i, v := range tr.read(g) {
			if math.Float32bits(v) != math.Float32bits(guardValue) {
				before := tr.program.Buffers[g-1].Name
				tr.t.Fatalf("element %d of %q, behind %q, was overwritten with %v", i, tr.program.Buffers[g].Name, before, v)
			}
		}
	}
	if fault := sameBits(tr.data.X, tr.kept.X); fault != "" {
		tr.t.Fatalf("the data's X was written: %s", fault)
	}
	if fault := sameBits(tr.data.Y, tr.kept.Y); fault != "" {
		tr.t.Fatalf("the data's Y was written: %s", fault)
	}
}

// predict scores rows on both and compares; dst stands among guards.
func (tr *trial) predict(rows []int32, tol tolerance) {
	tr.t.Helper()
	const margin = 64
	cols := tr.program.Buffers[tr.program.Output].Cols
	room := make([]float32, len(rows)*cols+2*margin)
	for i := range room {
		room[i] = guardValue
	}
	dst := room[margin : len(room)-margin]
	if err := tr.machine.Predict(rows, dst); err != nil {
		tr.t.Fatalf("Predict: %v", err)
	}
	if fault := compare(dst, tr.ref.predict(rows), tol); fault != "" {
		tr.t.Errorf("Predict of %d rows: %s", len(rows), fault)
	}
	for i := range margin {
		if math.Float32bits(room[i]) != math.Float32bits(guardValue) ||
			math.Float32bits(room[len(room)-1-i]) != math.Float32bits(guardValue) {
			tr.t.Fatalf("Predict wrote outside dst")
		}
	}
	tr.unchanged()
}

// randomData has normal features and, for classes > 0, targets in turn. Rows
// that no batch of the suite names (the last one) are NaN: to read one is to be seen.
func randomData(seed uint64, rows, cols, classes int) kernels.Data {
	rng := rand.New(rand.NewPCG(seed, uint64(rows*cols)))
	d := kernels.Data{X: make([]float32, (rows+1)*cols), Rows: rows + 1, Cols: cols}
	for i := range d.X {
		d.X[i] = float32(rng.NormFloat64())
		if i >= rows*cols {
			d.X[i] = guardValue
		}
	}
	if classes > 0 {
		d.Y = make([]float32, rows+1)
		for i := range d.Y {
			d.Y[i] = float32((i*7 + i/3) % classes)
		}
		d.Y[rows] = guardValue
	}
	return d
}

// someRows is n rows out of limit, in no order and with repeats.
func someRows(seed uint64, n, limit int) []int32 {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(rng.IntN(limit))
	}
	return rows
}
