package cuda

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"flowbench/kernels"
)

// Backend compiles Programs for one device. Machines of one Backend share what
// they bind, and take turns on the device.
type Backend struct {
	turn   sync.Mutex
	driver Driver
	tables map[*float32]*table
	lists  lists // that somebody holds
	tally  tally // of all Machines
}

// New returns the Backend of a device. The caller owns the Driver and closes it
// after the last Machine.
func New(d Driver) *Backend {
	return &Backend{driver: d, tables: map[*float32]*table{}, lists: lists{}}
}

// Name is "cuda/" and the device's name.
func (b *Backend) Name() string { return "cuda/" + b.driver.Device().Name }

// Record is what all Machines have launched so far, and on what.
func (b *Backend) Record() Record { return newRecord(b.driver.Device(), &b.tally) }

// Device is what it runs on.
func (b *Backend) Device() Device { return b.driver.Device() }

// Memory is how many bytes of the device's memory are free.
func (b *Backend) Memory() (int64, error) {
	b.turn.Lock()
	defer b.turn.Unlock()
	free, err := b.driver.Memory()
	return int64(free), err
}

// table is a bound matrix in device memory, and how many Machines have it bound.
type table struct {
	x, y  Pointer
	bound int
}

// bind copies d to the device, unless another Machine has it bound.
func (b *Backend) bind(d kernels.Data) (*table, error) {
	if t := b.tables[&d.X[0]]; t != nil && (t.y != 0 || d.Y == nil) {
		t.bound++
		return t, nil
	}
	t := &table{bound: 1}
	var err error
	if t.x, err = b.upload(bytesOf(d.X)); err != nil {
		return nil, err
	}
	if d.Y != nil {
		if t.y, err = b.upload(bytesOf(d.Y)); err != nil {
			return nil, errors.Join(err, b.driver.Free(t.x))
		}
	}
	b.tables[&d.X[0]] = t
	return t, nil
}

func (b *Backend) upload(src []byte) (Pointer, error) {
	p, err := b.driver.Allocate(len(src))
	if err == nil {
		err = b.driver.CopyIn(p, src)
	}
	return p, err
}

// release gives a table back.
func (b *Backend) release(t *table) error {
	if t == nil {
		return nil
	}
	if t.bound--; t.bound > 0 {
		return nil
	}
	for key, v := range b.tables {
		if v == t {
			delete(b.tables, key)
		}
	}
	if t.y != 0 {
		if err := b.driver.Free(t.y); err != nil {
			return err
		}
	}
	return b.driver.Free(t.x)
}

// bytesOf is v's memory.
func bytesOf[T any](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(v[0])))
}

// Compile checks the Program and allocates its memory on the device, zeroed. The
// Program must not change afterwards.
func (b *Backend) Compile(p *kernels.Program) (kernels.Machine, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	b.turn.Lock()
	defer b.turn.Unlock()
	m := &machine{backend: b, driver: b.driver, program: p, controls: make([]control, 1), lists: lists{}}
	c := &compiler{machine: m, unsummed: map[kernels.Buf]parts{}}
	err := c.compile()
	if err != nil {
		m.free()
		return nil, err
	}
	return m, nil
}

// compiler plans a Machine's memory and launches.
type compiler struct {
	*machine
	list        *[]Launch // in hand
	instruction int
	unsummed    map[kernels.Buf]parts // gradients whose parts nobody has added up yet
	outerDone   bool                  // the DenseGrad before has left dz in the dy of the next
}

func (c *compiler) compile() error {
	p := c.program
	var err error
	if c.arena, err = c.zeroed(4 * p.ArenaLen); err != nil {
		return err
	}
	if c.control, err = c.zeroed(int(unsafe.Sizeof(control{}))); err != nil {
		return err
	}
	if c.rows, err = c.zeroed(2 * 4 * p.Batch); err != nil { // a fleet draws a batch ahead
		return err
	}
	if c.mean, err = c.zeroed(8); err != nil {
		return err
	}
	if c.queue.state, err = c.zeroed(int(unsafe.Sizeof(queueState{}))); err != nil {
		return err
	}
	c.sequence = sequence{
		control: c.control, queue: c.queue.state, mean: c.mean, rows: c.rows,
		drawers: int32(blocks(p.Batch, sequenceThreads)),
	}
	for _, l := range []struct {
		name         string
		instructions []kernels.Instruction
		launches     *[]Launch
	}{{"train", p.Train, &c.train}, {"score", p.Score, &c.score}} {
		c.list = l.launches
		for i, in := range l.instructions {
			c.instruction = i
			if err := c.compileOne(in); err != nil {
				return fmt.Errorf("cuda: %s[%d]: %w", l.name, i, err)
			}
		}
	}
	if len(p.Train) > 0 {
		c.list = &c.train
		return c.endTrain()
	}
	return nil
}

func (c *compiler) compileOne(in kernels.Instruction) error {
	switch in := in.(type) {
	case kernels.Corrupt:
		c.corrupt(in)
	case kernels.Dense:
		c.dense(in)
	case kernels.DenseGrad:
		return c.denseGrad(in)
	case kernels.Norm:
		return c.norm(in)
	case kernels.NormGrad:
		return c.normGrad(in)
	case kernels.Loss:
		return c.loss(in)
	case kernels.ClipGradient:
		return c.clip(in)
	case kernels.Update:
		return c.update(in)
	default:
		return fmt.Errorf("this backend has no instruction %T", in)
	}
	return nil
}

// zeroed allocates memory that Close frees.
func (c *compiler) zeroed(bytes int) (Pointer, error) {
	p, err := c.driver.Allocate(max(bytes, 1))
	if err != nil {
		return 0, err
	}
	c.owned = append(c.owned, p)
	return p, c.driver.Zero(p, bytes)
}

// constant copies v to the device.
func constant[T any](c *compiler, v []T) (Pointer, error) {
	if len(v) == 0 {
		return 0, nil
	}
	p, err := c.zeroed(len(v) * int(unsafe.Sizeof(v[0])))
	if err != nil {
		return 0, err
	}
	return p, c.driver.CopyIn(p, bytesOf(v))
}

// launch adds a launch to the list in hand. args is a struct like the kernel's.
func launch[T any](c *compiler, kernel string, grid [3]int, block, shared int, args T) {
	*c.list = append(*c.list, Launch{
		Kernel: kernel, Grid: grid, Block: block, Shared: shared,
		Args: bytesOf([]T{args}),
	})
}

// pointer is a buffer's place; 0 for None, and for the Table and the Target, which
// a step's control names.
func (c *compiler) pointer(b kernels.Buf) Pointer {
	if b == kernels.None || c.program.Buffers[b].Offset < 0 {
		return 0
	}
	return c.arena + Pointer(4*c.program.Buffers[b].Offset)
}

// matrix is a buffer with one row a sample as kernels see it.
type matrix struct {
	data     Pointer
	cols     int32
	gathered int32
}

func (c *compiler) matrix(b kernels.Buf) matrix {
	if b == kernels.None {
		return matrix{}
	}
	buf := c.program.Buffers[b]
	m := matrix{data: c.pointer(b), cols: int32(buf.Cols)}
	if buf.Kind == kernels.Table {
		m.gathered = 1
	}
	return m
}

// epilogue is kernels.Epilogue as kernels see it.
type epilogue struct {
	activation int32
	dropRate   float32
	stream     uint32
	reserved   int32
}

func newEpilogue(e kernels.Epilogue) epilogue {
	return epilogue{activation: int32(e.Activation), dropRate: e.DropRate, stream: e.Stream}
}

func blocks(n, size int) int { return (n + size - 1) / size }

// elements is the grid of a kernel with four elements a thread, 256 threads a block.
func elements(n int) [3]int { return [3]int{blocks(n, 1024), 1, 1} }

// control is what kernels read of a step. See Control in common.cuh.
type control struct {
	seed, step        uint64
	rows, x, targets  Pointer
	rate              float32
	corrected         float32
	correction        float32
	n, training, sick int32
}
