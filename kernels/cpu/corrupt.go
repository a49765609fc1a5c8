package cpu

import "flowbench/kernels"

// corrupt is kernels.Corrupt. A masked element is 0 whatever X holds.
type corrupt struct {
	x, y   samples
	sigma  float32
	mask   float32
	stream uint32
}

func (c *compiler) corrupt(in kernels.Corrupt) *corrupt {
	return &corrupt{x: c.samples(in.X), y: c.samples(in.Y), sigma: in.Sigma, mask: in.MaskRate, stream: in.Stream}
}

// corruptCost is what an element costs in multiply-adds: a normal number.
const corruptCost = 64

func (c *corrupt) slice(s *step, sl *slice) {
	y, first := c.y.rows(sl), sl.first*c.y.cols
	copy(y, c.x.rows(sl))
	noisy, masked := s.training && c.sigma > 0, s.training && c.mask > 0
	ok := true
	if noisy {
		ok = s.level.noise(y, first, s.draws(normalDraw, c.stream), c.sigma)
	}
	if masked {
		ok = s.level.dropout(y, first, s.draws(keepDraw, c.stream), c.mask, 1)
	}
	if !noisy && !masked {
		ok = s.level.finite(y)
	}
	if !ok {
		s.health.fail()
	}
}
