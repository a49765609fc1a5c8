package cuda

import "flowbench/kernels"

// How each instruction becomes launches. The structs are the kernels' parameters.

// The tiles of product.cuh.
const (
	smallTile, largeTile = 32, 64
	tileThreads          = 256
	tileDepth            = 16
)

// tileBytes is TileMemory of product.cuh: the stages, and the rounded one.
func tileBytes(size int) int {
	stages := 4
	if size == smallTile {
		stages = 8
	}
	return 2 * tileDepth * 4 * (stages*(size+4) + size + 8)
}

// tiles is the tiles of a size that a matrix needs: across, down.
func tiles(rows, cols, size int) [3]int {
	return [3]int{blocks(cols, size), blocks(rows, size), 1}
}

// count is the blocks of a grid.
func count(grid [3]int) int { return grid[0] * grid[1] * grid[2] }

// enoughTiles gives each multiprocessor of an H200 one. Large tiles, whose elements
// cost less, are for where there are as many of them; small ones spread what there is.
const enoughTiles = 132

func tileSize(large int) int {
	if large >= enoughTiles {
		return largeTile
	}
	return smallTile
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
	tile, reserved         int32
}

func (c *compiler) dense(in kernels.Dense) {
	y := c.matrix(in.Y)
	size := tileSize(count(tiles(c.program.Batch, int(y.cols), largeTile)))
	launch(c, "dense", tiles(c.program.Batch, int(y.cols), size), tileThreads, tileBytes(size), denseArgs{
		control: c.control, x: c.matrix(in.X), y: y, z: c.matrix(in.Z),
		w: c.pointer(in.W), b: c.pointer(in.B),
		epilogue: newEpilogue(in.Epilogue), instruction: int32(c.instruction), precision: int32(c.program.Precision),
		tile: int32(size),
	})
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

// outer takes a.dy through the gradient of an epilogue, unless that is the identity.
func (c *compiler) outer(e kernels.Epilogue, a normArgs) {
	if isIdentity(e) {
		return
	}
	launch(c, "outer", elements(c.program.Batch*int(a.y.cols)), 256, 0, a)
}

// isIdentity is whether an epilogue leaves everything as it is.
func isIdentity(e kernels.Epilogue) bool { return e.Activation == kernels.Identity && e.DropRate == 0 }

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
	c.outer(in.Epilogue, a)
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
	control             Pointer
	pred, target, dpred matrix
	rows, mean, arrived Pointer
	rule                lossRule
	instruction, blocks int32
}

const (
	lossThreads = 128                   // of loss.cu, a row each
	wideRows    = 8                     // of loss.cu: the rows of a block where a warp has one
	lossBytes   = 8 * (lossThreads + 1) // LossMemory of loss.cu
)

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
	arrived, err := c.zeroed(4)
	if err != nil {
		return err
	}
	a := lossArgs{
		control: c.control, pred: c.matrix(in.Pred), dpred: c.matrix(in.DPred),
		rows: rows, mean: c.mean, arrived: arrived, rule: rule,
		instruction: int32(c.instruction), blocks: int32(blocks(batch, lossThreads)),
	}
	switch in.Kind {
	case kernels.BCE:
		c.classes = 2
	case kernels.SoftmaxCE:
		c.classes = int(a.pred.cols)
	default:
		a.target, a.blocks = c.matrix(in.Target), int32(blocks(batch, wideRows))
	}
	launch(c, "loss", [3]int{int(a.blocks), 1, 1}, lossThreads, lossBytes, a)
	return nil
}
