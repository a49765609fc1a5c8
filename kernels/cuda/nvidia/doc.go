// Package nvidia is the cuda.Driver of a real GPU, through gorgonia.org/cu. It is
// built under the tag gpu, where the headers of a CUDA toolkit are; importing it
// ends the process on a machine without an NVIDIA driver.
package nvidia
