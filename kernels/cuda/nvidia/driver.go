//go:build gpu

package nvidia

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"gorgonia.org/cu"

	"flowbench/kernels/cuda"
)

// Driver is one GPU. See cuda.Driver for the contract.
type Driver struct {
	device    cuda.Device
	context   cu.CUContext
	stream    cu.Stream
	modules   []cu.Module
	functions map[string]cu.Function
	live      map[cuda.Pointer]bool
}

// Devices describes the GPUs of this machine, by ordinal.
func Devices() ([]cuda.Device, error) {
	n, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("nvidia: counting devices: %w", err)
	}
	list := make([]cuda.Device, n)
	for i := range list {
		if list[i], err = describe(cu.Device(i)); err != nil {
			return nil, fmt.Errorf("nvidia: device %d: %w", i, err)
		}
	}
	return list, nil
}

func describe(d cu.Device) (cuda.Device, error) {
	name, err := d.Name()
	if err != nil {
		return cuda.Device{}, err
	}
	id, err := d.UUID()
	if err != nil {
		return cuda.Device{}, err
	}
	memory, err := d.TotalMem()
	if err != nil {
		return cuda.Device{}, err
	}
	major, minor, err := d.ComputeCapability()
	if err != nil {
		return cuda.Device{}, err
	}
	processors, err := d.Attribute(cu.MultiprocessorCount)
	if err != nil {
		return cuda.Device{}, err
	}
	shared, err := d.Attribute(cu.DeviceAttribute(maxSharedPerBlockOptin))
	if err != nil {
		return cuda.Device{}, err
	}
	return cuda.Device{
		Name: name, UUID: "GPU-" + id.String(), Capability: 10*major + minor, Processors: processors,
		Memory: int(memory), SharedPerBlock: shared,
		DriverVersion: driverVersion(versionFile, cu.Version()),
	}, nil
}

// maxSharedPerBlockOptin is CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
// which cu does not name.
const maxSharedPerBlockOptin = 97

// Open opens the device of an ordinal and loads the kernels for it.
func Open(ordinal int) (*Driver, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dev := cu.Device(ordinal)
	device, err := describe(dev)
	if err != nil {
		return nil, fmt.Errorf("nvidia: device %d: %w", ordinal, err)
	}
	d := &Driver{device: device, functions: map[string]cu.Function{}, live: map[cuda.Pointer]bool{}}
	if d.context, err = dev.MakeContext(cu.SchedAuto); err != nil {
		return nil, fmt.Errorf("nvidia: opening %s: %w", device.Name, err)
	}
	if err := d.load(); err != nil {
		return nil, errors.Join(err, d.context.Destroy())
	}
	return d, nil
}

func (d *Driver) load() error {
	images, err := cuda.Images(d.device.Capability)
	if err != nil {
		return err
	}
	for _, image := range images {
		if err := d.loadModule(image); err != nil {
			return fmt.Errorf("nvidia: loading the kernels on %s: %w", d.device.Name, err)
		}
	}
	d.stream, err = cu.MakeStream(cu.NonBlocking)
	return err
}

// loadModule has the driver compile PTX and finds its kernels, all of them: while a
// graph is recorded the driver may not load any.
func (d *Driver) loadModule(image string) error {
	said := make([]byte, 8<<10)
	m, err := cu.LoadDataEx(image, &cu.JITErrorLogBuffer{Buffer: said})
	runtime.KeepAlive(said) // the driver has its address alone
	if err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(bytes.Trim(said, "\x00")))
	}
	d.modules = append(d.modules, m)
	for _, name := range cuda.Entries(image) {
		f, err := m.Function(name)
		if err == nil {
			err = allowShared(f, d.device.SharedPerBlock)
		}
		if err != nil {
			return fmt.Errorf("kernel %s: %w", name, err)
		}
		d.functions[name] = f
	}
	return nil
}

// enter makes the device's context the calling thread's until the returned
// function is called. It fails where earlier work has broken the context.
func (d *Driver) enter() (leave func(), err error) {
	runtime.LockOSThread()
	if err := cu.SetCurrentContext(d.context); err != nil {
		runtime.UnlockOSThread()
		return nil, d.fault("entering its context", err)
	}
	return runtime.UnlockOSThread, nil
}

func (d *Driver) Device() cuda.Device { return d.device }

// fault is what the driver says of a device that does not do what it is asked.
func (d *Driver) fault(what string, err error) error {
	return &cuda.FaultError{Device: d.device, Err: fmt.Errorf("%s: %w", what, err)}
}

func (d *Driver) Allocate(bytes int) (cuda.Pointer, error) {
	leave, err := d.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	p, err := cu.MemAlloc(int64(bytes))
	if err == cu.OutOfMemory {
		free, _, _ := cu.MemInfo()
		return 0, &cuda.OutOfMemoryError{Asked: bytes, Free: int(free)}
	}
	if err != nil {
		return 0, d.fault("allocating memory", err)
	}
	d.live[cuda.Pointer(p)] = true
	return cuda.Pointer(p), nil
}

// Memory asks the driver, which counts what other processes hold as well.
func (d *Driver) Memory() (int, error) {
	leave, err := d.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	free, _, err := cu.MemInfo()
	if err != nil {
		return 0, d.fault("asking for free memory", err)
	}
	return int(free), nil
}

func (d *Driver) Free(p cuda.Pointer) error {
	leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	if !d.live[p] {
		return fmt.Errorf("nvidia: free of %#x, which is not allocated", uint64(p))
	}
	delete(d.live, p)
	if err := cu.MemFree(cu.DevicePtr(p)); err != nil {
		return d.fault("freeing memory", err)
	}
	return nil
}

// CopyIn waits until the copy is made: where a device reads pageable memory by
// itself, an asynchronous copy would read src after its owner has changed it.
func (d *Driver) CopyIn(dst cuda.Pointer, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	err = cu.MemcpyHtoDAsync(cu.DevicePtr(dst), unsafe.Pointer(&src[0]), int64(len(src)), d.stream)
	if err == nil {
		err = d.stream.Synchronize()
	}
	if err != nil {
		return d.fault("copying to the device", err)
	}
	return nil
}

func (d *Driver) CopyOut(dst []byte, src cuda.Pointer) error {
	leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := d.stream.Synchronize(); err != nil {
		return d.fault("running kernels", err)
	}
	if len(dst) == 0 {
		return nil
	}
	if err := cu.MemcpyDtoH(unsafe.Pointer(&dst[0]), cu.DevicePtr(src), int64(len(dst))); err != nil {
		return d.fault("copying from the device", err)
	}
	return nil
}

func (d *Driver) Launch(l cuda.Launch) error {
	leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	return d.launch(l)
}

// launch starts a kernel. cu hands every parameter over as eight bytes, laid out
// one after the other: a struct is that many parameters, and the kernel, which
// has one, reads it from where the first lies.
func (d *Driver) launch(l cuda.Launch) error {
	f, ok := d.functions[l.Kernel]
	if !ok {
		return fmt.Errorf("nvidia: there is no kernel %s", l.Kernel)
	}
	if len(l.Args)%8 != 0 {
		return fmt.Errorf("nvidia: the parameter of kernel %s has %d bytes, which are not whole words", l.Kernel, len(l.Args))
	}
	words := make([]unsafe.Pointer, len(l.Args)/8)
	for i := range words {
		words[i] = unsafe.Pointer(&l.Args[8*i])
	}
	if err := f.Launch(l.Grid[0], l.Grid[1], l.Grid[2], l.Block, 1, 1, l.Shared, d.stream, words); err != nil {
		return d.fault("launching "+l.Kernel, err)
	}
	return nil
}

// Close frees what is left on the device and closes it.
func (d *Driver) Close() error {
	leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	var failed []error
	for p := range d.live {
		failed = append(failed, cu.MemFree(cu.DevicePtr(p)))
	}
	d.live = nil
	failed = append(failed, d.stream.Destroy())
	for _, m := range d.modules {
		failed = append(failed, m.Unload())
	}
	return errors.Join(append(failed, d.context.Destroy())...)
}

func (d *Driver) Zero(dst cuda.Pointer, bytes int) error {
	if bytes == 0 {
		return nil
	}
	leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := cu.MemsetD8Async(cu.DevicePtr(dst), 0, int64(bytes), d.stream); err != nil {
		return d.fault("zeroing memory", err)
	}
	return nil
}
