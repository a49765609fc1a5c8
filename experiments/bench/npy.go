package bench

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/sbinet/npyio/npy"
)

// readNpy reads a .npy file of float32 in C order, of any shape, as numpy writes it.
func readNpy(path string) (values []float32, shape []int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	r, err := npy.NewReader(f)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	d := r.Header.Descr
	if d.Type != "<f4" || d.Fortran {
		return nil, nil, fmt.Errorf("%s holds %q, column-major %v; want rows of '<f4': save it as float32 in C order", path, d.Type, d.Fortran)
	}
	length := 1
	for _, n := range d.Shape {
		length *= n
	}
	if err := checkLength(f, int64(length)*4); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	values = make([]float32, length)
	// binary.Read would hold the file a second time.
	for chunk := range slices.Chunk(values, 1<<20) {
		if err := binary.Read(f, binary.LittleEndian, chunk); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return values, d.Shape, nil
}

// checkLength makes sure that want bytes follow where f stands.
func checkLength(f *os.File, want int64) error {
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if got := info.Size() - at; got != want {
		return fmt.Errorf("%d bytes of data, its header says %d; write it again", got, want)
	}
	return nil
}
