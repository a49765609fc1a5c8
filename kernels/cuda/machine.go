package cuda

import (
	"errors"
	"fmt"

	"flowbench/kernels"
)

// machine is a compiled Program. See kernels.Machine for the contract.
type machine struct {
	backend   *Backend
	driver    Driver
	program   *kernels.Program
	tally     *tally // of the trial, or nil
	classes   int    // what the targets index, 0 where no loss reads a Target
	optimizer kernels.Update

	owned                      []Pointer
	arena, control, rows, mean Pointer
	train, score               []Launch
	trainGraph, scoreGraph     Graph
	trainSteps                 Graph     // stepsOfGraph times what trainGraph is
	controls                   []control // for scoring
	queue                      queue
	sequence                   sequence

	data   kernels.Data
	table  *table
	stream *stream // in the place of table
	most   int     // steps of one launch; 0: any number
	lists  lists   // of the orders that it trained on last; checked against data
	closed bool
}

var errClosed = errors.New("cuda: the machine is closed")

// take waits for the device and returns what gives it back.
func (m *machine) take() (done func()) {
	if m.closed {
		return func() {}
	}
	turn := &m.backend.turn
	turn.Lock()
	return turn.Unlock
}

// Bind copies d to the device; changes that are made to d afterwards show only
// after the next Bind. Where the device has no room for d, its rows are sent with
// each batch.
func (m *machine) Bind(d kernels.Data) error {
	defer m.take()()
	if m.closed {
		return errClosed
	}
	if err := m.program.CheckData(d); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	if err := errors.Join(m.backend.hold(m.lists, nil), m.backend.release(m.table), m.closeStream(m.stream)); err != nil {
		return err
	}
	m.table, m.stream, m.data = nil, nil, kernels.Data{}
	t, err := m.backend.bind(d)
	if err != nil && outOfMemory(err) {
		m.yields(planSentRows, err)
		m.stream, err = m.openStream(d)
	}
	if err != nil {
		return err
	}
	m.data, m.table = d, t
	return nil
}

// runScore sends what is new and starts the scoring part.
func (m *machine) runScore(rows []int32) error {
	rows, err := m.localRows(rows)
	if err != nil {
		return err
	}
	x, y := m.source()
	m.controls[0] = control{rows: m.rows, x: x, targets: y, n: int32(len(rows))}
	if err := m.driver.CopyIn(m.rows, bytesOf(rows)); err != nil {
		return err
	}
	if err := m.driver.CopyIn(m.control, bytesOf(m.controls)); err != nil {
		return err
	}
	if m.scoreGraph == nil {
		var err error
		if m.scoreGraph, err = m.driver.Record(m.score); err != nil {
			return err
		}
	}
	m.launched(m.score, 1)
	return m.scoreGraph.Replay()
}

// reached is whether the loss was computed although instruction failed.
func (m *machine) reached(instruction int) bool {
	for _, in := range m.program.Train[:instruction] {
		if _, ok := in.(kernels.Loss); ok {
			return true
		}
	}
	return false
}

// checkAll checks the batches of a sequence.
func (m *machine) checkAll(batches []kernels.Batch) error {
	var checked *kernels.Order
	for _, b := range batches {
		if err := m.checkTrain(b, checked); err != nil {
			return err
		}
		checked = b.Order
		if b.Seed != batches[0].Seed {
			return fmt.Errorf("cuda: step %d has another seed than step %d", b.Step, batches[0].Step)
		}
	}
	return nil
}

// checkTrain says why b cannot be trained on; checked is an order whose lists have
// just been looked at, or nil.
func (m *machine) checkTrain(b kernels.Batch, checked *kernels.Order) error {
	if m.closed {
		return errClosed
	}
	err := m.program.CheckBatch(b, m.data)
	switch {
	case err != nil:
	case b.Order == nil:
		err = m.data.CheckTargets(b.Rows, m.classes)
	case b.Order != checked:
		err = m.checkOrder(b.Order)
	}
	if err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	return nil
}

func (m *machine) Predict(rows []int32, dst []float32) error {
	defer m.take()()
	if err := m.checkPredict(rows, dst); err != nil {
		return err
	}
	out := m.program.Buffers[m.program.Output]
	for len(rows) > 0 {
		n := min(len(rows), m.program.Batch)
		if err := m.runScore(rows[:n]); err != nil {
			return err
		}
		if err := m.driver.CopyOut(bytesOf(dst[:n*out.Cols]), m.arena+Pointer(4*out.Offset)); err != nil {
			return err
		}
		rows, dst = rows[n:], dst[n*out.Cols:]
	}
	return nil
}

func (m *machine) Read(b kernels.Buf, dst []float32) error {
	defer m.take()()
	at, err := m.buffer(b, len(dst))
	if err != nil || len(dst) == 0 {
		return err
	}
	return m.driver.CopyOut(bytesOf(dst), at)
}

func (m *machine) Write(b kernels.Buf, src []float32) error {
	defer m.take()()
	at, err := m.buffer(b, len(src))
	if err != nil || len(src) == 0 {
		return err
	}
	return m.driver.CopyIn(at, bytesOf(src))
}

func (m *machine) buffer(b kernels.Buf, length int) (Pointer, error) {
	if m.closed {
		return 0, errClosed
	}
	if b < 0 || int(b) >= len(m.program.Buffers) {
		return 0, fmt.Errorf("cuda: buffer %d of %d", b, len(m.program.Buffers))
	}
	buf := m.program.Buffers[b]
	if buf.Offset < 0 {
		return 0, fmt.Errorf("cuda: %q is bound data: it is not in the machine's memory", buf.Name)
	}
	if length != buf.Len() {
		return 0, fmt.Errorf("cuda: %d values for %q, want %d×%d", length, buf.Name, buf.Rows, buf.Cols)
	}
	return m.arena + Pointer(4*buf.Offset), nil
}

// Close frees the Machine's memory on the device.
func (m *machine) Close() error {
	if m.closed {
		return errClosed
	}
	defer m.take()()
	return m.free()
}

func (m *machine) free() error {
	var failed []error
	for _, g := range []Graph{m.trainGraph, m.trainSteps, m.scoreGraph} {
		if g != nil {
			failed = append(failed, g.Close())
		}
	}
	for _, p := range m.owned {
		failed = append(failed, m.driver.Free(p))
	}
	failed = append(failed, m.backend.hold(m.lists, nil), m.backend.release(m.table), m.closeStream(m.stream))
	*m = machine{closed: true}
	return errors.Join(failed...)
}

// locate finds the first operand of a failed instruction that is not finite, in
// the order that it reads and then writes them. Nothing ran after it.
func (m *machine) locate(in kernels.Instruction, rows []int32) (kernels.Buf, error) {
	list := kernels.Operands(in)
	for _, o := range list {
		ok, err := m.finite(o.Buf, rows)
		if err != nil || !ok {
			return o.Buf, err
		}
	}
	if loss, ok := in.(kernels.Loss); ok {
		return loss.Pred, nil
	}
	return list[len(list)-1].Buf, nil
}

func (m *machine) finite(b kernels.Buf, rows []int32) (bool, error) {
	buf := m.program.Buffers[b]
	switch {
	case buf.Kind == kernels.Target:
		return true, nil // checked to be a class before the step
	case buf.Kind == kernels.Table:
		for _, r := range rows {
			if !finite(m.data.X[int(r)*buf.Cols : (int(r)+1)*buf.Cols]) {
				return false, nil
			}
		}
		return true, nil
	}
	n := buf.Len()
	if buf.PerSample {
		n = len(rows) * buf.Cols
	}
	v := make([]float32, n)
	err := m.driver.CopyOut(bytesOf(v), m.arena+Pointer(4*buf.Offset))
	return finite(v), err
}

func finite(v []float32) bool {
	for _, x := range v {
		if x-x != 0 {
			return false
		}
	}
	return true
}
