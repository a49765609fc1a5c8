package graph

import (
	"cmp"
	"slices"

	"flowbench/kernels"
)

// span is when a buffer is in use: from its first to its last instruction.
// A buffer that no instruction names has last < first.
type span struct{ first, last int }

func (s span) overlaps(t span) bool {
	return s.first <= s.last && t.first <= t.last && s.first <= t.last && t.first <= s.last
}

// spans are when each of n buffers is in use in the program. Every operand
// counts as in use, read or written: an instruction may touch its operands in
// any order.
func spans(program []kernels.Instruction, n int) []span {
	s := make([]span, n)
	for i := range s {
		s[i] = span{0, -1}
	}
	for at, in := range program {
		for _, o := range kernels.Operands(in) {
			if s[o.Buf].last < 0 {
				s[o.Buf].first = at
			}
			s[o.Buf].last = at
		}
	}
	return s
}

// plan gives every buffer but Table and Target its place. What outlives a step
// is laid out in order; activations follow, the largest first, each at the
// lowest place where no activation stands that is in use at the same time, in
// Train or in Score. The output is in use to the end of Score, and of Train too
// where keepOutput asks for it.
func plan(p *kernels.Program, keepOutput bool) {
	train, score := spans(p.Train, len(p.Buffers)), spans(p.Score, len(p.Buffers))
	score[p.Output].last = len(p.Score)
	if keepOutput {
		train[p.Output].last = len(p.Train)
	}
	end := 0
	var activations []int
	for i := range p.Buffers {
		switch b := &p.Buffers[i]; b.Kind {
		case kernels.Table, kernels.Target:
			b.Offset = -1
		case kernels.Activation:
			activations = append(activations, i)
		default:
			b.Offset = end
			end += aligned(b.Len())
		}
	}
	slices.SortStableFunc(activations, func(a, b int) int { return cmp.Compare(p.Buffers[b].Len(), p.Buffers[a].Len()) })
	p.ArenaLen = end
	for n, i := range activations {
		var taken []int // places that i must keep clear of
		for _, j := range activations[:n] {
			if train[i].overlaps(train[j]) || score[i].overlaps(score[j]) {
				taken = append(taken, j)
			}
		}
		p.Buffers[i].Offset = lowest(p.Buffers, taken, end, p.Buffers[i].Len())
		p.ArenaLen = max(p.ArenaLen, p.Buffers[i].Offset+aligned(p.Buffers[i].Len()))
	}
}

// lowest is the first offset from start with length clear of the taken buffers.
func lowest(buffers []kernels.Buffer, taken []int, start, length int) int {
	slices.SortFunc(taken, func(a, b int) int { return cmp.Compare(buffers[a].Offset, buffers[b].Offset) })
	for _, t := range taken {
		b := buffers[t]
		if start+length <= b.Offset {
			break
		}
		start = max(start, b.Offset+aligned(b.Len()))
	}
	return start
}

func aligned(n int) int {
	return (n + kernels.Alignment - 1) / kernels.Alignment * kernels.Alignment
}
