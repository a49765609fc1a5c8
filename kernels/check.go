package kernels

import (
	"fmt"
	"math"
	"slices"
)

// Alignment is what every Buffer.Offset is a multiple of, in float32.
const Alignment = 16

// maxLen bounds a buffer and the arena, in float32, so that no product of
// dimensions can overflow; it is 256 GiB.
const maxLen = 1 << 36

// Check reports the first fault of the Program: a buffer without name, kind,
// size or room of its own; an instruction whose operands have the wrong kind or
// shape or were not computed before; options outside their range. The message
// names the instruction ("train[3] DenseGrad"), the operand and the buffer.
// A backend may rely on all of it after a nil answer.
func (p *Program) Check() error {
	c := checker{p: p}
	c.program()
	if c.err == nil {
		c.buffers()
	}
	if c.err == nil {
		c.list("train", p.Train, None)
	}
	if c.err == nil {
		c.list("score", p.Score, p.Output)
	}
	if c.err == nil {
		c.streams()
	}
	return c.err
}

// checker keeps the first fault and ignores what follows it, so that the rules
// read as a list.
type checker struct {
	p     *Program
	where string
	err   error
}

func (c *checker) fail(format string, args ...any) {
	if c.err != nil {
		return
	}
	where := "kernels: program"
	if c.where != "" {
		where += ": " + c.where
	}
	c.err = fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...))
}

func (c *checker) program() {
	p := c.p
	if p.Precision > BFloat16 {
		c.fail("Precision is %d, want one of Float32, TF32 and BFloat16", p.Precision)
	}
	if p.Batch < 1 || p.Batch > math.MaxInt32 {
		c.fail("Batch is %d, want at least 1 and an int32", p.Batch)
	}
	if p.ArenaLen < 0 || p.ArenaLen > maxLen {
		c.fail("ArenaLen is %d, want 0 to %d", p.ArenaLen, maxLen)
	}
	if len(p.Train)+len(p.Score) == 0 {
		c.fail("neither Train nor Score holds an instruction")
	}
}

func (c *checker) buffers() {
	seen := map[string]bool{}
	count := map[Kind]int{}
	for i, b := range c.p.Buffers {
		c.where = fmt.Sprintf("buffer %d %q", i, b.Name)
		if b.Name == "" || seen[b.Name] {
			c.fail("a buffer needs a name of its own")
		}
		seen[b.Name] = true
		count[b.Kind]++
		c.buffer(b)
	}
	c.where = ""
	if count[Table] != 1 || count[Target] > 1 {
		c.fail("%d Table and %d Target buffers, want one Table and at most one Target", count[Table], count[Target])
	}
	c.standing()
}

func (c *checker) buffer(b Buffer) {
	if b.Kind < Table || b.Kind > Constant {
		c.fail("unknown kind %v", b.Kind)
	}
	if b.Rows < 1 || b.Cols < 1 || b.Rows > maxLen || b.Cols > maxLen/b.Rows {
		c.fail("shape %d×%d, want at least 1×1 and at most %d elements", b.Rows, b.Cols, maxLen)
		return
	}
	bound := b.Kind == Table || b.Kind == Target
	if bound != b.PerSample && b.Kind != Activation {
		c.fail("PerSample is %v for a %v", b.PerSample, b.Kind)
	}
	if b.PerSample && b.Rows != c.p.Batch {
		c.fail("%d rows for Batch %d", b.Rows, c.p.Batch)
	}
	if b.Kind == Target && b.Cols != 1 {
		c.fail("a Target has 1 column, not %d", b.Cols)
	}
	switch {
	case bound && b.Offset != -1:
		c.fail("Offset is %d, but a %v has no place in the arena: want -1", b.Offset, b.Kind)
	case bound:
	case b.Offset < 0 || b.Offset%Alignment != 0:
		c.fail("Offset %d is not a multiple of %d", b.Offset, Alignment)
	case b.Offset > c.p.ArenaLen-b.Len():
		c.fail("place %d to %d is outside the arena of %d", b.Offset, b.Offset+b.Len(), c.p.ArenaLen)
	}
}

// standing proves that every buffer that outlives a step has its place alone;
// activations may share among each other, which lifetimes proves.
func (c *checker) standing() {
	byPlace := c.placed(func(Buffer) bool { return true })
	c.where = ""
	var end [2]Buf // the furthest-reaching buffer so far: [0] any, [1] standing
	end[0], end[1] = None, None
	for _, i := range byPlace {
		b := c.p.Buffers[i]
		clash := end[0]
		if b.Kind == Activation {
			clash = end[1]
		}
		if clash != None && c.end(clash) > b.Offset {
			c.fail("buffers %q and %q share place %d of the arena", c.p.Buffers[clash].Name, b.Name, b.Offset)
		}
		for k := range end {
			if (k == 0 || b.Kind != Activation) && (end[k] == None || c.end(i) > c.end(end[k])) {
				end[k] = i
			}
		}
	}
}

func (c *checker) end(b Buf) int { return c.p.Buffers[b].Offset + c.p.Buffers[b].Len() }

// placed lists the buffers in the arena that satisfy keep, by offset.
func (c *checker) placed(keep func(Buffer) bool) []Buf {
	var list []Buf
	for i, b := range c.p.Buffers {
		if b.Offset >= 0 && keep(b) {
			list = append(list, Buf(i))
		}
	}
	slices.SortStableFunc(list, func(a, b Buf) int { return c.p.Buffers[a].Offset - c.p.Buffers[b].Offset })
	return list
}

// list checks one list of instructions, then the lifetimes of its activations.
// output, where it is not None, is read after the last instruction.
func (c *checker) list(name string, list []Instruction, output Buf) {
	span := newSpans(len(c.p.Buffers))
	losses := 0
	for i, in := range list {
		c.where = fmt.Sprintf("%s[%d] %s", name, i, opName(in))
		c.operands(in)
		if c.err != nil {
			return
		}
		if name == "score" && !scores(in) {
			c.fail("only Corrupt, Dense and Norm can score")
		}
		if _, ok := in.(Loss); ok {
			losses++
		}
		c.rules(in, list[:i])
		c.order(in, i, &span)
	}
	c.where = name
	if name == "train" && len(list) > 0 && losses != 1 {
		c.fail("%d Loss instructions, want one", losses)
	}
	if name == "score" && len(list) > 0 {
		c.output(output, &span, len(list))
	}
	c.lifetimes(span)
	c.where = ""
}

func scores(in Instruction) bool {
	switch in.(type) {
	case Corrupt, Dense, Norm:
		return true
	}
	return false
}

// operands checks that each operand is a buffer and that none is written under
// another name of the same instruction.
func (c *checker) operands(in Instruction) {
	list := Operands(in)
	for i, o := range list {
		if o.Buf < 0 || int(o.Buf) >= len(c.p.Buffers) {
			c.fail("%s is buffer %d of %d", o.Field, o.Buf, len(c.p.Buffers))
			return
		}
		for _, other := range list[:i] {
			if other.Buf == o.Buf && (o.Access|other.Access)&Write != 0 {
				c.fail("%s and %s are both %q", other.Field, o.Field, c.p.Buffers[o.Buf].Name)
			}
		}
	}
}

func (c *checker) output(b Buf, span *spans, last int) {
	if b < 0 || int(b) >= len(c.p.Buffers) {
		c.fail("Output is buffer %d of %d", b, len(c.p.Buffers))
		return
	}
	buf := c.p.Buffers[b]
	if buf.Kind != Activation || !buf.PerSample || span.first[b] < 0 {
		c.fail("Output %q is no activation that score computes for each sample", buf.Name)
		return
	}
	span.last[b] = last
}

// streams proves that no two sites of Train draw the same random numbers.
func (c *checker) streams() {
	site := map[uint32]string{}
	for i, in := range c.p.Train {
		var e Epilogue
		switch in := in.(type) {
		case Dense:
			e = in.Epilogue
		case Norm:
			e = in.Epilogue
		case Corrupt:
			e = Epilogue{DropRate: max(in.Sigma, in.MaskRate), Stream: in.Stream}
		}
		if e.DropRate == 0 {
			continue
		}
		c.where = fmt.Sprintf("train[%d] %s", i, opName(in))
		if other, taken := site[e.Stream]; taken {
			c.fail("stream %d is also that of %s", e.Stream, other)
		}
		site[e.Stream] = c.where
	}
	c.where = ""
}
