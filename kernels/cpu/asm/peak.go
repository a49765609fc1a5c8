package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// chains is the number of independent sums of peak: a multiply-add takes four
// cycles and two begin in each, so that eight keep the units busy; there is room
// for more beside the operand, and the loop's own instructions cost less then.
func (s isa) chains() int {
	if s.wide {
		return 24
	}
	return 12
}

// peak writes the loop that a processor's limit is measured with: multiply-adds
// from registers to registers, none waiting for another.
func (s isa) peak() {
	s.function("peak", "x float32, turns int) float32",
		fmt.Sprintf("peak%s multiplies and adds in %d chains of registers and returns %d·turns·x².", s.suffix, s.chains(), s.chains()))
	operand := s.vector()
	VBROADCASTSS(address("x"), operand)
	turns := argument("turns")
	t := s.tile(1, s.chains())
	sums := t.sum[0]
	for _, sum := range sums {
		s.zero(sum)
	}
	Label("turn")
	for _, sum := range sums {
		VFMADD231PS(operand, operand, sum)
	}
	DECQ(turns)
	JNZ(LabelRef("turn"))
	for _, sum := range sums[1:] {
		VADDPS(sum, sums[0], sums[0])
	}
	Store(sums[0].AsX(), ReturnIndex(0))
	VZEROUPPER()
	RET()
}
