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

func (h *health) fail() { h.sick.Store(true) }

// check notes whether v holds a NaN or an infinity.
func (s *step) check(v []float32) {
	if !s.level.finite(v) {
		s.health.fail()
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

// locate finds the buffer to name after a phase has failed: the first operand
// that is not finite, in the order of the instructions and of what each reads
// and then writes.
func (m *machine) locate(failed *entry) kernels.Buf {
	s := &m.step
	region, fused := failed.phase.(*region)
	_, collected := failed.phase.(*collect)
	covers := func(k kernels.Kind) bool {
		switch {
		case fused:
			return k != kernels.Gradient // they still are what the last step left
		case collected:
			return k == kernels.Gradient // all else was finite before
		}
		return k != kernels.Target
	}
	first := len(failed.instructions)
	var named kernels.Buf
	search := func(sl *slice) {
		for i, in := range failed.instructions[:first] {
			if b := m.sick(in, sl, covers); b != kernels.None {
				first, named = i, b
				return
			}
		}
	}
	if fused && s.apart { // a worker holds its last slice only
		for from := 0; from < len(s.rows); from += sliceRows {
			sl := s.slice(s.pool.workers[0], from, min(sliceRows, len(s.rows)-from))
			sl.partial = s.partials.slot(0)
			region.through(s, &sl)
			search(&sl)
		}
	} else {
		whole := s.whole()
		search(&whole)
	}
	if first < len(failed.instructions) {
		return named
	}
	for _, in := range failed.instructions {
		if loss, ok := in.(kernels.Loss); ok {
			return loss.Pred // every buffer is finite, the loss is not
		}
	}
	list := kernels.Operands(failed.instructions[0])
	return list[len(list)-1].Buf
}

// sick is the first operand of in that is not finite, or None.
func (m *machine) sick(in kernels.Instruction, sl *slice, covers func(kernels.Kind) bool) kernels.Buf {
	for _, o := range kernels.Operands(in) {
		if covers(m.program.Buffers[o.Buf].Kind) && !m.finite(o.Buf, sl) {
			return o.Buf
		}
	}
	return kernels.None
}

func (m *machine) finite(b kernels.Buf, sl *slice) bool {
	buf := m.program.Buffers[b]
	switch {
	case buf.Kind == kernels.Target:
		return true // checked to be a class before the step
	case buf.Kind == kernels.Table:
		return finite(samples{m.places.gathered, buf.Cols}.rows(sl))
	case buf.PerSample:
		return finite(samples{m.places.offset[b], buf.Cols}.rows(sl))
	}
	at := m.places.offset[b]
	return finite(m.memory[at : at+buf.Len()])
}
