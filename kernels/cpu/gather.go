package cpu

import "flowbench/kernels"

// gather copies the slice's rows of the Table, and their targets, next to each
// other: every later use reads them in order. It asks for the next slice's rows
// meanwhile, so that they are on their way while this slice is computed.
type gather struct {
	samples
	targets samples // no columns where no loss reads any
}

func (c *compiler) gather() *gather {
	g := &gather{samples: samples{offset: c.places.gathered}}
	for _, b := range c.program.Buffers {
		switch b.Kind {
		case kernels.Table:
			g.cols = b.Cols
		case kernels.Target:
			g.targets = samples{c.places.targets, 1}
		}
	}
	return g
}

func (g *gather) slice(s *step, sl *slice) {
	rows := s.rows[sl.first : sl.first+sl.n]
	dst := g.rows(sl)
	for i, r := range rows {
		at := int(r) * g.cols
		copy(dst[i*g.cols:(i+1)*g.cols], s.x[at:at+g.cols])
	}
	if s.training && g.targets.cols > 0 {
		y := g.targets.rows(sl)
		for i, r := range rows {
			y[i] = s.targets[r]
		}
	}
	end := min(sl.first+2*sl.n, len(s.rows))
	s.level.prefetch(s.x, s.rows[sl.first+sl.n:end], g.cols)
}

// deliver hands over what scoring leaves behind.
type deliver struct{ samples }

func (d *deliver) slice(s *step, sl *slice) {
	copy(s.output[sl.first*d.cols:], d.rows(sl))
}
