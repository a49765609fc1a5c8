package cpu

import (
	"sync/atomic"

	"flowbench/kernels"
)

// health is whether a step has written a NaN or an infinity so far. Instructions
// check what they write while it is in cache; which buffer holds it is looked
// for only when the answer is yes.
type health struct{ sick atomic.Bool }

func (h *health) reset()       { h.sick.Store(false) }
func (h *health) failed() bool { return h.sick.Load() }

// check notes whether v holds a NaN or an infinity.
func (h *health) check(v []float32) {
	if !finite(v) {
		h.sick.Store(true)
	}
}

// finite reports whether v is free of NaN and infinities: x·0 is ±0 for finite
// x and NaN otherwise, and a NaN survives every addition.
func finite(v []float32) bool {
	var a, b, c, d float32
	for len(v) >= 4 {
		a += v[0] * 0
		b += v[1] * 0
		c += v[2] * 0
		d += v[3] * 0
		v = v[4:]
	}
	for _, x := range v {
		a += x * 0
	}
	return a+b+c+d == 0
}

// locate finds the first operand of a failed instruction that is not finite,
// in the order that the instruction reads and then writes them.
func (m *machine) locate(in kernels.Instruction) kernels.Buf {
	list := kernels.Operands(in)
	for _, o := range list {
		if !m.finite(o.Buf) {
			return o.Buf
		}
	}
	if loss, ok := in.(kernels.Loss); ok {
		return loss.Pred
	}
	return list[len(list)-1].Buf
}

func (m *machine) finite(b kernels.Buf) bool {
	buf := m.program.Buffers[b]
	switch {
	case buf.Kind == kernels.Target:
		return true // checked to be a class before the step
	case buf.Kind == kernels.Table:
		table := samples{cols: buf.Cols}
		for i := range m.step.rows {
			if !finite(table.row(&m.step, i)) {
				return false
			}
		}
		return true
	case buf.PerSample:
		return finite(m.arena[buf.Offset : buf.Offset+len(m.step.rows)*buf.Cols])
	}
	return finite(m.arena[buf.Offset : buf.Offset+buf.Len()])
}
