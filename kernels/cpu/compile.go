package cpu

import (
	"fmt"

	"flowbench/kernels"
)

// compiler turns lists of instructions into phases and binds them to memory.
type compiler struct {
	program *kernels.Program
	level   level
	places  places
	memory  []float32
	classes int       // what the targets index, 0 where no loss reads a Target
	sums    int       // float32 of all sums in a slot
	all     []sum     // of the region in hand
	packed  []*packed // of the list in hand
	widest  int       // columns of the widest buffer
	err     error
}

func newCompiler(p *kernels.Program, l level) *compiler {
	c := &compiler{program: p, level: l, places: place(p, p.Batch > keptRows && !crossesSamples(p))}
	c.memory = make([]float32, c.places.shared)
	for _, b := range p.Buffers {
		c.widest = max(c.widest, b.Cols)
	}
	return c
}

// crossesSamples is whether the Program has an instruction that needs the whole
// batch at once between its forward and its backward pass.
func crossesSamples(p *kernels.Program) bool {
	for _, list := range [][]kernels.Instruction{p.Train, p.Score} {
		for _, in := range list {
			if n, ok := in.(kernels.Norm); ok && n.Kind == kernels.BatchNorm {
				return true
			}
		}
	}
	return false
}

// newWorker is what one thread needs for the Program.
func (c *compiler) newWorker() *worker {
	w := &worker{memory: make([]float32, c.places.each)}
	if c.level == plain {
		w.transposed = make([]float32, sliceRows*c.widest)
		w.panels = make([][plainWidth]float32, sliceRows*blocks(c.widest, plainWidth))
	}
	return w
}

// phase is a part of a step that all threads finish before the next begins.
type phase interface{ run(s *step) }

// entry is a phase with the instructions that it computes, for the search for a fault.
type entry struct {
	phase
	instructions []kernels.Instruction
}

// list is a list of instructions on its way to phases.
type list struct {
	*compiler
	phases []entry
	region *region // the last phase, if stages may still be added to it
}

// phases compiles a list. The weights are packed first, the Table is gathered by
// the first region; what Score leaves behind is handed over by the last.
func (c *compiler) phases(name string, instructions []kernels.Instruction) []entry {
	if len(instructions) == 0 {
		return nil
	}
	c.packed = nil
	packing := &packing{}
	l := &list{compiler: c, phases: []entry{{phase: packing}}}
	l.stage(c.gather(), nil, 1)
	for i, in := range instructions {
		if !l.instruction(in) && c.err == nil {
			c.err = fmt.Errorf("cpu: %s[%d]: this backend has no instruction %T", name, i, in)
		}
	}
	if name == "score" {
		l.stage(&deliver{c.samples(c.program.Output)}, nil, 1)
	}
	l.close()
	packing.add(c.packed)
	return l.phases
}

// stage adds a stage; operations is its cost a sample, in multiply-adds.
func (l *list) stage(st stage, in kernels.Instruction, operations int) {
	if l.region == nil {
		l.region = &region{}
		l.phases = append(l.phases, entry{phase: l.region})
	}
	l.region.stages = append(l.region.stages, st)
	l.region.operations += operations
	l.name(in)
}

// add adds a phase of its own.
func (l *list) add(p phase, in kernels.Instruction) {
	l.close()
	l.phases = append(l.phases, entry{phase: p})
	l.name(in)
}

// name notes that the last phase computes in.
func (l *list) name(in kernels.Instruction) {
	if in != nil {
		last := &l.phases[len(l.phases)-1]
		last.instructions = append(last.instructions, in)
	}
}

// close ends a region: its sums are collected before anything else happens.
func (l *list) close() {
	if l.region == nil {
		return
	}
	r, at := l.region, len(l.phases)-1
	l.region = nil
	if len(l.all) > 0 {
		r.sumFrom, r.sumEnd = l.all[0].offset, l.sums
	}
	c := newCollect(l.all)
	l.all = nil
	if len(c.cells) > 0 {
		l.phases = append(l.phases, entry{phase: c, instructions: l.phases[at].instructions})
	}
}

func (l *list) instruction(in kernels.Instruction) bool {
	switch in := in.(type) {
	case kernels.Corrupt:
		l.stage(l.corrupt(in), in, l.cols(in.Y)*corruptCost)
	case kernels.Dense:
		l.stage(l.dense(in), in, l.cols(in.X)*l.cols(in.Y))
	case kernels.DenseGrad:
		l.stage(l.denseGrad(in), in, 2*l.cols(in.X)*l.cols(in.Y))
	case kernels.Norm:
		l.norm(in)
	case kernels.NormGrad:
		l.normGrad(in)
	case kernels.Loss:
		l.stage(l.loss(in), in, l.cols(in.Pred)*lossCost)
	case kernels.ClipGradient:
		l.add(l.clip(in), in)
	case kernels.Update:
		l.add(l.update(in), in)
	default:
		return false
	}
	return true
}

// vector is the memory of a buffer that is not one row a sample; nil for None.
func (c *compiler) vector(b kernels.Buf) []float32 {
	if b == kernels.None {
		return nil
	}
	from := c.places.offset[b]
	end := from + c.program.Buffers[b].Len()
	return c.memory[from:end:end]
}

// samples is a buffer with one row a sample; for the Table it is the rows that
// gather has copied, for None it has no columns.
func (c *compiler) samples(b kernels.Buf) samples {
	if b == kernels.None {
		return samples{}
	}
	buf := c.program.Buffers[b]
	if buf.Kind == kernels.Table {
		return samples{c.places.gathered, buf.Cols}
	}
	return samples{c.places.offset[b], buf.Cols}
}

func (c *compiler) vectors(list []kernels.Buf) [][]float32 {
	v := make([][]float32, len(list))
	for i, b := range list {
		v[i] = c.vector(b)
	}
	return v
}

func (c *compiler) cols(b kernels.Buf) int { return c.program.Buffers[b].Cols }
