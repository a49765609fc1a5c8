package cuda

import (
	"errors"
	"fmt"

	"flowbench/kernels"
)

// What is done where device memory does not hold what is asked for: flows stay on
// the host and the rows of a few batches at a time are sent; a launch takes fewer
// steps, or rows to score, and at last fewer trials. All of it leaves a trial's bits
// as they are. Training layer by layer what a fleet trains is not among it: that
// takes no less memory, and adds in another order.

// streamBatches is how many batches' rows a stream has room for, where there is as
// much: more than a call of a few steps brings, at a thousandth of a large table.
const streamBatches = 16

// stream is room on the device for some rows of a table that has none there.
type stream struct {
	x, y Pointer // y is 0 where there are no targets
	rows int     // at least a batch's
	// What is on its way, and a Machine's only buffers for it.
	features, targets []float32
	places            []int32
}

// openStream makes the room, as large as it can be.
func (m *machine) openStream(d kernels.Data) (*stream, error) {
	batch := m.program.Batch
	for rows := streamBatches * batch; ; rows /= 2 {
		s, err := m.newStream(d, max(rows, batch))
		if err == nil || !outOfMemory(err) || rows <= batch {
			return s, err
		}
	}
}

func (m *machine) newStream(d kernels.Data, rows int) (*stream, error) {
	s := &stream{rows: rows, places: make([]int32, rows)}
	for i := range s.places {
		s.places[i] = int32(i)
	}
	var err error
	if s.x, err = m.driver.Allocate(4 * rows * d.Cols); err == nil && d.Y != nil {
		s.y, err = m.driver.Allocate(4 * rows)
	}
	if err != nil {
		return nil, errors.Join(err, m.closeStream(s))
	}
	return s, nil
}

// closeStream frees s, which may be nil.
func (m *machine) closeStream(s *stream) error {
	if s == nil {
		return nil
	}
	var failed []error
	for _, p := range []Pointer{s.x, s.y} {
		if p != 0 {
			failed = append(failed, m.driver.Free(p))
		}
	}
	return errors.Join(failed...)
}

// source is where kernels find the rows of the bound data.
func (m *machine) source() (x, y Pointer) {
	if m.stream != nil {
		return m.stream.x, m.stream.y
	}
	return m.table.x, m.table.y
}

// fits is how many of the batches, at least one, a launch may take.
func (m *machine) fits(batches []kernels.Batch) int {
	if m.stream == nil {
		return len(batches)
	}
	rows := 0
	for i, b := range batches {
		if rows += b.Len(); rows > m.stream.rows && i > 0 {
			return i
		}
	}
	return len(batches)
}

// local sends the rows of the batches, which fit, and returns the batches with the
// places of their rows there; of a table that is on the device, the batches.
func (m *machine) local(batches []kernels.Batch) ([]kernels.Batch, error) {
	if m.stream == nil || len(batches) == 0 {
		return batches, nil
	}
	var rows []int32
	sent := make([]kernels.Batch, len(batches))
	for i, b := range batches {
		first := len(rows)
		rows = append(rows, b.TableRows(make([]int32, b.Len()))...)
		sent[i] = kernels.Batch{Rows: m.stream.places[first:len(rows)], Step: b.Step, Seed: b.Seed, LearningRate: b.LearningRate}
	}
	_, err := m.localRows(rows)
	return sent, err
}

// localRows sends rows, which fit, and returns their places there.
func (m *machine) localRows(rows []int32) ([]int32, error) {
	s := m.stream
	if s == nil || len(rows) == 0 {
		return rows, nil
	}
	cols := m.data.Cols
	s.features, s.targets = s.features[:0], s.targets[:0]
	for _, r := range rows {
		s.features = append(s.features, m.data.X[int(r)*cols:(int(r)+1)*cols]...)
		if s.y != 0 {
			s.targets = append(s.targets, m.data.Y[r])
		}
	}
	err := m.driver.CopyIn(s.x, bytesOf(s.features))
	if err == nil && s.y != 0 {
		err = m.driver.CopyIn(s.y, bytesOf(s.targets))
	}
	return s.places[:len(rows)], err
}

func outOfMemory(err error) bool {
	var full *OutOfMemoryError
	return errors.As(err, &full)
}

// yields notes that a smaller plan is taken because of err, which says how much was
// asked and what to lower; of the notes of one plan the first is kept.
func (m *machine) yields(plan string, err error) {
	var full *OutOfMemoryError
	errors.As(err, &full)
	text := fmt.Sprintf("%s: %s; for the faster plan, %s", plan, full.figures(), full.remedy())
	m.backend.tally.note(plan, text)
	if m.tally != nil {
		m.tally.note(plan, text)
	}
}

// The smaller plans.
const (
	planSentRows    = "flows stay on the host, rows are sent with the batches"
	planFewerSteps  = "fewer steps a launch"
	planFewerRows   = "fewer rows to score a launch"
	planFewerTrials = "fewer trials a launch"
)

// passes cuts work of several machines, of counts[i] pieces each, into launches.
type passes struct {
	done  []int
	most  int // pieces of a machine in one launch
	width int // machines in one launch
}

func newPasses(counts []int) *passes {
	p := &passes{done: make([]int, len(counts)), width: max(len(counts), 1)}
	for _, n := range counts {
		p.most = max(p.most, n)
	}
	return p
}

// next is how many pieces of each machine the next launch takes, nil after the last;
// fits(i, from, n) says how many of n pieces machine i has room for.
func (p *passes) next(counts []int, fits func(i, from, n int) int) []int {
	var part []int
	machines := 0
	for i, n := range counts {
		left := min(n-p.done[i], p.most)
		if left <= 0 || machines == p.width {
			continue
		}
		if part == nil {
			part = make([]int, len(counts))
		}
		part[i] = fits(i, p.done[i], left)
		machines++
	}
	return part
}

// shrink makes launches smaller than part was, and says of what there are fewer; it
// says nothing where there is no smaller one.
func (p *passes) shrink(part []int, pieces string) string {
	machines, most := 0, 0
	for _, n := range part {
		if n > 0 {
			machines++
		}
		most = max(most, n)
	}
	switch {
	case most > 1:
		p.most = most / 2
		return pieces
	case machines > 1:
		p.width = machines / 2
		return planFewerTrials
	}
	return ""
}
