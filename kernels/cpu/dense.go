package cpu

import "flowbench/kernels"

// dense is kernels.Dense. Before the activation it equals plainProduct plus the
// bias to the bit.
type dense struct {
	x, y, z  samples
	w, b     []float32
	in, out  int
	epilogue epilogue
}

func (c *compiler) dense(in kernels.Dense) op {
	d := &dense{
		x: c.samples(in.X), y: c.samples(in.Y), z: c.samples(in.Z),
		w: c.vector(in.W), b: c.vector(in.B),
		in: c.cols(in.X), out: c.cols(in.Y),
		epilogue: epilogue{in.Epilogue},
	}
	c.panels = max(c.panels, panels(d.out)*d.in)
	return d
}

func (d *dense) run(s *step) {
	pack(s.scratch.panels, d.w, d.in, d.out)
	n := len(s.rows)
	s.pool.run(s, d, blocks(n, productRows)*blocks(d.out, productCols), n*d.in*d.out)
}

func (d *dense) cell(s *step, index int) {
	i0, i1, j0, j1 := cellOf(index, len(s.rows), d.out, productRows, productCols)
	product(s, d.y, d.x, s.scratch.panels, i0, i1, j0, j1)
	for i := i0; i < i1; i++ {
		y := d.y.row(s, i)[j0:j1]
		if d.b != nil {
			add(y, d.b[j0:j1])
		}
		if d.z.cols > 0 {
			z := d.z.row(s, i)[j0:j1]
			copy(z, y)
			s.health.check(z)
		}
		d.epilogue.forward(s, y, i*d.out+j0)
		s.health.check(y)
	}
}

// add adds b to y, element by element.
func add(y, b []float32) {
	b = b[:len(y)]
	for i := range y {
		y[i] += b[i]
	}
}
