//go:build !gpu

package device

import "flowbench/kernels/cuda"

// Built is whether this program is built with CUDA.
const Built = false

func list() ([]cuda.Device, error) { return nil, ErrNotBuilt }

func open(int) (cuda.Driver, error) { return nil, ErrNotBuilt }
