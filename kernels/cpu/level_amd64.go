//go:build amd64 && !noasm

package cpu

import "golang.org/x/sys/cpu"

// highest is the best level that the processor and the operating system allow.
func highest() level {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasFMA && cpu.X86.HasBMI2:
		return avx512
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasBMI2:
		return avx2
	}
	return plain
}
