package cpu

import (
	"errors"
	"fmt"
	"math"
	"slices"

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
	valid        bool // every bound target is a class
	closed       bool
	step         step
	drawn        drawn
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
	if err := m.program.CheckData(d); err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	m.data = d
	m.step.x, m.step.targets = d.X, d.Y
	invalid := func(y float32) bool { return !kernels.IsClass(y, m.classes) }
	m.valid = m.classes == 0 || d.Y != nil && !slices.ContainsFunc(d.Y, invalid)
	return nil
}

func (m *machine) Train(b kernels.Batch) (kernels.StepResult, error) {
	rows, err := m.rows(b)
	if err != nil {
		return kernels.StepResult{Loss: math.NaN(), NonFinite: kernels.None}, err
	}
	s := &m.step
	s.rows, s.seed, s.number, s.rate, s.training = rows, b.Seed, b.Step, b.LearningRate, true
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

// rows is the rows of b, which can be trained on.
func (m *machine) rows(b kernels.Batch) ([]int32, error) {
	if m.closed {
		return nil, errClosed
	}
	err := m.program.CheckBatch(b, m.data)
	rows := b.Rows
	if err == nil && b.Order != nil {
		rows = m.drawn.draw(&m.step, b)
		err = m.data.CheckRows(rows)
	}
	if err == nil && !m.valid {
		err = m.data.CheckTargets(rows, m.classes)
	}
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	return rows, nil
}

func (m *machine) Predict(rows []int32, dst []float32) error {
	if m.closed {
		return errClosed
	}
	if err := m.program.CheckPredict(rows, dst, m.data); err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	out := m.program.Buffers[m.program.Output]
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
