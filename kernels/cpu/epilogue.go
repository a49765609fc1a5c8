package cpu

import "flowbench/kernels"

// epilogue is y = dropout(f(z)) and its gradient, a slice at a time.
type epilogue struct{ kernels.Epilogue }

// forward fills y from z, which may be the same, and checks what it writes;
// first is the number of y's first element in the whole buffer (row·cols+col).
func (e *epilogue) forward(s *step, y, z []float32, first int) {
	ok := true
	switch {
	case e.Activation != kernels.Identity:
		ok = s.level.activate(e.Activation, y, z)
	case &y[0] != &z[0]:
		copy(y, z)
	}
	if s.training && e.DropRate > 0 {
		ok = e.drop(s, y, first)
	}
	if !ok {
		s.health.fail()
	}
}

// drop zeroes the elements that kernels.Keep drops and scales the others by
// 1/(1-rate), rounded once.
func (e *epilogue) drop(s *step, v []float32, first int) bool {
	return s.level.dropout(v, first, s.draws(keepDraw, e.Stream), e.DropRate, 1/(1-e.DropRate))
}

// backward turns the gradient in a slice of y into the gradient in z, in place,
// and checks it. z has no columns where the Program does not keep it.
func (e *epilogue) backward(s *step, dy []float32, ys, zs samples, sl *slice) {
	y := ys.rows(sl)
	switch {
	case e.Activation == kernels.ReLU:
		// A dropped element has y = 0, which its gradient sees all the same.
		if !s.level.reluGrad(dy, y, 1/(1-e.DropRate)) {
			s.health.fail()
		}
		return
	case e.DropRate > 0 && !e.drop(s, dy, sl.first*ys.cols):
		s.health.fail()
	}
	switch e.Activation {
	case kernels.Identity:
		return
	case kernels.GELU:
		y = zs.rows(sl)
	}
	if !s.level.activationGrad(e.Activation, dy, y, 1-e.DropRate) {
		s.health.fail()
	}
}
