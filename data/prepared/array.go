package prepared

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"path/filepath"
	"unsafe"
)

// element is what the arrays hold.
type element interface{ ~float32 | ~int32 | ~int64 }

// dtype is numpy's name of the element type, little-endian.
func dtype[T element]() string {
	switch any(T(0)).(type) {
	case float32:
		return "<f4"
	case int32:
		return "<i4"
	default:
		return "<i8"
	}
}

// asBytes views elements as their memory, which is little-endian (see checkHost).
func asBytes[T element](values []T) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*int(unsafe.Sizeof(values[0])))
}

// checkHost refuses machines whose numbers are not laid out as the files are.
func checkHost() error {
	if one := uint16(1); *(*byte)(unsafe.Pointer(&one)) != 1 {
		return fmt.Errorf("prepared sets need a little-endian machine")
	}
	return nil
}

// file is what arrays are written to: an *os.File but in tests.
type file interface {
	io.Writer
	io.WriterAt
	io.Closer
	Sync() error
}

// createFile opens a new file for writing; it is an error if there is one.
type createFile func(path string) (file, error)

// bufferSize gathers the small writes; blocks of features are larger and go past the buffer.
const bufferSize = 64 << 10

// arrayWriter writes one .npy file row by row.
type arrayWriter[T element] struct {
	name string
	cols int64 // 0 for an array of one dimension
	n    int64 // elements
	file file
	out  *bufio.Writer
	sum  hash.Hash
	sent int64 // bytes of the file that the disk was told to begin with
}

func newArrayWriter[T element](create createFile, dir, name string, cols int64) (*arrayWriter[T], error) {
	f, err := create(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	a := &arrayWriter[T]{name: name, cols: cols, file: f, out: bufio.NewWriterSize(f, bufferSize), sum: sha256.New()}
	_, err = a.out.Write(make([]byte, headerSize)) // its place; finish fills it in
	return a, err
}

func (a *arrayWriter[T]) write(values []T) error {
	data := asBytes(values)
	a.n += int64(len(values))
	a.sum.Write(data)
	if _, err := a.out.Write(data); err != nil {
		return err
	}
	const step = 8 << 20
	if written := headerSize + a.n*int64(unsafe.Sizeof(T(0))) - int64(a.out.Buffered()); written >= a.sent+step {
		startWriteback(a.file, a.sent, written-a.sent)
		a.sent = written
	}
	return nil
}

// finish writes the header, and syncs and closes the file.
func (a *arrayWriter[T]) finish() (Array, error) {
	shape := []int64{a.n}
	if a.cols > 0 {
		shape = []int64{a.n / a.cols, a.cols}
	}
	if err := a.out.Flush(); err != nil {
		return Array{}, err
	}
	if _, err := a.file.WriteAt(npyHeader(dtype[T](), shape), 0); err != nil {
		return Array{}, err
	}
	if err := a.file.Sync(); err != nil {
		return Array{}, err
	}
	f := a.file
	a.file = nil
	return Array{Name: a.name, Type: dtype[T](), Shape: shape, SHA256: hex.EncodeToString(a.sum.Sum(nil))}, f.Close()
}

// abandon closes the file unless finish did.
func (a *arrayWriter[T]) abandon() {
	if a != nil && a.file != nil {
		a.file.Close()
	}
}
