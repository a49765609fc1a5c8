package study

import (
	"errors"
	"fmt"

	"flowbench/kernels/cuda"
)

// DeviceExit is the exit code of a worker process that ends with a *DeviceError.
const DeviceExit = 4

// maxFaults is how many faults in a row, without a trial ending in between, put a
// device in quarantine.
const maxFaults = 3

// DeviceError is a fault of the device that a trial ran on. After one nothing runs
// on the device in that process any more: the worker ends, and its trials go back
// to the plan.
type DeviceError struct {
	Trial int
	Err   error
}

func (e *DeviceError) Error() string { return fmt.Sprintf("trial %04d: %v", e.Trial, e.Err) }

func (e *DeviceError) Unwrap() error { return e.Err }

func deviceFault(err error) bool {
	var fault *cuda.FaultError
	return errors.As(err, &fault)
}

func outOfDeviceMemory(err error) bool {
	var full *cuda.OutOfMemoryError
	return errors.As(err, &full)
}
