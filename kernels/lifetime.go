package kernels

// spans holds, for each buffer, the first and the last instruction of one list
// that touches it; first is -1 for a buffer not yet touched.
type spans struct{ first, last []int }

func newSpans(buffers int) spans {
	s := spans{make([]int, buffers), make([]int, buffers)}
	for i := range s.first {
		s.first[i] = -1
	}
	return s
}

func (s spans) touch(b Buf, at int) {
	if s.first[b] < 0 {
		s.first[b] = at
	}
	s.last[b] = at
}

// order checks that what an instruction reads was computed before it in the
// step, and notes what it touches.
func (c *checker) order(in Instruction, at int, span *spans) {
	list := Operands(in)
	for _, o := range list {
		b := c.p.Buffers[o.Buf]
		if o.Access&Read != 0 && (b.Kind == Activation || b.Kind == Gradient) && span.first[o.Buf] < 0 {
			c.fail("%s %q is read before any instruction has written it", o.Field, b.Name)
		}
	}
	for _, o := range list {
		span.touch(o.Buf, at)
	}
}

// lifetimes proves that activations that share a place are never alive at once.
// A buffer lives from the instruction that first writes it to the last that
// touches it, both included: no instruction may write where it still reads.
func (c *checker) lifetimes(span spans) {
	list := c.placed(func(b Buffer) bool { return b.Kind == Activation })
	for i, a := range list {
		if span.first[a] < 0 {
			continue
		}
		for _, b := range list[i+1:] {
			if c.p.Buffers[b].Offset >= c.end(a) {
				break
			}
			if span.first[b] >= 0 && span.first[a] <= span.last[b] && span.first[b] <= span.last[a] {
				c.fail("%q (instructions %d to %d) and %q (%d to %d) share place %d of the arena while both live",
					c.p.Buffers[a].Name, span.first[a], span.last[a],
					c.p.Buffers[b].Name, span.first[b], span.last[b], c.p.Buffers[b].Offset)
			}
		}
	}
}
