package cuda

import (
	"maps"
	"slices"

	"flowbench/kernels"
)

// The gradients of dense layers, and what is made of all gradients. A weight's
// gradient is computed in parts, each from a run of samples, so that a small network
// keeps a device busy; the first launch that reads it adds them up.

const (
	// A part has at least so many samples: four times the depth of a tile, so that
	// its operands come while others are added.
	leastSamples = 64
	// and at most so many: a float32 sum of more has an error that shows.
	mostSamples = 1024
	// As few samples as give a launch so many blocks; an H200 has 132 multiprocessors,
	// each with room for a few.
	enoughBlocks = 512
)

// partSamples is the samples of a part of the gradient of an in×out weight. It
// decides the order of sums, and must not depend on the device.
func partSamples(in, out, batch int) int {
	tiles := count(tiles(in, out, largeTile))
	samples := leastSamples
	for samples < mostSamples && tiles*blocks(batch, samples) > enoughBlocks {
		samples *= 2
	}
	return samples
}

// parts is where the parts of a weight's and a bias's gradient are.
type parts struct {
	at                           Pointer
	stride, samples, instruction int32
}

// below is Below in dense_grad.cu.
type below struct {
	y, z            matrix
	epilogue        epilogue
	there, reserved int32
}

type denseGradArgs struct {
	control                Pointer
	x, dy, dx              matrix
	w, parts               Pointer
	below                  below
	instruction, precision int32
	samples, inputTiles    int32
	bias, tile             int32
}

func (c *compiler) denseGrad(in kernels.DenseGrad) error {
	batch := c.program.Batch
	a := denseGradArgs{
		control: c.control, x: c.matrix(in.X), dy: c.matrix(in.DY), dx: c.matrix(in.DX), w: c.pointer(in.W),
		instruction: int32(c.instruction), precision: int32(c.program.Precision),
	}
	columns, outs := int(a.x.cols), int(a.dy.cols)
	if !c.outerDone {
		c.outer(in.Epilogue, normArgs{
			control: c.control, y: c.matrix(in.Y), z: c.matrix(in.Z), dy: a.dy,
			epilogue: newEpilogue(in.Epilogue), instruction: a.instruction,
		})
	}
	runs, err := c.partsOf(in, &a)
	if err != nil {
		return err
	}
	inputs := func(int) int { return 0 }
	if in.DX != kernels.None {
		inputs = func(size int) int { return count(tiles(batch, columns, size)) }
		a.below = c.below(in.DX)
	}
	c.outerDone = a.below.there != 0
	grid := func(size int) int { return inputs(size) + count(tiles(columns, outs, size))*runs }
	size := tileSize(grid(largeTile))
	a.tile, a.inputTiles = int32(size), int32(inputs(size))
	launch(c, "dense_grad", [3]int{grid(size), 1, 1}, tileThreads, tileBytes(size), a)
	return nil
}

// partsOf gets the memory of a gradient's parts, which somebody must add up, and
// returns how many there are.
func (c *compiler) partsOf(in kernels.DenseGrad, a *denseGradArgs) (int, error) {
	columns, outs := int(a.x.cols), int(a.dy.cols)
	samples := partSamples(columns, outs, c.program.Batch)
	runs := blocks(c.program.Batch, samples)
	at, err := c.zeroed(4 * runs * (columns + 1) * outs)
	if err != nil {
		return 0, err
	}
	a.parts, a.samples = at, int32(samples)
	p := parts{at: at, stride: int32((columns + 1) * outs), samples: a.samples, instruction: a.instruction}
	c.unsummed[in.DW] = p
	if in.DB != kernels.None {
		a.bias = 1
		p.at += Pointer(4 * columns * outs)
		c.unsummed[in.DB] = p
	}
	return runs, nil
}

// below is the layer whose gradient comes next and has dx as its dy, if there is one
// and it has an epilogue.
func (c *compiler) below(dx kernels.Buf) below {
	if c.instruction+1 == len(c.program.Train) {
		return below{}
	}
	next, ok := c.program.Train[c.instruction+1].(kernels.DenseGrad)
	if !ok || next.DY != dx || isIdentity(next.Epilogue) {
		return below{}
	}
	return below{y: c.matrix(next.Y), z: c.matrix(next.Z), epilogue: newEpilogue(next.Epilogue), there: 1}
}

// span is a run of elements of one parameter.
type span struct {
	p, g, m1, m2          Pointer
	parts                 Pointer
	n                     int32
	decay                 float32
	stride, samples       int32
	instruction, reserved int32
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
	sequence             sequence
	spans, squares, norm Pointer
	rule                 updateRule
	count, instruction   int32
	maxNorm              float32
	ends                 int32
}

const (
	updateThreads = 256                     // of update.cu
	clipBytes     = 8 * (updateThreads + 1) // ClipMemory of update.cu
)

// spanSize is the elements of a block of update.cu: one a thread while that fills
// the device, else four.
func spanSize(elements int) int {
	if blocks(elements, updateThreads) <= enoughBlocks {
		return updateThreads
	}
	return 4 * updateThreads
}

// spans shares out gradients among blocks. whole is the rest of what a block must
// know of the i-th. Whose parts are not added up yet has them with it, and they are then.
func (c *compiler) spans(grads []kernels.Buf, whole func(i int) span) []span {
	elements := 0
	for _, g := range grads {
		elements += c.program.Buffers[g].Len()
	}
	size, list := spanSize(elements), []span{}
	for i, g := range grads {
		s, p := whole(i), c.unsummed[g]
		delete(c.unsummed, g)
		s.g, s.stride, s.samples, s.instruction = c.pointer(g), p.stride, p.samples, p.instruction
		for from, n := 0, c.program.Buffers[g].Len(); from < n; from += size {
			list = append(list, span{
				p: after(s.p, from), g: after(s.g, from), m1: after(s.m1, from), m2: after(s.m2, from),
				parts: after(p.at, from), n: int32(min(size, n-from)), decay: s.decay,
				stride: s.stride, samples: s.samples, instruction: s.instruction,
			})
		}
	}
	return list
}

// after is the place of so many float32 after p, which may be 0 for none.
func after(p Pointer, elements int) Pointer {
	if p == 0 {
		return 0
	}
	return p + Pointer(4*elements)
}

func (c *compiler) update(in kernels.Update) error {
	c.optimizer = in
	at := func(bufs []kernels.Buf, i int) Pointer {
		if i >= len(bufs) {
			return 0
		}
		return c.pointer(bufs[i])
	}
	list := c.spans(in.Grads, func(i int) span {
		s := span{p: c.pointer(in.Params[i]), m1: at(in.M1, i), m2: at(in.M2, i)}
		if in.Decay != nil && in.Decay[i] {
			s.decay = in.WeightDecay
		}
		return s
	})
	return c.updateSpans(list, newUpdateRule(in), c.instruction+1 == len(c.program.Train) && len(c.unsummed) == 0)
}

// endTrain ends the step where no Update does, and adds up the gradients that nobody
// has read.
func (c *compiler) endTrain() error {
	n := len(c.program.Train)
	if _, ok := c.program.Train[n-1].(kernels.Update); ok && len(c.unsummed) == 0 {
		return nil
	}
	c.instruction = n
	left := slices.Sorted(maps.Keys(c.unsummed))
	return c.updateSpans(c.spans(left, func(int) span { return span{} }), updateRule{}, true)
}

// updateSpans adds the launch that updates parameters and, if ends, ends the step.
func (c *compiler) updateSpans(list []span, rule updateRule, ends bool) error {
	spans, err := constant(c, list)
	if err != nil {
		return err
	}
	a := updateArgs{sequence: c.sequence, spans: spans, rule: rule, count: int32(len(list)), instruction: int32(c.instruction)}
	grid := len(list)
	if ends {
		a.ends = 1
		grid += int(c.sequence.drawers)
	}
	launch(c, "update", [3]int{grid, 1, 1}, updateThreads, 4, a)
	return nil
}

func (c *compiler) clip(in kernels.ClipGradient) error {
	list := c.spans(in.Grads, func(int) span { return span{} })
	spans, err := constant(c, list)
	if err != nil {
		return err
	}
	sums, err := c.zeroed(8 * (len(list) + 1))
	if err != nil {
		return err
	}
	a := updateArgs{
		sequence: c.sequence, spans: spans, norm: sums, squares: sums + 8, count: int32(len(list)), maxNorm: in.MaxNorm,
		instruction: int32(c.instruction),
	}
	launch(c, "clip_squares", [3]int{len(list), 1, 1}, updateThreads, clipBytes, a)
	launch(c, "clip_scale", [3]int{len(list), 1, 1}, updateThreads, 0, a)
	return nil
}
