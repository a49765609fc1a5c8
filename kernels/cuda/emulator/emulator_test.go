//go:build emu

package emulator

import (
	"errors"
	"strings"
	"testing"
	"unsafe"

	"flowbench/kernels/cuda"
)

// bytesOf is v's memory.
func bytesOf[T any](v []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(v[0])))
}

// planted runs the kernel of planted.cpp with a fault, in n threads, and returns
// what it wrote.
func planted(t *testing.T, n int, fault int32, backwards bool) ([]float32, error) {
	t.Helper()
	e := New()
	e.Backwards = backwards
	in, out := make([]float32, n), make([]float32, n)
	for i := range in {
		in[i] = float32(i + 1)
	}
	from, to := place(t, e, in), place(t, e, out)
	args := []struct {
		in, out         cuda.Pointer
		fault, reserved int32
	}{{from, to, fault, 0}}
	err := e.Launch(cuda.Launch{
		Kernel: "planted", Grid: [3]int{1, 1, 1}, Block: n, Shared: 4 * n, Args: bytesOf(args),
	})
	if err := errors.Join(e.CopyOut(bytesOf(out), to), e.Free(from), e.Free(to), e.Close()); err != nil {
		t.Fatal(err)
	}
	return out, err
}

// place copies v to the device.
func place(t *testing.T, e *Emulator, v []float32) cuda.Pointer {
	t.Helper()
	p, err := e.Allocate(4 * len(v))
	if err == nil {
		err = e.CopyIn(p, bytesOf(v))
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wrong counts the values that are not the neighbour's.
func wrong(out []float32) int {
	n := 0
	for i, v := range out {
		if v != float32(i^1+1) {
			n++
		}
	}
	return n
}

// A right kernel passes; each fault is found, by an error or by what a kernel reads
// before its copy has come, which is NaN.
func TestPlantedFaults(t *testing.T) {
	const tooEarly = "reads too early"
	for fault, want := range []string{ // in the order of Fault
		"",
		"it ends before a copy that it began has come",
		"it ends before a copy that it began has come",
		"it ends before a copy that it began has come",
		tooEarly,
		tooEarly,
		"the source of a copy changed before the copy had come",
		"something was written to where a copy was still to come",
		"a copy is not aligned to its size",
		"a copy goes elsewhere than to shared memory",
		"a barrier that not all threads reach",
		"a shuffle that not all lanes of its mask reach",
		"an access is not aligned to its size",
		"an access is not aligned to its size",
	} {
		for _, backwards := range []bool{false, true} {
			out, err := planted(t, 64, int32(fault), backwards)
			found := err != nil && strings.Contains(err.Error(), want)
			if want == "" || want == tooEarly {
				found = err == nil && (wrong(out) > 0) == (want == tooEarly)
			}
			if !found {
				t.Errorf("fault %d: %v, %d values of %d are wrong, want %q", fault, err, wrong(out), len(out), want)
			}
		}
	}
}

// Zero must reach the last of its bytes and none behind it.
func TestZero(t *testing.T) {
	e := New()
	p := place(t, e, []float32{1, 2, 3, 4})
	got := make([]float32, 4)
	if err := errors.Join(e.Zero(p+4, 8), e.Zero(p, 0), e.CopyOut(bytesOf(got), p), e.Free(p), e.Close()); err != nil {
		t.Fatal(err)
	}
	if want := [4]float32{1, 0, 0, 4}; [4]float32(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
