// Package cpu runs Programs on the processor in plain Go: no assembly, no cgo.
//
// Every instruction has its file, and in it a loop that a reader can check
// against the definition in package kernels. Products run over register tiles
// (tile.go) that equal the textbook loops (plain.go) to the bit. Work is split
// over a fixed grid whose cells no two threads share and no sum crosses, so the
// results are the same bits for any number of threads. From one processor
// architecture to another they may differ by the last bit of Go's exponential
// and logarithm, nowhere else: products are rounded before they are added.
package cpu

import (
	"fmt"
	"runtime"

	"flowbench/kernels"
)

// New returns the plain backend, "cpu/plain". A Machine uses as many threads as
// GOMAXPROCS allows when it is compiled.
func New() kernels.Backend { return backend{} }

type backend struct{}

func (backend) Name() string { return "cpu/plain" }

// Compile checks the Program, allocates its arena and scratch memory and starts
// the threads, which wait, without work, until Close. The Program must not
// change afterwards.
func (backend) Compile(p *kernels.Program) (kernels.Machine, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	c := compiler{program: p, arena: make([]float32, p.ArenaLen)}
	m := &machine{program: p, arena: c.arena}
	m.train = c.list("train", p.Train)
	m.score = c.list("score", p.Score)
	if c.err != nil {
		return nil, c.err
	}
	m.classes = c.classes
	m.step.scratch = c.scratch()
	m.step.pool = newPool(runtime.GOMAXPROCS(0))
	return m, nil
}

// compiler binds instructions to the arena and finds how much scratch they need.
type compiler struct {
	program *kernels.Program
	arena   []float32
	classes int // what the targets index, 0 where no loss reads a Target
	err     error

	panels, gradPanels, transposed int // the largest scratch an instruction needs
}

// op is an instruction bound to its memory.
type op interface{ run(*step) }

func (c *compiler) list(name string, list []kernels.Instruction) []op {
	ops := make([]op, 0, len(list))
	for i, in := range list {
		o := c.op(in)
		if o == nil && c.err == nil {
			c.err = fmt.Errorf("cpu: %s[%d]: this backend has no instruction %T", name, i, in)
		}
		ops = append(ops, o)
	}
	return ops
}

func (c *compiler) op(in kernels.Instruction) op {
	switch in := in.(type) {
	case kernels.Corrupt:
		return c.corrupt(in)
	case kernels.Dense:
		return c.dense(in)
	case kernels.DenseGrad:
		return c.denseGrad(in)
	case kernels.Norm:
		if in.Kind == kernels.LayerNorm {
			return c.layerNorm(in)
		}
		return c.batchNorm(in)
	case kernels.NormGrad:
		if in.Kind == kernels.LayerNorm {
			return c.layerNormGrad(in)
		}
		return c.batchNormGrad(in)
	case kernels.Loss:
		return c.loss(in)
	case kernels.ClipGradient:
		return c.clip(in)
	case kernels.Update:
		return c.update(in)
	}
	return nil
}

// vector is a buffer's memory; nil for None, the Table and the Target.
func (c *compiler) vector(b kernels.Buf) []float32 {
	if b == kernels.None {
		return nil
	}
	buf := c.program.Buffers[b]
	if buf.Offset < 0 {
		return nil
	}
	end := buf.Offset + buf.Len()
	return c.arena[buf.Offset:end:end]
}

// samples is a buffer with one row a sample; for None it has no columns.
func (c *compiler) samples(b kernels.Buf) samples {
	if b == kernels.None {
		return samples{}
	}
	return samples{data: c.vector(b), cols: c.program.Buffers[b].Cols}
}

func (c *compiler) vectors(list []kernels.Buf) [][]float32 {
	v := make([][]float32, len(list))
	for i, b := range list {
		v[i] = c.vector(b)
	}
	return v
}

func (c *compiler) cols(b kernels.Buf) int { return c.program.Buffers[b].Cols }

// scratch is memory that instructions use within their own run and share with
// one another: packed operands of the products.
type scratch struct {
	panels     [][4]float32 // weights in columns of four
	gradPanels [][4]float32 // gradients in columns of four
	transposed []float32    // inputs with samples running along rows
}

func (c *compiler) scratch() scratch {
	return scratch{
		panels:     make([][4]float32, c.panels),
		gradPanels: make([][4]float32, c.gradPanels),
		transposed: make([]float32, c.transposed),
	}
}
