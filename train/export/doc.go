// Package export takes finished models to other programs: ONNX with the
// preprocessing inside, safetensors and npz, in a bundle with all that using them
// takes, and back from it.
package export
