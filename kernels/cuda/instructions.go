package cuda

import "flowbench/kernels"

// How each instruction becomes launches. The structs are the kernels' parameters.

const (
	tileSize    = 64                              // of product.cuh
	tileThreads = 256                             // of product.cuh
	tileBytes   = 2 * 2 * 16 * (tileSize + 4) * 4 // both operands, in two stages
	partSamples = 256                             // samples of a part of a weight's gradient
	spanSize    = 1024
)

// tiles is the grid of a kernel with one tile a block.
func tiles(rows, cols, depth int) [3]int {
	return [3]int{blocks(cols, tileSize), blocks(rows, tileSize), depth}
}

type corruptArgs struct {
	control         Pointer
	x, y            matrix
	sigma, maskRate float32
	stream          uint32
	instruction     int32
}

func (c *compiler) corrupt(in kernels.Corrupt) {
	y := c.matrix(in.Y)
	launch(c, "corrupt", elements(c.program.Batch*int(y.cols)), 256, 0, corruptArgs{
		control: c.control, x: c.matrix(in.X), y: y,
		sigma: in.Sigma, maskRate: in.MaskRate, stream: in.Stream, instruction: int32(c.instruction),
	})
}

type denseArgs struct {
	control                Pointer
	x, y, z                matrix
	w, b                   Pointer
	epilogue               epilogue
	instruction, precision int32
}

func (c *compiler) dense(in kernels.Dense) {
	y := c.matrix(in.Y)
	launch(c, "dense", tiles(c.program.Batch, int(y.cols), 1), tileThreads, tileBytes, denseArgs{
		control: c.control, x: c.matrix(in.X), y: y, z: c.matrix(in.Z),
		w: c.pointer(in.W), b: c.pointer(in.B),
		epilogue: newEpilogue(in.Epilogue), instruction: int32(c.instruction), precision: int32(c.program.Precision),
	})
}

type denseGradArgs struct {
	control              Pointer
	x, y, z, dy, dx      matrix
	w, dw, db, parts     Pointer
	epilogue             epilogue
	instruction, samples int32
	precision, reserved  int32
}

// partsLen is the bytes of the largest DenseGrad's parts.
func (c *compiler) partsLen() int {
	most := 0
	for _, in := range c.program.Train {
		if d, ok := in.(kernels.DenseGrad); ok {
			x, y := c.program.Buffers[d.X], c.program.Buffers[d.Y]
			most = max(most, blocks(c.program.Batch, partSamples)*(x.Cols+1)*y.Cols)
		}
	}
	return 4 * most
}

func (c *compiler) denseGrad(in kernels.DenseGrad) {
	batch := c.program.Batch
	a := denseGradArgs{
		control: c.control, x: c.matrix(in.X), y: c.matrix(in.Y), z: c.matrix(in.Z),
		dy: c.matrix(in.DY), dx: c.matrix(in.DX),
		w: c.pointer(in.W), dw: c.pointer(in.DW), db: c.pointer(in.DB), parts: c.parts,
		epilogue: newEpilogue(in.Epilogue), instruction: int32(c.instruction), samples: partSamples,
		precision: int32(c.program.Precision),
	}
	columns, outs := int(a.x.cols), int(a.y.cols)
	if in.Epilogue.Activation != kernels.Identity || in.Epilogue.DropRate > 0 {
		launch(c, "dense_grad_outer", elements(batch*outs), 256, 0, a)
	}
	if in.DX != kernels.None {
		launch(c, "dense_grad_input", tiles(batch, columns, 1), tileThreads, tileBytes, a)
	}
	launch(c, "dense_grad_parts", tiles(columns, outs, blocks(batch, partSamples)), tileThreads, tileBytes, a)
	launch(c, "dense_grad_sum", [3]int{blocks((columns+1)*outs, 256), 1, 1}, 256, 0, a)
}

type normArgs struct {
	control                       Pointer
	x, y, z, hat, dy, dx          matrix
	invStd, gain, bias            Pointer
	runMean, runVar, dgain, dbias Pointer
	mean, factor                  Pointer
	epilogue                      epilogue
	epsilon, momentum             float32
	instruction, reserved         int32
}

const (
	normWarps   = 8
	normThreads = 32 * normWarps
	normBytes   = 8 * normThreads
)

func (c *compiler) norm(in kernels.Norm) error {
	batch, cols := c.program.Batch, c.program.Buffers[in.Y].Cols
	a := normArgs{
		control: c.control, x: c.matrix(in.X), y: c.matrix(in.Y), z: c.matrix(in.Z), hat: c.matrix(in.Hat),
		invStd: c.pointer(in.InvStd), gain: c.pointer(in.Gain), bias: c.pointer(in.Bias),
		runMean: c.pointer(in.RunMean), runVar: c.pointer(in.RunVar),
		epilogue: newEpilogue(in.Epilogue), epsilon: in.Epsilon, momentum: in.Momentum, instruction: int32(c.instruction),
	}
	if in.Kind == kernels.LayerNorm {
		launch(c, "layer_norm", [3]int{blocks(batch, normWarps), 1, 1}, normThreads, 0, a)
		return nil
	}
	if err := c.columnMemory(&a, cols); err != nil {
		return err
	}
	launch(c, "batch_norm_columns", [3]int{blocks(cols, 32), 1, 1}, normThreads, normBytes, a)
	launch(c, "batch_norm_rows", elements(batch*cols), 256, 0, a)
	return nil
}

// columnMemory gets the two float64 a column that batch norm keeps between its kernels.
func (c *compiler) columnMemory(a *normArgs, cols int) (err error) {
	if a.mean, err = c.zeroed(8 * cols); err != nil {
		return err
	}
	a.factor, err = c.zeroed(8 * cols)
	return err
}

func (c *compiler) normGrad(in kernels.NormGrad) error {
	batch, cols := c.program.Batch, c.program.Buffers[in.Y].Cols
	a := normArgs{
		control: c.control, y: c.matrix(in.Y), z: c.matrix(in.Z), hat: c.matrix(in.Hat),
		dy: c.matrix(in.DY), dx: c.matrix(in.DX),
		invStd: c.pointer(in.InvStd), gain: c.pointer(in.Gain),
		dgain: c.pointer(in.DGain), dbias: c.pointer(in.DBias),
		epilogue: newEpilogue(in.Epilogue), instruction: int32(c.instruction),
	}
	if err := c.columnMemory(&a, cols); err != nil {
		return err
	}
	if in.Epilogue.Activation != kernels.Identity || in.Epilogue.DropRate > 0 {
		launch(c, "norm_outer", elements(batch*cols), 256, 0, a)
	}
	launch(c, "norm_sums", [3]int{blocks(cols, 32), 1, 1}, normThreads, normBytes, a)
	switch {
	case in.DX == kernels.None:
	case in.Kind == kernels.LayerNorm:
		launch(c, "layer_norm_grad", [3]int{blocks(batch, normWarps), 1, 1}, normThreads, 0, a)
	default:
		launch(c, "batch_norm_input", elements(batch*cols), 256, 0, a)
	}
	return nil
}

// lossRule is what kernels.Loss says beside its buffers, as kernels see it.
type lossRule struct {
	classWeight, featureWeight Pointer
	kind, cols                 int32
	gamma, delta               float32
}

func (c *compiler) lossRule(in kernels.Loss) (lossRule, error) {
	weight, err := constant(c, in.ClassWeight)
	return lossRule{
		classWeight: weight, featureWeight: c.pointer(in.FeatureWeight),
		kind: int32(in.Kind), cols: int32(c.program.Buffers[in.Pred].Cols), gamma: in.Gamma, delta: in.Delta,
	}, err
}

type lossArgs struct {
	control               Pointer
	pred, target, dpred   matrix
	rows, mean            Pointer
	rule                  lossRule
	instruction, reserved int32
}

func (c *compiler) loss(in kernels.Loss) error {
	batch := c.program.Batch
	rule, err := c.lossRule(in)
	if err != nil {
		return err
	}
	rows, err := c.zeroed(8 * batch)
	if err != nil {
		return err
	}
	a := lossArgs{
		control: c.control, pred: c.matrix(in.Pred), dpred: c.matrix(in.DPred),
		rows: rows, mean: c.mean, rule: rule, instruction: int32(c.instruction),
	}
	switch in.Kind {
	case kernels.BCE:
		c.classes = 2
	case kernels.SoftmaxCE:
		c.classes = int(a.pred.cols)
	default:
		a.target = c.matrix(in.Target)
	}
	launch(c, "loss_rows", [3]int{blocks(batch, 128), 1, 1}, 128, 0, a)
	launch(c, "loss_mean", [3]int{1, 1, 1}, 256, 256*8, a)
	return nil
}

// span is a run of elements of one parameter.
type span struct {
	p, g, m1, m2 Pointer
	n            int32
	decay        float32
}

// updateRule is what kernels.Update says beside its buffers, as kernels see it.
type updateRule struct {
	kind                            int32
	beta1, beta2, epsilon, momentum float32
	reserved                        int32
}

func newUpdateRule(in kernels.Update) updateRule {
	return updateRule{kind: int32(in.Kind), beta1: in.Beta1, beta2: in.Beta2, epsilon: in.Epsilon, momentum: in.Momentum}
}

type updateArgs struct {
	control, spans, squares Pointer
	rule                    updateRule
	count, instruction      int32
	maxNorm                 float32
	reserved                int32
}

func (c *compiler) spans(grads kernels.Buf, s span) []span {
	list := []span{}
	at := func(p Pointer, from int) Pointer {
		if p == 0 {
			return 0
		}
		return p + Pointer(4*from)
	}
	for from, n := 0, c.program.Buffers[grads].Len(); from < n; from += spanSize {
		list = append(list, span{
			p: at(s.p, from), g: at(s.g, from), m1: at(s.m1, from), m2: at(s.m2, from),
			n: int32(min(spanSize, n-from)), decay: s.decay,
		})
	}
	return list
}

func (c *compiler) update(in kernels.Update) error {
	c.optimizer = in
	var list []span
	at := func(bufs []kernels.Buf, i int) Pointer {
		if i >= len(bufs) {
			return 0
		}
		return c.pointer(bufs[i])
	}
	for i, g := range in.Grads {
		s := span{p: c.pointer(in.Params[i]), g: c.pointer(g), m1: at(in.M1, i), m2: at(in.M2, i)}
		if in.Decay != nil && in.Decay[i] {
			s.decay = in.WeightDecay
		}
		list = append(list, c.spans(g, s)...)
	}
	spans, err := constant(c, list)
	if err != nil {
		return err
	}
	launch(c, "update", [3]int{len(list), 1, 1}, 256, 0, updateArgs{
		control: c.control, spans: spans, rule: newUpdateRule(in), count: int32(len(list)), instruction: int32(c.instruction),
	})
	return nil
}

func (c *compiler) clip(in kernels.ClipGradient) error {
	var list []span
	for _, g := range in.Grads {
		list = append(list, c.spans(g, span{g: c.pointer(g)})...)
	}
	spans, err := constant(c, list)
	if err != nil {
		return err
	}
	squares, err := c.zeroed(8 * len(list))
	if err != nil {
		return err
	}
	a := updateArgs{
		control: c.control, spans: spans, squares: squares, count: int32(len(list)), maxNorm: in.MaxNorm,
		instruction: int32(c.instruction),
	}
	launch(c, "clip_squares", [3]int{len(list), 1, 1}, 256, 256*8, a)
	launch(c, "clip_scale", [3]int{len(list), 1, 1}, 256, 0, a)
	return nil
}
