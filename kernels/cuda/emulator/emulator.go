//go:build emu

package emulator

// #cgo CXXFLAGS: -std=c++17 -O2
// #include "engine.h"
// #include <stdlib.h>
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"flowbench/kernels/cuda"
)

// Emulator is the Driver. Its memory is the process's own: a kernel that leaves
// its buffers faults, and one whose threads miss a barrier fails.
type Emulator struct {
	// Backwards runs the last block and the last thread first. Results that then
	// differ show a race.
	Backwards bool
	// Capacity is the bytes of its memory, Shared those of a block's.
	Capacity, Shared int
	// Processors is how many multiprocessors it says that it has.
	Processors int
	sizes      map[cuda.Pointer]int
	used       int // bytes of them
}

// New returns an emulated device of one multiprocessor with 4 GiB, and 227 KiB a
// block, as Hopper gives.
func New() *Emulator {
	return &Emulator{Capacity: 4 << 30, Shared: 227 << 10, Processors: 1, sizes: map[cuda.Pointer]int{}}
}

// engine serialises launches: the fibers are shared by all Emulators.
var engine sync.Mutex

// Device describes a device like the ones the kernels are written for.
func (e *Emulator) Device() cuda.Device {
	return cuda.Device{
		Name: "emulated", UUID: "emulated", Capability: 90, Processors: e.Processors,
		Memory: e.Capacity, SharedPerBlock: e.Shared, DriverVersion: "none",
	}
}

func (e *Emulator) Allocate(bytes int) (cuda.Pointer, error) {
	if free := e.Capacity - e.used; bytes > free {
		return 0, &cuda.OutOfMemoryError{Asked: bytes, Free: free}
	}
	p := C.emulatorAllocate(C.size_t(bytes))
	if p == nil {
		return 0, &cuda.OutOfMemoryError{Asked: bytes}
	}
	at := cuda.Pointer(uintptr(p))
	e.sizes[at] = bytes
	e.used += bytes
	return at, nil
}

// Memory is what is not allocated.
func (e *Emulator) Memory() (int, error) { return e.Capacity - e.used, nil }

func (e *Emulator) Free(p cuda.Pointer) error {
	bytes, ok := e.sizes[p]
	if !ok {
		return fmt.Errorf("emulator: free of %#x, which is not allocated", uint64(p))
	}
	delete(e.sizes, p)
	e.used -= bytes
	C.emulatorFree(address(p), C.size_t(bytes))
	return nil
}

// address is p as C sees it; the memory is not Go's.
func address(p cuda.Pointer) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&p))
}

func (e *Emulator) CopyIn(dst cuda.Pointer, src []byte) error {
	copy(unsafe.Slice((*byte)(address(dst)), len(src)), src)
	return nil
}

func (e *Emulator) CopyOut(dst []byte, src cuda.Pointer) error {
	copy(dst, unsafe.Slice((*byte)(address(src)), len(dst)))
	return nil
}

func (e *Emulator) Zero(dst cuda.Pointer, bytes int) error {
	clear(unsafe.Slice((*byte)(address(dst)), bytes))
	return nil
}

// Launch runs a kernel to its end.
func (e *Emulator) Launch(l cuda.Launch) error {
	engine.Lock()
	defer engine.Unlock()
	name := C.CString(l.Kernel)
	defer C.free(unsafe.Pointer(name))
	grid := [3]C.uint{C.uint(l.Grid[0]), C.uint(l.Grid[1]), C.uint(l.Grid[2])}
	backwards := C.int(0)
	if e.Backwards {
		backwards = 1
	}
	failure := C.emulatorLaunch(name, &grid[0], C.int(l.Block), C.size_t(l.Shared), unsafe.Pointer(&l.Args[0]), C.size_t(len(l.Args)), backwards)
	if failure != nil {
		return errors.New("emulator: " + C.GoString(failure))
	}
	return nil
}

// Record remembers the launches.
func (e *Emulator) Record(launches []cuda.Launch) (cuda.Graph, error) {
	return &graph{e, launches}, nil
}

// Close fails where memory was not freed.
func (e *Emulator) Close() error {
	if len(e.sizes) > 0 {
		return fmt.Errorf("emulator: %d allocations were not freed", len(e.sizes))
	}
	return nil
}

type graph struct {
	emulator *Emulator
	launches []cuda.Launch
}

func (g *graph) Replay() error {
	for _, l := range g.launches {
		if err := g.emulator.Launch(l); err != nil {
			return err
		}
	}
	return nil
}

func (g *graph) Close() error { return nil }
