package cpu

import "flowbench/kernels"

// denseGrad is kernels.DenseGrad: DY becomes DZ, then DW, DB and DX follow from
// it. They equal plainWeightGrad, plainColumnSums and plainInputGrad to the bit.
type denseGrad struct {
	x, y, z, dy, dx samples
	w, dw, db       []float32
	in, out         int
	epilogue        epilogue
	prepare         denseGradPrepare
	sums            denseGradSums
	inputs          denseGradInputs
}

func (c *compiler) denseGrad(in kernels.DenseGrad) op {
	d := &denseGrad{
		x: c.samples(in.X), y: c.samples(in.Y), z: c.samples(in.Z),
		dy: c.samples(in.DY), dx: c.samples(in.DX),
		w: c.vector(in.W), dw: c.vector(in.DW), db: c.vector(in.DB),
		in: c.cols(in.X), out: c.cols(in.Y),
		epilogue: epilogue{in.Epilogue},
	}
	d.prepare.denseGrad, d.sums.denseGrad, d.inputs.denseGrad = d, d, d
	height := blocks(c.program.Batch, sumBlock) * sumBlock
	c.gradPanels = max(c.gradPanels, height*panels(d.out))
	c.transposed = max(c.transposed, height*d.in)
	c.panels = max(c.panels, panels(d.in)*d.out)
	return d
}

func (d *denseGrad) run(s *step) {
	n := len(s.rows)
	s.pool.run(s, &d.prepare, blocks(n, sumBlock), n*(d.in+4*d.out))
	s.pool.run(s, &d.sums, blocks(d.in, sumRows)*blocks(d.out, sumCols), n*d.in*d.out)
	if d.dx.cols > 0 {
		packTransposed(s.scratch.panels, d.w, d.in, d.out)
		s.pool.run(s, &d.inputs, blocks(n, productRows)*blocks(d.in, productCols), n*d.in*d.out)
	}
}

// denseGradPrepare turns a block of DY into DZ and packs it, and the inputs of
// the same samples, for the sums over samples.
type denseGradPrepare struct{ *denseGrad }

func (d *denseGradPrepare) cell(s *step, block int) {
	i0 := block * sumBlock
	i1 := min(i0+sumBlock, len(s.rows))
	packed := s.scratch.gradPanels[i0*panels(d.out):]
	transposed := s.scratch.transposed[i0*d.in:]
	for i := i0; i < i1; i++ {
		dz := d.dy.row(s, i)
		var z []float32
		if d.z.cols > 0 {
			z = d.z.row(s, i)
		}
		d.epilogue.backward(s, dz, d.y.row(s, i), z, i*d.out)
		s.health.check(dz)
		at := i - i0
		for len(dz) >= panelWidth {
			packed[at] = [panelWidth]float32(dz)
			dz, at = dz[panelWidth:], at+sumBlock
		}
		if len(dz) > 0 {
			packed[at] = [panelWidth]float32{}
			copy(packed[at][:], dz)
		}
		at = i - i0
		for _, v := range d.x.row(s, i) {
			transposed[at] = v
			at += sumBlock
		}
	}
}

// denseGradSums is a cell of DW, and of DB where the cell is in the first row.
type denseGradSums struct{ *denseGrad }

func (d *denseGradSums) cell(s *step, index int) {
	k0, k1, j0, j1 := cellOf(index, d.in, d.out, sumRows, sumCols)
	for k := k0; k < k1; k++ {
		clear(d.dw[k*d.out+j0 : k*d.out+j1])
	}
	bias := d.db != nil && k0 == 0
	if bias {
		clear(d.db[j0:j1])
	}
	for i0 := 0; i0 < len(s.rows); i0 += sumBlock {
		n := min(sumBlock, len(s.rows)-i0)
		for j := j0; j < j1; j += panelWidth {
			panel := s.scratch.gradPanels[i0*panels(d.out)+j/panelWidth*sumBlock:][:n]
			d.tiles(s.scratch.transposed[i0*d.in:], panel, k0, k1, j, j1)
			if bias {
				sumPanel(d.db[j:j1], panel)
			}
		}
	}
	for k := k0; k < k1; k++ {
		s.health.check(d.dw[k*d.out+j0 : k*d.out+j1])
	}
	if bias {
		s.health.check(d.db[j0:j1])
	}
}

// tiles continues the sums of rows k0 to k1 and the panel at column j by a block of samples.
func (d *denseGradSums) tiles(transposed []float32, panel [][panelWidth]float32, k0, k1, j, j1 int) {
	for k := k0; k < k1; k++ {
		dw := d.dw[k*d.out+j : k*d.out+j1]
		var sum [panelWidth]float32
		copy(sum[:], dw)
		a, b, c, e := dot4(sum[0], sum[1], sum[2], sum[3], transposed[k*sumBlock:][:len(panel)], panel)
		store(dw, a, b, c, e)
	}
}

// sumPanel adds the rows of panel to dst.
func sumPanel(dst []float32, panel [][panelWidth]float32) {
	var sum [panelWidth]float32
	copy(sum[:], dst)
	a, b, c, d := sum[0], sum[1], sum[2], sum[3]
	for i := range panel {
		a += panel[i][0]
		b += panel[i][1]
		c += panel[i][2]
		d += panel[i][3]
	}
	store(dst, a, b, c, d)
}

// denseGradInputs is a cell of DX.
type denseGradInputs struct{ *denseGrad }

func (d *denseGradInputs) cell(s *step, index int) {
	i0, i1, k0, k1 := cellOf(index, len(s.rows), d.in, productRows, productCols)
	product(s, d.dx, d.dy, s.scratch.panels, i0, i1, k0, k1)
	for i := i0; i < i1; i++ {
		s.health.check(d.dx.row(s, i)[k0:k1])
	}
}
