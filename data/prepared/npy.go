package prepared

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The .npy format, version 1.0: magic, length of the header, a Python dict
// padded with blanks, the data. numpy pads the header to a multiple of 64
// bytes; here it always has headerSize, so that the shape can be filled in when
// the rows are counted and mapped data starts on a cache line.
const (
	npyMagic   = "\x93NUMPY\x01\x00"
	headerSize = 128
)

// npyHeader is the header of an array in C order.
func npyHeader(dtype string, shape []int64) []byte {
	sizes := make([]string, len(shape))
	for i, n := range shape {
		sizes[i] = strconv.FormatInt(n, 10)
	}
	tuple := strings.Join(sizes, ", ")
	if len(shape) == 1 {
		tuple += ","
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", dtype, tuple)
	header := []byte(npyMagic)
	header = binary.LittleEndian.AppendUint16(header, uint16(headerSize-len(header)-2))
	header = append(header, dict...)
	if len(header) >= headerSize {
		panic("prepared: shape too long for the header")
	}
	header = append(header, bytes.Repeat([]byte(" "), headerSize-len(header)-1)...)
	return append(header, '\n')
}

var (
	descrPattern = regexp.MustCompile(`'descr':\s*'([^']*)'`)
	orderPattern = regexp.MustCompile(`'fortran_order':\s*(True|False)`)
	shapePattern = regexp.MustCompile(`'shape':\s*\(([0-9, ]*)\)`)
)

// parseNpy reads the header of a version 1.0 file as numpy or this package
// writes it, and returns where the data starts.
func parseNpy(file []byte) (dtype string, shape []int64, offset int, err error) {
	if !bytes.HasPrefix(file, []byte(npyMagic)) || len(file) < len(npyMagic)+2 {
		return "", nil, 0, fmt.Errorf("no .npy file of version 1.0")
	}
	start := len(npyMagic) + 2
	offset = start + int(binary.LittleEndian.Uint16(file[len(npyMagic):]))
	if offset > len(file) {
		return "", nil, 0, fmt.Errorf("truncated within the header")
	}
	dict := file[start:offset]
	descr, order, sizes := descrPattern.FindSubmatch(dict), orderPattern.FindSubmatch(dict), shapePattern.FindSubmatch(dict)
	if descr == nil || order == nil || sizes == nil {
		return "", nil, 0, fmt.Errorf("header %q is not understood", bytes.TrimSpace(dict))
	}
	if string(order[1]) == "True" {
		return "", nil, 0, fmt.Errorf("column-major order, want row-major")
	}
	for size := range strings.SplitSeq(string(sizes[1]), ",") {
		if size = strings.TrimSpace(size); size == "" {
			continue
		}
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil {
			return "", nil, 0, fmt.Errorf("shape (%s): %w", sizes[1], err)
		}
		shape = append(shape, n)
	}
	return string(descr[1]), shape, offset, nil
}
