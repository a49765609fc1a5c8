// Package emulator is a cuda.Driver that runs the kernels' sources on the
// processor, compiled by a C++ compiler: for tests, under the build tag emu.
package emulator
