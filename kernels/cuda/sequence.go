package cuda

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"flowbench/kernels"
)

func (m *machine) Train(b kernels.Batch) (kernels.StepResult, error) {
	results := []kernels.StepResult{noResult}
	err := m.TrainAll([]kernels.Batch{b}, results)
	return results[0], err
}

// TrainAll is kernels.Sequencer's: the steps and their rows are sent at once, and
// the device goes from one step to the next by itself.
func (m *machine) TrainAll(batches []kernels.Batch, results []kernels.StepResult) error {
	defer m.take()()
	return m.trainAll(batches, results)
}

// trainAll is TrainAll for who has the device.
func (m *machine) trainAll(batches []kernels.Batch, results []kernels.StepResult) error {
	for i := range results {
		results[i] = noResult
	}
	if len(batches) != len(results) {
		return fmt.Errorf("cuda: %d results for %d batches", len(results), len(batches))
	}
	if err := m.checkAll(batches); err != nil || len(batches) == 0 {
		return err
	}
	if err := m.enqueue(batches); err != nil {
		return err
	}
	if m.trainGraph == nil {
		var err error
		if m.trainGraph, err = m.driver.Record(m.train); err != nil {
			return err
		}
	}
	m.backend.launches += len(batches) * len(m.train)
	for range batches {
		if err := m.trainGraph.Replay(); err != nil {
			return err
		}
	}
	raw := make([]stepResult, len(batches))
	if err := m.driver.CopyOut(bytesOf(raw), m.queue.results); err != nil {
		return err
	}
	for i, r := range raw {
		if err := m.report(&results[i], r, batches[i]); err != nil {
			return err
		}
	}
	return nil
}

// noResult is that of a step that did not run.
var noResult = kernels.StepResult{Loss: math.NaN(), NonFinite: kernels.None}

// stepResult is what the device says of a step. See StepResult in sequence.cu.
type stepResult struct {
	loss       float64
	sick, done int32
}

func (m *machine) report(result *kernels.StepResult, r stepResult, b kernels.Batch) error {
	sick := int(r.sick)
	if r.done != 0 && (sick == 0 || m.reached(sick-1)) {
		result.Loss = r.loss
	}
	if sick == 0 {
		return nil
	}
	var err error
	result.NonFinite, err = m.locate(m.program.Train[sick-1], b.Rows)
	return err
}

// queue is the steps that the device goes through by itself.
type queue struct {
	state          Pointer // see Queue in sequence.cu
	steps, results Pointer
	rows           Pointer
	stepRoom       int
	rowRoom        int
}

// queueState is Queue in sequence.cu.
type queueState struct {
	steps, results Pointer
	next, stopped  int32
}

// enqueue sends steps to the device.
func (m *machine) enqueue(batches []kernels.Batch) error {
	rows := 0
	for _, b := range batches {
		rows += len(b.Rows)
	}
	if err := m.room(len(batches), rows); err != nil {
		return err
	}
	steps, all := make([]control, len(batches)), make([]int32, 0, rows)
	for i, b := range batches {
		steps[i] = control{
			seed: b.Seed, step: b.Step, rate: b.LearningRate, training: 1, n: int32(len(b.Rows)),
			rows: m.queue.rows + Pointer(4*len(all)), x: m.table.x, targets: m.table.y,
		}
		steps[i].corrected, steps[i].correction = corrections(m.optimizer, b)
		all = append(all, b.Rows...)
	}
	for _, part := range []struct {
		dst Pointer
		src []byte
	}{
		{m.queue.rows, bytesOf(all)},
		{m.queue.steps, bytesOf(steps)},
		{m.queue.results, make([]byte, len(batches)*int(unsafe.Sizeof(stepResult{})))},
		{m.queue.state, bytesOf([]queueState{{steps: m.queue.steps, results: m.queue.results}})},
	} {
		if err := m.driver.CopyIn(part.dst, part.src); err != nil {
			return err
		}
	}
	return nil
}

// room makes the queue large enough.
func (m *machine) room(steps, rows int) error {
	q := &m.queue
	for _, part := range []struct {
		at          *Pointer
		room        *int
		need, bytes int
	}{
		{&q.rows, &q.rowRoom, rows, 4},
		{&q.steps, &q.stepRoom, steps, int(unsafe.Sizeof(control{}))},
	} {
		if part.need <= *part.room {
			continue
		}
		if err := m.again(part.at, part.need*part.bytes); err != nil {
			return err
		}
		*part.room = part.need
		if part.at == &q.steps {
			if err := m.again(&q.results, part.need*int(unsafe.Sizeof(stepResult{}))); err != nil {
				return err
			}
		}
	}
	return nil
}

// again puts new memory in the place of *p.
func (m *machine) again(p *Pointer, bytes int) error {
	if *p != 0 {
		if err := m.driver.Free(*p); err != nil {
			return err
		}
		m.owned = slices.DeleteFunc(m.owned, func(o Pointer) bool { return o == *p })
		*p = 0
	}
	got, err := m.driver.Allocate(bytes)
	if err != nil {
		return err
	}
	*p = got
	m.owned = append(m.owned, got)
	return nil
}
