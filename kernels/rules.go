package kernels

import "slices"

// rules checks the kinds and shapes of one instruction's operands and its
// options; before is what the list holds ahead of it.
func (c *checker) rules(in Instruction, before []Instruction) {
	switch in := in.(type) {
	case Corrupt:
		c.corrupt(in)
	case Dense:
		c.dense(in)
	case DenseGrad:
		c.denseGrad(in, before)
	case Norm:
		c.norm(in)
	case NormGrad:
		c.normGrad(in, before)
	case Loss:
		c.loss(in)
	case ClipGradient:
		c.clip(in)
	case Update:
		c.update(in)
	default:
		c.fail("unknown instruction")
	}
}

// given fails where a needed operand is None; the other rules ignore None, so
// that they serve needed and optional operands alike.
func (c *checker) given(field string, b Buf) bool {
	if b == None {
		c.fail("%s is None", field)
	}
	return b != None
}

func (c *checker) kind(field string, b Buf, want ...Kind) {
	if b == None {
		return
	}
	if buf := c.p.Buffers[b]; !slices.Contains(want, buf.Kind) {
		c.fail("%s %q is a %v, want %v", field, buf.Name, buf.Kind, want)
	}
}

// sample checks a buffer with one row a sample. cols 0 means any width.
func (c *checker) sample(field string, b Buf, cols int, want ...Kind) {
	if b == None {
		return
	}
	c.kind(field, b, want...)
	buf := c.p.Buffers[b]
	if !buf.PerSample {
		c.fail("%s %q is not per sample", field, buf.Name)
	}
	if cols != 0 && buf.Cols != cols {
		c.fail("%s %q has %d columns, want %d", field, buf.Name, buf.Cols, cols)
	}
}

// shape checks a buffer that is the same for every sample.
func (c *checker) shape(field string, b Buf, rows, cols int, want ...Kind) {
	if b == None {
		return
	}
	c.kind(field, b, want...)
	buf := c.p.Buffers[b]
	if buf.PerSample || buf.Rows != rows || buf.Cols != cols {
		c.fail("%s %q is %d×%d (per sample: %v), want %d×%d", field, buf.Name, buf.Rows, buf.Cols, buf.PerSample, rows, cols)
	}
}

// within checks low <= x < high, which NaN fails.
func (c *checker) within(field string, x, low, high float32) {
	if !(x >= low && x < high) {
		c.fail("%s is %v, want at least %v and below %v", field, x, low, high)
	}
}

const infinite = 3.4e38 // beyond every sensible option, within float32

func (c *checker) corrupt(in Corrupt) {
	if !c.given("X", in.X) || !c.given("Y", in.Y) {
		return
	}
	c.sample("X", in.X, 0, Table, Activation)
	c.sample("Y", in.Y, c.p.Buffers[in.X].Cols, Activation)
	c.within("Sigma", in.Sigma, 0, infinite)
	c.within("MaskRate", in.MaskRate, 0, 1)
}

func (c *checker) epilogue(e Epilogue) {
	if e.Activation > Sigmoid {
		c.fail("unknown activation %d", e.Activation)
	}
	c.within("DropRate", e.DropRate, 0, 1)
}

func (c *checker) dense(in Dense) {
	if !c.given("X", in.X) || !c.given("W", in.W) || !c.given("Y", in.Y) {
		return
	}
	c.sample("X", in.X, 0, Table, Activation)
	out := c.p.Buffers[in.W].Cols
	c.shape("W", in.W, c.p.Buffers[in.X].Cols, out, Parameter, Constant)
	c.shape("B", in.B, 1, out, Parameter, Constant)
	c.sample("Y", in.Y, out, Activation)
	c.sample("Z", in.Z, out, Activation)
	c.epilogue(in.Epilogue)
}

func (c *checker) denseGrad(in DenseGrad, before []Instruction) {
	if !slices.ContainsFunc(before, func(i Instruction) bool {
		d, ok := i.(Dense)
		return ok && d.X == in.X && d.W == in.W && d.Y == in.Y && d.Z == in.Z && d.Epilogue == in.Epilogue
	}) {
		c.fail("no Dense before it has its X, W, Y, Z and Epilogue")
		return
	}
	if !c.given("DY", in.DY) || !c.given("DW", in.DW) {
		return
	}
	w := c.p.Buffers[in.W]
	c.sample("DY", in.DY, w.Cols, Activation)
	c.sample("DX", in.DX, w.Rows, Activation)
	c.shape("DW", in.DW, w.Rows, w.Cols, Gradient)
	c.shape("DB", in.DB, 1, w.Cols, Gradient)
	c.noGradientOf(in.X, in.DX)
	c.keepsZ(in.Epilogue, in.Z)
}

func (c *checker) keepsZ(e Epilogue, z Buf) {
	if e.Activation == GELU {
		c.given("Z (which GELU needs)", z)
	}
}

func (c *checker) norm(in Norm) {
	if !c.given("X", in.X) || !c.given("Gain", in.Gain) || !c.given("Bias", in.Bias) || !c.given("Y", in.Y) {
		return
	}
	cols := c.p.Buffers[in.X].Cols
	c.sample("X", in.X, 0, Table, Activation)
	c.shape("Gain", in.Gain, 1, cols, Parameter, Constant)
	c.shape("Bias", in.Bias, 1, cols, Parameter, Constant)
	c.sample("Y", in.Y, cols, Activation)
	c.sample("Z", in.Z, cols, Activation)
	c.sample("Hat", in.Hat, cols, Activation)
	c.invStd(in.Kind, in.InvStd, cols)
	c.shape("RunMean", in.RunMean, 1, cols, Statistic)
	c.shape("RunVar", in.RunVar, 1, cols, Statistic)
	batch := in.Kind == BatchNorm
	if (in.RunMean != None) != batch || (in.RunVar != None) != batch {
		c.fail("RunMean and RunVar belong to BatchNorm, and to it alone")
	}
	c.within("Epsilon", in.Epsilon, 0, infinite)
	if batch {
		c.within("Momentum", in.Momentum, 0, 1+1e-6)
	}
	c.epilogue(in.Epilogue)
}

func (c *checker) invStd(kind NormKind, b Buf, cols int) {
	switch kind {
	case LayerNorm:
		c.sample("InvStd", b, 1, Activation)
	case BatchNorm:
		c.shape("InvStd", b, 1, cols, Activation)
	default:
		c.fail("unknown norm kind %d", kind)
	}
}

func (c *checker) normGrad(in NormGrad, before []Instruction) {
	at := slices.IndexFunc(before, func(i Instruction) bool {
		n, ok := i.(Norm)
		return ok && n.Kind == in.Kind && n.Gain == in.Gain && n.Y == in.Y && n.Z == in.Z &&
			n.Hat == in.Hat && n.InvStd == in.InvStd && n.Epilogue == in.Epilogue
	})
	if at < 0 {
		c.fail("no Norm before it has its Kind, Gain, Y, Z, Hat, InvStd and Epilogue")
		return
	}
	if !c.given("Hat", in.Hat) || !c.given("InvStd", in.InvStd) || !c.given("DY", in.DY) ||
		!c.given("DGain", in.DGain) || !c.given("DBias", in.DBias) {
		return
	}
	cols := c.p.Buffers[in.Gain].Cols
	c.sample("DY", in.DY, cols, Activation)
	c.sample("DX", in.DX, cols, Activation)
	c.shape("DGain", in.DGain, 1, cols, Gradient)
	c.shape("DBias", in.DBias, 1, cols, Gradient)
	c.noGradientOf(before[at].(Norm).X, in.DX)
	c.keepsZ(in.Epilogue, in.Z)
}

func (c *checker) noGradientOf(x, dx Buf) {
	if c.p.Buffers[x].Kind == Table && dx != None {
		c.fail("DX %q is the gradient in a Table, want None", c.p.Buffers[dx].Name)
	}
}

func (c *checker) clip(in ClipGradient) {
	if len(in.Grads) == 0 {
		c.fail("Grads is empty")
	}
	for _, o := range Operands(in) {
		c.kind(o.Field, o.Buf, Gradient)
	}
	c.allGiven("Grads", in.Grads)
	if !(in.MaxNorm > 0) {
		c.fail("MaxNorm is %v, want above 0", in.MaxNorm)
	}
}

func (c *checker) allGiven(field string, list []Buf) {
	for i, b := range list {
		if b == None {
			c.fail("%s[%d] is None", field, i)
		}
	}
}
