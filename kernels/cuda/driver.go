// Package cuda runs Programs on an NVIDIA GPU. Its kernels are the .cu files
// beside this one, compiled to the PTX in ptx/ (make kernels) and embedded.
//
// The package itself knows no GPU: it plans memory and launches and hands them to
// a Driver. Package nvidia is the Driver of a real device, through
// gorgonia.org/cu; package emulator runs the same .cu sources on the processor,
// for tests.
package cuda

import "strconv"

//go:generate go run ./sources

// Pointer is an address in device memory.
type Pointer uint64

// Launch is one kernel with its parameter.
type Launch struct {
	Kernel string
	Grid   [3]int // blocks
	Block  int    // threads
	Shared int    // bytes of dynamic shared memory
	Args   []byte // the kernel's only parameter, a struct
}

// Driver is one device. Its calls take effect in their order; only copies and
// Close wait. A Driver is not safe for concurrent use.
type Driver interface {
	Device() Device
	// Allocate gets device memory, aligned to 256 bytes, of unknown content. The
	// caller owns it until Free. It fails with an *OutOfMemoryError where there is
	// not enough.
	Allocate(bytes int) (Pointer, error)
	Free(Pointer) error
	// Memory is how many bytes of device memory are free for anybody.
	Memory() (free int, err error)
	CopyIn(dst Pointer, src []byte) error
	CopyOut(dst []byte, src Pointer) error
	// Zero makes the bytes from dst on zero.
	Zero(dst Pointer, bytes int) error
	Launch(Launch) error
	// Record makes one unit of launches that are to be repeated.
	Record([]Launch) (Graph, error)
	// Close frees whatever is left; the device itself may be opened again.
	Close() error
}

// Graph is a recorded sequence of launches.
type Graph interface {
	Replay() error
	Close() error
}

// Device describes what a Driver drives.
type Device struct {
	Name           string // "NVIDIA H200", "emulated"
	UUID           string
	Capability     int // 10·major + minor
	Processors     int // multiprocessors
	Memory         int // bytes in all
	SharedPerBlock int // bytes a block may ask for
	DriverVersion  string
}

// FaultError is a failure of the device itself, or of its driver, as opposed to a
// request that was wrong. Nothing works on it afterwards in this process.
type FaultError struct {
	Device Device
	Err    error
}

func (e *FaultError) Error() string {
	return "cuda: " + e.Device.Name + " (" + e.Device.UUID + ") failed: " + e.Err.Error()
}

func (e *FaultError) Unwrap() error { return e.Err }

// OutOfMemoryError is a request that device memory cannot hold: bytes.
type OutOfMemoryError struct{ Asked, Free int }

func (e *OutOfMemoryError) Error() string {
	return "cuda: out of device memory: " + e.figures() + ": " + e.remedy()
}

func (e *OutOfMemoryError) figures() string {
	return mebibytes(e.Asked) + " asked, " + mebibytes(e.Free) + " free"
}

func (e *OutOfMemoryError) remedy() string {
	return "lower train.batch or model.hidden, give the worker fewer --slots, or run fewer workers on this device"
}

func mebibytes(n int) string { return strconv.FormatFloat(float64(n)/(1<<20), 'g', 4, 64) + " MiB" }
