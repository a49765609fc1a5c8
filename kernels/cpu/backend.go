// Package cpu runs Programs on the processor: in generated AVX2 or AVX-512
// assembly where there is some, in plain Go elsewhere. No cgo.
//
// A step runs in few phases. Instructions that need no more than their own
// samples (dense layers, layer norm, losses, and their gradients in the inputs)
// are fused: a thread takes a run of samples through all of them while they are
// in cache, adding up the gradients in the weights in a slot of its own
// (region.go). Slots are fixed by the size of the batch and merged in a fixed
// order, so the results are the same bits for any number of threads.
//
// At every level a routine equals a loop in Go that a reader can check against
// the definition in package kernels. The assembly multiplies and adds in one
// rounding, plain Go in two. AVX2 and AVX-512 give the same bits.
package cpu

import (
	"fmt"
	"runtime"

	"flowbench/kernels"
)

//go:generate go -C asm run . -out ../routines_amd64.s -stubs ../routines_amd64.go -other ../routines_other.go -pkg cpu

// New returns the backend at the fastest level that this processor has. A
// Machine uses as many threads as GOMAXPROCS allows when it is compiled.
func New() kernels.Backend { return backend{level: highest()} }

// Open is New at a level by name: "auto", or one of Levels. Its error says
// which levels there are.
func Open(simd string) (kernels.Backend, error) {
	l, err := parseLevel(simd)
	if err != nil {
		return nil, err
	}
	return backend{level: l}, nil
}

// WithThreads is Open for Machines of so many threads each, as several want that
// are used side by side. Results do not depend on the number.
func WithThreads(simd string, threads int) (kernels.Backend, error) {
	if threads < 1 {
		panic("cpu: a machine needs a thread")
	}
	l, err := parseLevel(simd)
	return backend{l, threads}, err
}

type backend struct {
	level   level
	threads int // of a Machine; 0 is GOMAXPROCS
}

// Name is "cpu/plain", "cpu/avx2" or "cpu/avx512".
func (b backend) Name() string { return "cpu/" + b.level.String() }

// Compile checks the Program, allocates its memory and starts the threads,
// which wait, without work, until Close. The Program must not change afterwards.
func (b backend) Compile(p *kernels.Program) (kernels.Machine, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	if p.Precision != kernels.Float32 {
		return nil, fmt.Errorf("cpu: the processor computes in fp32 alone, not in %v: set train.precision to fp32, or use --device cuda", p.Precision)
	}
	threads := b.threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	c := newCompiler(p, b.level)
	m := &machine{program: p, memory: c.memory, places: c.places}
	m.step.level, m.step.memory, m.step.apart = b.level, c.memory, c.places.perWorker
	m.train = c.phases("train", p.Train)
	m.score = c.phases("score", p.Score)
	if c.err != nil {
		return nil, c.err
	}
	m.classes = c.classes
	m.drawn.rows = make([]int32, p.Batch)
	m.step.partials = newPartials(c.sums, p.Batch)
	m.step.pool = newPool(threads, c.newWorker)
	return m, nil
}
