//go:build gpu

package device

import (
	"flowbench/kernels/cuda"
	"flowbench/kernels/cuda/nvidia"
)

// Built is whether this program is built with CUDA.
const Built = true

func list() ([]cuda.Device, error) { return nvidia.Devices() }

func open(ordinal int) (cuda.Driver, error) { return nvidia.Open(ordinal) }
