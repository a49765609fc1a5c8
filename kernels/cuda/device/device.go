// Package device opens the GPUs of this machine, in programs that are built with
// CUDA (build tag gpu).
package device

import (
	"errors"

	"flowbench/kernels/cuda"
)

// ErrNotBuilt is the error of a program that is built without CUDA.
var ErrNotBuilt = errors.New("this program is built without CUDA")

// List describes the GPUs, by ordinal.
func List() ([]cuda.Device, error) { return list() }

// Open opens the GPU of an ordinal.
func Open(ordinal int) (cuda.Driver, error) { return open(ordinal) }
