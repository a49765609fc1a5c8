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

// TrainAll is kernels.Sequencer's: what there is to know of the steps is sent at
// once, and the device goes from one to the next by itself.
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
	steps := newPasses([]int{len(batches)})
	if m.most > 0 {
		steps.most = min(steps.most, m.most)
	}
	for at := 0; ; at = steps.done[0] {
		part := steps.next([]int{len(batches)}, func(_, from, n int) int { return m.fits(batches[from : from+n]) })
		if part == nil {
			return nil
		}
		err := m.trainSome(batches[at:at+part[0]], results[at:at+part[0]])
		if err != nil && outOfMemory(err) {
			if plan := steps.shrink(part, planFewerSteps); plan != "" {
				m.most = steps.most
				m.yields(plan, err)
				if err := m.emptyQueue(); err != nil {
					return err
				}
				continue
			}
		}
		if steps.done[0] += part[0]; err != nil || stopped(results[at:steps.done[0]]) {
			return err
		}
	}
}

// stopped is whether one of the steps was not finite, so that those after it do not run.
func stopped(results []kernels.StepResult) bool {
	return slices.ContainsFunc(results, func(r kernels.StepResult) bool { return r.NonFinite != kernels.None })
}

// trainSome takes steps that fit together. Where memory is lacking, none has run.
func (m *machine) trainSome(batches []kernels.Batch, results []kernels.StepResult) error {
	sent, err := m.local(batches)
	if err == nil {
		err = m.enqueue(sent)
	}
	if err != nil {
		return err
	}
	if err := m.runSteps(len(batches)); err != nil {
		return err
	}
	raw := make([]stepResult, len(batches))
	if err := m.driver.CopyOut(bytesOf(raw), m.queue.results.at); err != nil {
		return err
	}
	for i, r := range raw {
		if err := m.report(&results[i], r, batches[i]); err != nil {
			return err
		}
	}
	return nil
}

// stepsOfGraph are recorded as one: the device goes from one to the next as from
// launch to launch, while between graphs it waits for the processor's word.
const stepsOfGraph = 8

// runSteps starts the first n steps of the queue, each of them the same launches.
func (m *machine) runSteps(n int) error {
	begin := Launch{
		Kernel: "sequence_begin", Grid: [3]int{int(m.sequence.drawers), 1, 1}, Block: sequenceThreads,
		Args: bytesOf([]sequence{m.sequence}),
	}
	m.launched([]Launch{begin}, 1)
	m.launched(m.train, n)
	if err := m.driver.Launch(begin); err != nil {
		return err
	}
	for _, part := range []struct {
		graph *Graph
		steps int
	}{{&m.trainSteps, stepsOfGraph}, {&m.trainGraph, 1}} {
		for ; n >= part.steps; n -= part.steps {
			if *part.graph == nil {
				var err error
				if *part.graph, err = m.driver.Record(slices.Repeat(m.train, part.steps)); err != nil {
					return err
				}
			}
			if err := (*part.graph).Replay(); err != nil {
				return err
			}
		}
	}
	return nil
}

// noResult is that of a step that did not run.
var noResult = kernels.StepResult{Loss: math.NaN(), NonFinite: kernels.None}

// stepResult is what the device says of a step. See StepResult in common.cuh.
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
	result.NonFinite, err = m.locate(m.program.Train[sick-1], b.TableRows(make([]int32, b.Count)))
	return err
}

// sequence.cuh's.
const (
	sequenceThreads = 256
	nothingFailed   = math.MaxInt32
)

// sequence is Sequence in sequence.cuh.
type sequence struct {
	control, queue, mean, rows Pointer
	drawers, reserved          int32
}

// sequenceStep is Step in sequence.cuh.
type sequenceStep struct {
	control         control
	order           Pointer
	first, reserved int32
}

// queueState is Queue in sequence.cuh.
type queueState struct {
	steps, results    Pointer
	next, count       int32
	stopped, failed   int32
	arrived, reserved int32
}

// queue is the steps that the device goes through by itself.
type queue struct {
	state                        Pointer // a queueState
	steps, results, rows, orders room
}

// room is device memory that grows with what it must hold.
type room struct {
	at    Pointer
	bytes int
}

// enqueue sends steps to the device, and with them the rows of those batches whose
// rows are given.
func (m *machine) enqueue(batches []kernels.Batch) error {
	var set orderSet
	var given []int32
	for _, b := range batches {
		set.number(b.Order)
		given = append(given, b.Rows...)
	}
	orders, err := m.holdAll(set.list)
	if err != nil {
		return err
	}
	q := &m.queue
	steps, results := make([]sequenceStep, len(batches)), make([]stepResult, len(batches))
	for _, part := range []struct {
		room *room
		src  []byte
	}{{&q.rows, bytesOf(given)}, {&q.orders, bytesOf(orders)}, {&q.results, bytesOf(results)}} {
		if err := m.send(part.room, part.src); err != nil {
			return err
		}
	}
	rows := q.rows.at
	x, y := m.source()
	for i, b := range batches {
		s := &steps[i]
		s.control = control{
			seed: b.Seed, step: b.Step, rate: b.LearningRate, training: 1, n: int32(b.Len()),
			rows: rows, x: x, targets: y,
		}
		s.control.corrected, s.control.correction = newBias(m.optimizer.Beta1, m.optimizer.Beta2, b.Step).corrections(b.LearningRate)
		rows += Pointer(4 * len(b.Rows))
		if k := set.number(b.Order); k >= 0 {
			s.control.rows, s.first = m.rows, int32(b.First)
			s.order = q.orders.at + Pointer(k)*Pointer(unsafe.Sizeof(order{}))
		}
	}
	if err := m.send(&q.steps, bytesOf(steps)); err != nil {
		return err
	}
	return m.driver.CopyIn(q.state, bytesOf([]queueState{{
		steps: q.steps.at, results: q.results.at, count: int32(len(batches)), failed: nothingFailed,
	}}))
}

// send puts src in the place of what r holds.
func (m *machine) send(r *room, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	if len(src) > r.bytes {
		r.bytes = 0
		if err := m.again(&r.at, len(src)); err != nil {
			return err
		}
		r.bytes = len(src)
	}
	return m.driver.CopyIn(r.at, src)
}

// emptyQueue gives back what the queue holds, so that fewer steps have the room.
func (m *machine) emptyQueue() error {
	q := &m.queue
	for _, r := range []*room{&q.steps, &q.results, &q.rows, &q.orders} {
		if err := m.drop(&r.at); err != nil {
			return err
		}
		r.bytes = 0
	}
	return nil
}

// drop frees *p, unless it is 0, which it is then.
func (m *machine) drop(p *Pointer) error {
	if *p == 0 {
		return nil
	}
	if err := m.driver.Free(*p); err != nil {
		return err
	}
	m.owned = slices.DeleteFunc(m.owned, func(o Pointer) bool { return o == *p })
	*p = 0
	return nil
}

// again puts new memory in the place of *p.
func (m *machine) again(p *Pointer, bytes int) error {
	if err := m.drop(p); err != nil {
		return err
	}
	got, err := m.driver.Allocate(bytes)
	if err != nil {
		return err
	}
	*p = got
	m.owned = append(m.owned, got)
	return nil
}
