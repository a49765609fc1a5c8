package bench

import (
	"fmt"
	"path/filepath"

	"flowbench/kernels"
)

// The shape of the data that the rulers run on.
const (
	FullRows  = 818_520
	Cols      = 78
	positives = 36
)

// Matrix is standardised flows and their classes.
type Matrix struct {
	X    []float32 // Rows × Cols
	Y    []float32 // 0 or 1
	Rows int
	// From says in words where the matrix comes from.
	From string
	// Made is true where nothing was read: the matrix is drawn from a seed.
	Made bool
}

// LoadMatrix reads S.npy and y.npy of the rulers' folder.
func LoadMatrix(dir string) (*Matrix, error) {
	path := filepath.Join(dir, "S.npy")
	x, shape, err := readNpy(path)
	if err != nil {
		return nil, fmt.Errorf("matrix: %w", err)
	}
	if len(shape) != 2 || shape[1] != Cols {
		return nil, fmt.Errorf("matrix: %s has shape %v, want rows × %d", path, shape, Cols)
	}
	m := &Matrix{X: x, Rows: shape[0], From: path}
	path = filepath.Join(dir, "y.npy")
	if m.Y, _, err = readNpy(path); err != nil {
		return nil, fmt.Errorf("matrix: %w", err)
	}
	if len(m.Y) != m.Rows {
		return nil, fmt.Errorf("matrix: %s has %d values for %d rows", path, len(m.Y), m.Rows)
	}
	if n := m.positives(); n == 0 || n == m.Rows {
		return nil, fmt.Errorf("matrix: %s has %d ones in %d rows: there is nothing to balance", path, n, m.Rows)
	}
	return m, nil
}

// MakeMatrix draws a matrix like the rulers': standard normal numbers, and 36
// positives, or a tenth of the rows where they are few, whose first eight
// columns lie apart. rows must be two at least.
func MakeMatrix(rows int, seed uint64) *Matrix {
	m := &Matrix{
		X: make([]float32, rows*Cols), Y: make([]float32, rows), Rows: rows, Made: true,
		From: fmt.Sprintf("a made-up matrix (seed %d)", seed),
	}
	for block := uint64(0); int(4*block) < len(m.X); block++ {
		drawn := kernels.NormalBlock(seed, 0, 0, block)
		copy(m.X[4*block:], drawn[:])
	}
	for i := range min(positives, max(1, rows/10)) {
		r := i * rows / positives
		if rows < 10*positives {
			r = 10 * i
		}
		m.Y[r] = 1
		for j := range 8 {
			m.X[r*Cols+j] += 3
		}
	}
	return m
}

func (m *Matrix) positives() int {
	n := 0
	for _, y := range m.Y {
		if y != 0 {
			n++
		}
	}
	return n
}

// balanced is what the classes weigh: 1 and negatives for each positive, which
// is PyTorch's pos_weight.
func (m *Matrix) balanced() []float32 {
	n := m.positives()
	return []float32{1, float32(float64(m.Rows-n) / float64(n))}
}

// list is all rows, for Orders to permute.
func (m *Matrix) list() []int32 {
	rows := make([]int32, m.Rows)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}
