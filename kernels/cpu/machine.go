package cpu

import (
	"errors"
	"fmt"
	"math"

	"flowbench/kernels"
)

// machine is a compiled Program. See kernels.Machine for the contract.
type machine struct {
	program      *kernels.Program
	places       places
	memory       []float32 // what all workers share
	train, score []entry
	classes      int
	data         kernels.Data
	bound        bool
	valid        bool // every bound target is a class
	closed       bool
	step         step
}

// step is what the phases of one run share.
type step struct {
	x        []float32 // the Table
	targets  []float32
	rows     []int32 // the batch: table rows
	seed     uint64
	number   uint64
	rate     float32
	training bool
	output   []float32 // where scoring puts its results

	level    level
	pool     *pool
	memory   []float32
	apart    bool // activations lie in each worker's memory
	partials partials
	loss     float64
	health   health
}

// slice is the samples first to first+n, in w's memory where activations lie there.
func (s *step) slice(w *worker, first, n int) slice {
	sl := slice{worker: w, memory: s.memory, at: first, first: first, n: n}
	if s.apart {
		sl.memory, sl.at = w.memory, 0
	}
	return sl
}

// whole is all samples of the batch, for what cannot go slice by slice.
func (s *step) whole() slice { return s.slice(s.pool.workers[0], 0, len(s.rows)) }

var errClosed = errors.New("cpu: the machine is closed")

func (m *machine) Bind(d kernels.Data) error {
	if m.closed {
		return errClosed
	}
	cols := 0
	for _, b := range m.program.Buffers {
		if b.Kind == kernels.Table {
			cols = b.Cols
		}
	}
	switch {
	case d.Cols != cols:
		return fmt.Errorf("cpu: data has %d columns, the program's table %d", d.Cols, cols)
	case d.Rows < 1 || d.Rows > math.MaxInt32:
		return fmt.Errorf("cpu: data has %d rows, want at least 1 and at most %d", d.Rows, math.MaxInt32)
	case len(d.X) != d.Rows*d.Cols:
		return fmt.Errorf("cpu: data holds %d values, want %d rows × %d columns", len(d.X), d.Rows, d.Cols)
	case d.Y != nil && len(d.Y) != d.Rows:
		return fmt.Errorf("cpu: data has %d targets for %d rows", len(d.Y), d.Rows)
	}
	m.data, m.bound = d, true
	m.valid = m.classes == 0
	if !m.valid && d.Y != nil {
		m.valid = firstInvalid(d.Y, m.classes) < 0
	}
	return nil
}

func (m *machine) Train(b kernels.Batch) (kernels.StepResult, error) {
	if err := m.checkTrain(b); err != nil {
		return kernels.StepResult{Loss: math.NaN(), NonFinite: kernels.None}, err
	}
	s := &m.step
	s.rows, s.seed, s.number, s.rate, s.training = b.Rows, b.Seed, b.Step, b.LearningRate, true
	s.loss = math.NaN()
	s.health.reset()
	for i := range m.train {
		m.train[i].run(s)
		if s.health.failed() {
			return kernels.StepResult{Loss: s.loss, NonFinite: m.locate(&m.train[i])}, nil
		}
	}
	return kernels.StepResult{Loss: s.loss, NonFinite: kernels.None}, nil
}

func (m *machine) checkTrain(b kernels.Batch) error {
	switch {
	case m.closed:
		return errClosed
	case len(m.train) == 0:
		return errors.New("cpu: the program has no training step")
	case len(b.Rows) == 0:
		return errors.New("cpu: the batch is empty")
	case len(b.Rows) > m.program.Batch:
		return fmt.Errorf("cpu: the batch has %d rows, the program at most %d", len(b.Rows), m.program.Batch)
	case b.Step == 0:
		return errors.New("cpu: step 0: steps count from 1")
	}
	if err := m.checkRows(b.Rows); err != nil {
		return err
	}
	return m.checkTargets(b.Rows)
}

func (m *machine) checkRows(rows []int32) error {
	if !m.bound {
		return errors.New("cpu: no data bound: call Bind first")
	}
	for i, r := range rows {
		if r < 0 || int(r) >= m.data.Rows {
			return fmt.Errorf("cpu: row %d of the batch is table row %d, want 0 to %d", i, r, m.data.Rows-1)
		}
	}
	m.step.x, m.step.targets = m.data.X, m.data.Y
	return nil
}

func (m *machine) checkTargets(rows []int32) error {
	if m.valid {
		return nil
	}
	if m.data.Y == nil {
		return errors.New("cpu: the loss needs targets, but the bound data has none")
	}
	for _, r := range rows {
		if firstInvalid(m.data.Y[r:r+1], m.classes) >= 0 {
			return fmt.Errorf("cpu: the target of table row %d is %v, want a class of 0 to %d", r, m.data.Y[r], m.classes-1)
		}
	}
	return nil
}

// firstInvalid is the index of the first target that is not a class, or -1.
func firstInvalid(targets []float32, classes int) int {
	for i, y := range targets {
		if !(y >= 0 && y < float32(classes)) || y != float32(int(y)) {
			return i
		}
	}
	return -1
}

func (m *machine) Predict(rows []int32, dst []float32) error {
	switch {
	case m.closed:
		return errClosed
	case len(m.score) == 0:
		return errors.New("cpu: the program has no scoring part")
	}
	out := m.program.Buffers[m.program.Output]
	if len(dst) != len(rows)*out.Cols {
		return fmt.Errorf("cpu: room for %d values, want %d rows × %d columns", len(dst), len(rows), out.Cols)
	}
	if err := m.checkRows(rows); err != nil {
		return err
	}
	m.step.training = false
	for len(rows) > 0 {
		n := min(len(rows), m.program.Batch)
		m.step.rows, m.step.output = rows[:n], dst[:n*out.Cols]
		for i := range m.score {
			m.score[i].run(&m.step)
		}
		rows, dst = rows[n:], dst[n*out.Cols:]
	}
	m.step.output = nil
	return nil
}

func (m *machine) Read(b kernels.Buf, dst []float32) error {
	memory, err := m.buffer(b, len(dst))
	copy(dst, memory)
	return err
}

func (m *machine) Write(b kernels.Buf, src []float32) error {
	memory, err := m.buffer(b, len(src))
	copy(memory, src)
	return err
}

func (m *machine) buffer(b kernels.Buf, length int) ([]float32, error) {
	if m.closed {
		return nil, errClosed
	}
	if b < 0 || int(b) >= len(m.program.Buffers) {
		return nil, fmt.Errorf("cpu: buffer %d of %d", b, len(m.program.Buffers))
	}
	buf := m.program.Buffers[b]
	switch {
	case buf.Offset < 0:
		return nil, fmt.Errorf("cpu: %q is bound data: it is not in the machine's memory", buf.Name)
	case length != buf.Len():
		return nil, fmt.Errorf("cpu: %d values for %q, want %d×%d", length, buf.Name, buf.Rows, buf.Cols)
	case buf.PerSample && m.places.perWorker:
		return nil, fmt.Errorf("cpu: %q is not kept: the program's batch is above %d rows", buf.Name, keptRows)
	}
	at := m.places.offset[b]
	return m.memory[at : at+buf.Len()], nil
}

func (m *machine) Close() error {
	if m.closed {
		return errClosed
	}
	m.step.pool.close()
	*m = machine{closed: true}
	return nil
}
