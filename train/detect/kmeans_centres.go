package detect

import (
	"math"
	"slices"
)

// groupSize is how many centres share a lower bound and a product. Bounds of
// fewer prune more and cost more to keep; 64 columns are two register tiles of a
// product.
const groupSize = 64

// centres are the centroids, packed for products in groups.
type centres struct {
	k, width int       // centres, and values of each
	at       []float32 // k×cols, less the pivot of the points
	groups   []*operand
	reach    float64 // the largest squared length
}

// newCentres packs at, which it keeps.
func newCentres(at []float32, cols int) *centres {
	c := &centres{k: len(at) / cols, width: cols, at: at}
	for lo := 0; lo < c.k; lo += groupSize {
		hi := min(lo+groupSize, c.k)
		bias := make([]float32, hi-lo)
		for i := range bias {
			length := 0.0
			for _, v := range c.centre(lo + i) {
				length += float64(float64(v) * float64(v))
			}
			c.reach = math.Max(c.reach, length)
			bias[i] = float32(-length / 2)
		}
		c.groups = append(c.groups, newOperand(at[lo*cols:hi*cols], bias, cols, hi-lo))
	}
	return c
}

func (c *centres) centre(i int) []float32 { return c.at[i*c.width : (i+1)*c.width] }

// best is the centre of a group with the largest product with a row, x·c - |c|²/2,
// the first of equals, and so the nearest one; second is the next product.
type best struct {
	value, second float32
	index         int32
}

// bestOf finds it for each of n rows of width products, whose first centre is
// number first.
func bestOf(dst []best, products []float32, width int, first int32) {
	for i := range dst {
		row := products[i*width : (i+1)*width]
		b := best{value: row[0], second: float32(math.Inf(-1)), index: 0}
		for c := 1; c < len(row); c++ {
			if v := row[c]; v > b.second {
				if v > b.value {
					b.value, b.second, b.index = v, b.value, int32(c)
				} else {
					b.second = v
				}
			}
		}
		b.index += first
		dst[i] = b
	}
}

// nearest finds the nearest centre of each of n rows of x, which are moved by the
// points' pivot. scratch holds n·groupSize values, found n.
func (c *centres) nearest(dst []best, x []float32, scratch []float32, found []best) {
	for g, group := range c.groups {
		group.product(scratch, x, len(dst))
		if g == 0 {
			bestOf(dst, scratch, group.cols, 0)
			continue
		}
		bestOf(found, scratch, group.cols, int32(g*groupSize))
		for i, f := range found[:len(dst)] {
			if d := &dst[i]; f.value > d.value {
				f.second = max(f.second, d.value)
				*d = f
			} else {
				d.second = max(d.second, f.value)
			}
		}
	}
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
