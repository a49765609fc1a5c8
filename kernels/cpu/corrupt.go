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
	y := c.y.rows(sl)
	copy(y, c.x.rows(sl))
	if s.training && c.sigma > 0 {
		c.noise(s, y, sl.first*c.y.cols)
	}
	if s.training && c.mask > 0 {
		c.drop(s, y, sl.first*c.y.cols)
	}
	s.check(y)
}

// noise adds Sigma·ε; first is the number of y's first element in the buffer.
func (c *corrupt) noise(s *step, y []float32, first int) {
	for i := 0; i < len(y); {
		element := uint64(first + i)
		normal := kernels.NormalBlock(s.seed, s.number, c.stream, element/4)
		for lane := element % 4; lane < 4 && i < len(y); lane++ {
			y[i] += float32(c.sigma * normal[lane])
			i++
		}
	}
}

func (c *corrupt) drop(s *step, y []float32, first int) {
	for i := 0; i < len(y); {
		element := uint64(first + i)
		keep := kernels.KeepBlock(s.seed, s.number, c.stream, element/4, c.mask)
		for lane := element % 4; lane < 4 && i < len(y); lane++ {
			if !keep[lane] {
				y[i] = 0
			}
			i++
		}
	}
}
