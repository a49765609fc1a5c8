package detect

import (
	"slices"

	"flowbench/kernels/cpu"
)

// groupSize is how many centres share a lower bound and a product. Bounds of
// fewer prune more and cost more to keep; 64 columns are two register tiles of a
// product.
const groupSize = 64

// centres are the centroids, packed for distances in groups.
type centres struct {
	k, width int       // centres, and values of each
	at       []float32 // k×width, less the pivot of the points
	groups   []*cpu.Points
	reach    float64 // the largest squared length
}

// newCentres packs at, which it keeps.
func newCentres(at []float32, cols int) *centres {
	c := &centres{k: len(at) / cols, width: cols, at: at}
	for lo := 0; lo < c.k; lo += groupSize {
		c.groups = append(c.groups, newPointSet(at[lo*cols:min(lo+groupSize, c.k)*cols], cols))
	}
	squares := make([]float64, c.k)
	cpu.SquareSums(squares, at, cols)
	c.reach = slices.Max(squares)
	return c
}

func (c *centres) centre(i int) []float32 { return c.at[i*c.width : (i+1)*c.width] }

// near is a centre near a row: its number and its squared distance. Of two as
// near the first is the nearer one.
type near struct {
	distance float32
	index    int32
}

func (n near) before(other near) bool {
	return n.distance < other.distance || n.distance == other.distance && n.index < other.index
}

// neighbourly orders centres so that those of a group are near each other: halves
// about the median of the widest column, and again, down to groups.
func neighbourly(at []float32, cols int) {
	k := len(at) / cols
	if k <= groupSize {
		return
	}
	column := widestColumn(at, cols)
	order := make([]int, k)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		va, vb := at[a*cols+column], at[b*cols+column]
		switch {
		case va < vb:
			return -1
		case va > vb:
			return 1
		}
		return 0
	})
	sorted := make([]float32, 0, len(at))
	for _, i := range order {
		sorted = append(sorted, at[i*cols:(i+1)*cols]...)
	}
	copy(at, sorted)
	groups := (k + groupSize - 1) / groupSize
	half := groups / 2 * groupSize * cols
	neighbourly(at[:half], cols)
	neighbourly(at[half:], cols)
}

func widestColumn(at []float32, cols int) int {
	k := float64(len(at) / cols)
	sum, square := make([]float64, cols), make([]float64, cols)
	for i, v := range at {
		sum[i%cols] += float64(v) / k
	}
	for i, v := range at {
		d := float64(v) - sum[i%cols]
		square[i%cols] += float64(d * d)
	}
	widest := 0
	for j, v := range square {
		if v > square[widest] {
			widest = j
		}
	}
	return widest
}
