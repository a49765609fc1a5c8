package cuda

import (
	"fmt"

	"flowbench/kernels"
)

// The structs of fleet.cu.

type fleetStep struct {
	step                        uint64
	first, n                    int32
	rate, corrected, correction float32
	order                       int32
}

type fleetLayer struct {
	in, out                            int32
	stride, gradStride, pitch          int32
	sharedW, sharedB, sharedY, sharedZ int32
	gradW, gradB                       int32
	w, b, dw, db, y, z, dy             int32
	m1w, m2w, m1b, m2b                 int32
	forward, backward                  int32
	decayW, decayB                     float32
	epilogue                           epilogue
}

type fleetTrial struct {
	x, targets, arena, grads, rows                                                           Pointer
	drawn                                                                                    [2]Pointer
	orders, steps, results, output                                                           Pointer
	loss                                                                                     lossRule
	seed                                                                                     uint64
	count, tile, layers, inputs, params, gradients                                           int32
	inputPitch                                                                               int32
	sharedInput, sharedClean, sharedLoss, sharedEnd                                          int32
	sharedLabels, sharedNext                                                                 int32
	keep                                                                                     int32
	noisy, corruptY, corruptInstruction, lossInstruction, clipInstruction, updateInstruction int32
	sigma, maskRate                                                                          float32
	stream                                                                                   uint32
	maxNorm                                                                                  float32
	rule                                                                                     updateRule
	layer                                                                                    [mostLayers]fleetLayer
}

type fleetArgs struct {
	trials          Pointer
	parts, reserved int32
}

// fleetPlan is a Program as fleet.cu wants it: a chain of dense layers, perhaps
// with a noisy input, a loss, perhaps clipping, and an update.
type fleetPlan struct {
	machine *machine
	program *kernels.Program
	trial   fleetTrial
	layout  layout
	grads   Pointer
	in      kernels.Loss
	clean   bool // the loss compares with the table, which noise has changed
}

func newFleetPlan(m *machine) (*fleetPlan, error) {
	if m.program.Precision != kernels.Float32 {
		return nil, fmt.Errorf("%w: its precision is %v", ErrNotForFleet, m.program.Precision)
	}
	p := &fleetPlan{machine: m, program: m.program}
	p.trial.arena, p.trial.drawn = m.arena, [2]Pointer{m.rows, m.rows + Pointer(4*m.program.Batch)}
	input := kernels.None // what the next layer must read
	for i, b := range m.program.Buffers {
		if b.Kind == kernels.Table {
			input, p.trial.inputs = kernels.Buf(i), int32(b.Cols)
		}
	}
	table := input
	for i, in := range m.program.Train {
		at := int32(i)
		ok := true
		switch in := in.(type) {
		case kernels.Corrupt:
			ok = in.X == table && p.trial.layers == 0
			input = in.Y
			p.corrupt(in, at)
		case kernels.Dense:
			ok = in.X == input && p.trial.layers < mostLayers
			input = in.Y
			if ok {
				p.dense(in, at)
			}
		case kernels.DenseGrad:
			ok = p.denseGrad(in, at, table)
		case kernels.Loss:
			ok = in.Pred == input && (in.Kind == kernels.BCE || in.Kind == kernels.SoftmaxCE || in.Target == table)
			p.in, p.trial.lossInstruction = in, at
			p.clean = p.trial.noisy != 0 && in.Target == table
		case kernels.ClipGradient:
			p.trial.maxNorm, p.trial.clipInstruction = in.MaxNorm, at
		case kernels.Update:
			p.update(in, at)
		default:
			ok = false
		}
		if !ok {
			return nil, fmt.Errorf("%w: instruction %d, %T, is not part of a chain of dense layers of at most %d", ErrNotForFleet, i, in, mostLayers)
		}
	}
	if p.trial.layers == 0 || p.at(m.program.Output) != p.trial.layer[p.trial.layers-1].y {
		return nil, fmt.Errorf("%w: its output is not that of its last layer", ErrNotForFleet)
	}
	return p, nil
}

// at is a buffer's place in the arena, -1 for None.
func (p *fleetPlan) at(b kernels.Buf) int32 {
	if b == kernels.None {
		return -1
	}
	return int32(p.program.Buffers[b].Offset)
}

func (p *fleetPlan) corrupt(in kernels.Corrupt, at int32) {
	t := &p.trial
	t.noisy, t.corruptY, t.corruptInstruction = 1, p.at(in.Y), at
	t.sigma, t.maskRate, t.stream = in.Sigma, in.MaskRate, in.Stream
}

func (p *fleetPlan) dense(in kernels.Dense, at int32) {
	l := &p.trial.layer[p.trial.layers]
	p.trial.layers++
	*l = fleetLayer{
		in: int32(p.program.Buffers[in.X].Cols), out: int32(p.program.Buffers[in.Y].Cols),
		w: p.at(in.W), b: p.at(in.B), dw: -1, db: -1, y: p.at(in.Y), z: p.at(in.Z), dy: -1,
		m1w: -1, m2w: -1, m1b: -1, m2b: -1,
		forward: at, epilogue: newEpilogue(in.Epilogue),
	}
}

// denseGrad matches a gradient with its layer; the first layer must not want one
// in its input.
func (p *fleetPlan) denseGrad(in kernels.DenseGrad, at int32, table kernels.Buf) bool {
	for i := range p.trial.layers {
		l := &p.trial.layer[i]
		if l.w == p.at(in.W) {
			l.dw, l.db, l.dy, l.backward = p.at(in.DW), p.at(in.DB), p.at(in.DY), at
			return (i > 0) == (in.DX != kernels.None)
		}
	}
	return false
}

func (p *fleetPlan) update(in kernels.Update, at int32) {
	p.trial.rule, p.trial.updateInstruction = newUpdateRule(in), at
	moment := func(list []kernels.Buf, i int) int32 {
		if i >= len(list) {
			return -1
		}
		return p.at(list[i])
	}
	for i, param := range in.Params {
		decay := float32(0)
		if in.Decay != nil && in.Decay[i] {
			decay = in.WeightDecay
		}
		for j := range p.trial.layers {
			l := &p.trial.layer[j]
			switch p.at(param) {
			case l.w:
				l.m1w, l.m2w, l.decayW = moment(in.M1, i), moment(in.M2, i), decay
			case l.b:
				l.m1b, l.m2b, l.decayB = moment(in.M1, i), moment(in.M2, i), decay
			}
		}
	}
}

// layout says what of a network is in shared memory beside the tile, and how.
type layout struct {
	tile           int32
	gradientsApart bool // in device memory
	firstApart     bool // so are the weights of the first layer, which only the way forward reads
	spreadWeights  bool // rows start apart in the banks, see pitch
	spreadOutputs  bool
}

// layouts are all that may be tried, the best first. Where the gradients are apart,
// all of them are read and written once a tile, which is then worth being large.
func layouts(yield func(layout) bool) {
	for _, l := range []struct {
		gradientsApart, firstApart bool
		tiles                      []int32
	}{
		{false, false, []int32{mostTile, 48, 32, 16, 8}},
		{true, false, []int32{mostTile, 48, 32}},
		{true, true, []int32{mostTile, 48, 32}},
		{true, false, []int32{16, 8}},
	} {
		for _, tile := range l.tiles {
			for spread := 2; spread >= 0; spread-- {
				if !yield(layout{tile, l.gradientsApart, l.firstApart, spread > 0, spread > 1}) {
					return
				}
			}
		}
	}
}

// place lays out shared memory of at most limit bytes: parameters, gradients if
// they fit, and as large a tile as does. Rows start apart in the banks where that
// makes no tile smaller. It returns the bytes.
func (p *fleetPlan) place(limit int) (int, error) {
	least := 0
	for l := range layouts {
		if first := p.trial.layer[0]; l.firstApart && (first.out%4 != 0 || first.w%4 != 0) {
			continue // four neighbours are moved at once
		}
		least = p.placeTile(l)
		if least <= limit {
			p.layout = l
			return p.placeNext(least, limit), nil
		}
	}
	return 0, fmt.Errorf("%w: parameters and the smallest tile need %d bytes of shared memory, the device gives a block %d",
		ErrNotForFleet, least, limit)
}

// pitch is how far apart rows of so many float32 start: at multiples of four, which
// are moved at once. Spread rows are apart by an odd number of these, so that eight
// of them lie in different banks: there are 32 of 4 bytes, and eight threads at a
// time are served where each asks for 16 (CUDA C++ Programming Guide, shared memory
// of compute capability 5.x and later).
func pitch(cols int32, spread bool) int32 {
	fours := (cols + 3) / 4
	if spread {
		fours |= 1
	}
	return 4 * fours
}

// placeParameters lays out parameters, and gradients, wherever these are. The first
// layer's weights are never read row beside row.
func (p *fleetPlan) placeParameters(how layout) {
	t := &p.trial
	t.params, t.gradients = 0, 0
	for i := range t.layers {
		l := &t.layer[i]
		l.stride, l.gradStride = pitch(l.out, how.spreadWeights && i > 0), pitch(l.out, false)
		l.sharedW, l.gradW, l.sharedB, l.gradB = t.params, t.gradients, -1, -1
		if i == 0 && how.firstApart {
			l.sharedW, l.stride = -1, l.out
		} else {
			t.params += l.in * l.stride
		}
		t.gradients += l.in * l.gradStride
		if l.b >= 0 {
			l.sharedB, l.gradB = t.params, t.gradients
			t.params += l.gradStride
			t.gradients += l.gradStride
		}
	}
}

func (p *fleetPlan) placeTile(how layout) int {
	t := &p.trial
	t.tile = how.tile
	p.placeParameters(how)
	end := t.params
	if !how.gradientsApart {
		end += t.gradients
	}
	take := func(pitch int32) int32 {
		at := end
		end += t.tile * pitch
		return at
	}
	t.inputPitch = pitch(t.inputs, false) // all lanes of a warp read one row
	t.sharedInput, t.sharedClean = take(t.inputPitch), -1
	if p.clean {
		t.sharedClean = take(t.inputPitch)
	}
	t.sharedLabels = -1
	if p.in.Kind == kernels.BCE || p.in.Kind == kernels.SoftmaxCE {
		t.sharedLabels = take(1)
	}
	for i := range t.layers {
		l := &t.layer[i]
		l.pitch = pitch(l.out, how.spreadOutputs)
		l.sharedY, l.sharedZ = take(l.pitch), -1
		if l.z >= 0 {
			l.sharedZ = take(l.pitch)
		}
	}
	t.sharedLoss = take(t.layer[t.layers-1].pitch)
	t.sharedEnd = end
	return int(4*t.sharedEnd) + 8*fleetThreads + 8
}

// placeNext finds room for the rows of the next tile, which are fetched while the
// first layer's gradient is computed: nobody reads by then what lies behind that
// layer's outputs, and where that is too little, there may be memory left. The size
// of the tile, which decides the order of sums, does not depend on it. It returns
// the bytes of the whole.
func (p *fleetPlan) placeNext(bytes, limit int) int {
	t := &p.trial
	t.sharedNext = t.sharedLoss
	if t.layers > 1 {
		t.sharedNext = t.layer[1].sharedY
	}
	end := max(t.sharedEnd, t.sharedNext+t.tile*t.inputPitch)
	more := int(4 * (end - t.sharedEnd))
	if bytes+more > limit {
		t.sharedNext = -1
		return bytes
	}
	t.sharedEnd = end
	return bytes + more
}

// rule is the loss with its weights on the device.
func (p *fleetPlan) rule(f *Fleet) (lossRule, error) {
	r := lossRule{
		kind: int32(p.in.Kind), cols: int32(p.program.Buffers[p.in.Pred].Cols), gamma: p.in.Gamma, delta: p.in.Delta,
	}
	if b := p.in.FeatureWeight; b != kernels.None {
		r.featureWeight = p.machine.arena + Pointer(4*p.at(b))
	}
	if len(p.in.ClassWeight) == 0 {
		return r, nil
	}
	var err error
	r.classWeight, err = upload(f, p.in.ClassWeight)
	return r, err
}
