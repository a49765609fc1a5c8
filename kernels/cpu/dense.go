package cpu

import (
	"math"

	"flowbench/kernels"
)

// dense is kernels.Dense. Bias, ReLU and the check for NaN are part of the product.
type dense struct {
	x, y, z  samples
	w        *packed
	floor    float32
	epilogue epilogue
}

func (c *compiler) dense(in kernels.Dense) *dense {
	d := &dense{
		x: c.samples(in.X), y: c.samples(in.Y), z: c.samples(in.Z),
		w:        c.pack(c.vector(in.W), c.vector(in.B), c.cols(in.X), c.cols(in.Y), false),
		floor:    float32(math.Inf(-1)),
		epilogue: epilogue{in.Epilogue},
	}
	if in.Epilogue.Activation == kernels.ReLU && in.Z == kernels.None {
		d.floor = 0
		d.epilogue.Activation = kernels.Identity
	}
	return d
}

func (d *dense) slice(s *step, sl *slice) {
	y, z := d.y.rows(sl), d.y.rows(sl)
	if d.z.cols > 0 {
		z = d.z.rows(sl)
	}
	if !s.level.product(z, d.x.rows(sl), sl.n, d.w, d.floor) {
		s.health.fail()
	}
	d.epilogue.forward(s, y, z, sl.first*d.y.cols)
}

// denseGrad is kernels.DenseGrad: DY becomes DZ, then DX, and the slice's part of
// DW and DB, follow from it.
type denseGrad struct {
	x, y, z, dy, dx samples
	w               *packed // transposed
	dw, db          sum
	epilogue        epilogue
}

func (c *compiler) denseGrad(in kernels.DenseGrad) *denseGrad {
	d := &denseGrad{
		x: c.samples(in.X), y: c.samples(in.Y), z: c.samples(in.Z),
		dy: c.samples(in.DY), dx: c.samples(in.DX),
		dw:       c.sum(c.vector(in.DW), c.cols(in.X), c.cols(in.Y)),
		epilogue: epilogue{in.Epilogue},
	}
	if in.DB != kernels.None {
		d.db = c.vectorSum(c.vector(in.DB), c.cols(in.Y))
	}
	if in.DX != kernels.None {
		d.w = c.pack(c.vector(in.W), nil, c.cols(in.Y), c.cols(in.X), true)
	}
	return d
}

func (d *denseGrad) slice(s *step, sl *slice) {
	dz := d.dy.rows(sl)
	d.epilogue.backward(s, dz, d.y, d.z, sl)
	if d.w != nil && !s.level.product(d.dx.rows(sl), dz, sl.n, d.w, float32(math.Inf(-1))) {
		s.health.fail()
	}
	s.level.outer(d.dw.of(sl.partial), d.dw, d.x.rows(sl), dz, sl.n, sl.fresh, sl.worker)
	if d.db.cols > 0 {
		s.level.columnSums(d.db.of(sl.partial), d.db, dz, sl.n, sl.fresh)
	}
}
