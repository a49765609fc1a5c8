package detect

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"flowbench/data/parallel"
	"flowbench/kernels/cpu"
)

// points are rows as K-Means sees them: less a pivot, so that squared distances
// do not drown in a large mean.
type points struct {
	x          []float32
	rows, cols int
	pivot      []float32 // nil where the rows are near enough to the origin as they are
	norm       []float32 // squared length of each row
	largest    []float64 // largest size of a value, by column
}

// newPoints goes once over the rows. It keeps data.X.
func newPoints(ctx context.Context, data Data) (*points, error) {
	p := &points{x: data.X, rows: data.Rows, cols: data.Cols, pivot: meanFarFromZero(data)}
	p.norm = make([]float32, p.rows)
	size := stripRows(p.rows)
	largest := make([][]uint32, (p.rows+size-1)/size)
	parallel.Blocks(p.rows, size, func(lo, hi int) {
		if ctx.Err() != nil {
			return
		}
		most, squares := make([]uint32, p.cols), make([]float64, blockRows)
		buffer := make([]float32, blockRows*p.cols)
		for ; lo < hi; lo += blockRows {
			n := min(blockRows, hi-lo)
			p.measure(p.block(buffer, lo, n), p.norm[lo:lo+n], squares[:n], most)
		}
		largest[(hi-1)/size] = most
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.largest = make([]float64, p.cols)
	for _, most := range largest {
		for j, v := range most {
			p.largest[j] = math.Max(p.largest[j], float64(math.Float32frombits(v)))
		}
	}
	for _, v := range p.norm {
		if v-v != 0 {
			return nil, errTooLarge
		}
	}
	return p, nil
}

// measure writes the squared length of each row of x and raises most, the bits of
// sizes, to those of its values: the bits of floats that are not negative are in
// the order of the floats.
func (p *points) measure(x, norm []float32, squares []float64, most []uint32) {
	cpu.SquareSums(squares, x, p.cols)
	for i, v := range squares {
		norm[i] = float32(v)
	}
	for ; len(x) > 0; x = x[p.cols:] {
		for j, v := range x[:len(most)] {
			most[j] = max(most[j], math.Float32bits(v)&^(1<<31))
		}
	}
}

// meanFarFromZero is a pivot near the mean of the columns, or nil where the means
// are small beside the spread: rows then need no copy to be moved.
func meanFarFromZero(data Data) []float32 {
	pivot := samplePivot(data)
	const most = 1024
	n := min(data.Rows, most)
	variance := make([]float64, data.Cols)
	for i := range n {
		row := i * data.Rows / n
		for j, v := range data.X[row*data.Cols : (row+1)*data.Cols] {
			d := float64(v) - float64(pivot[j])
			variance[j] += float64(d*d) / float64(n)
		}
	}
	for j, m := range pivot {
		if m != 0 && float64(m)*float64(m) > variance[j]/4 {
			return pivot
		}
	}
	return nil
}

// block returns n rows from lo on, in buffer where they have to be moved.
func (p *points) block(buffer []float32, lo, n int) []float32 {
	x := p.x[lo*p.cols : (lo+n)*p.cols]
	if p.pivot == nil {
		return x
	}
	for i := range n {
		p.shift(buffer[i*p.cols:(i+1)*p.cols], x[i*p.cols:(i+1)*p.cols])
	}
	return buffer[:n*p.cols]
}

// gather copies the given rows to buffer.
func (p *points) gather(buffer []float32, rows []int32) []float32 {
	for i, r := range rows {
		p.shift(buffer[i*p.cols:(i+1)*p.cols], p.x[int(r)*p.cols:(int(r)+1)*p.cols])
	}
	return buffer[:len(rows)*p.cols]
}

func (p *points) shift(to, from []float32) {
	if p.pivot == nil {
		copy(to, from)
		return
	}
	for j, o := range p.pivot {
		to[j] = from[j] - o
	}
}

// subset is the given rows as points of their own.
func (p *points) subset(rows []int32) *points {
	s := &points{rows: len(rows), cols: p.cols, x: make([]float32, len(rows)*p.cols), norm: make([]float32, len(rows)), largest: p.largest}
	parallel.Blocks(len(rows), blockRows, func(lo, hi int) {
		p.gather(s.x[lo*p.cols:], rows[lo:hi])
		for i := lo; i < hi; i++ {
			s.norm[i] = p.norm[rows[i]]
		}
	})
	return s
}

// rounding bounds the error of a squared distance to a centre, as it comes from a
// row's norm and a product, over the sum of both squared lengths: cols+1 roundings
// of a product (Higham 2002, section 3.1), twice as the product is, with some over
// for the norms' own.
func (p *points) rounding() float64 { return 2 * float64(p.cols+8) * 0x1p-24 }

// squaredDistance is the distance that products approximate.
func squaredDistance(a, b []float32) float64 {
	sum := 0.0
	for j, v := range a {
		d := float64(v) - float64(b[j])
		sum += float64(d * d)
	}
	return sum
}

// eachWorker hands the numbers below n to GOMAXPROCS goroutines, each of which
// calls work once. For sums that are the same in any order.
func eachWorker(n int, work func(next func() (int, bool))) {
	var at atomic.Int64
	next := func() (int, bool) {
		i := int(at.Add(1)) - 1
		return i, i < n
	}
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		all.Go(func() { work(next) })
	}
	all.Wait()
}

// countDistinct says whether x has as many different rows as that, and how many it has
// at the least.
func countDistinct(x []float32, cols, enough int) (int, bool) {
	seen := make(map[string]struct{}, enough)
	key := make([]byte, 0, 4*cols)
	for ; len(x) > 0 && len(seen) < enough; x = x[cols:] {
		key = key[:0]
		for _, v := range x[:cols] {
			b := math.Float32bits(v + 0) // -0 equals 0
			key = append(key, byte(b), byte(b>>8), byte(b>>16), byte(b>>24))
		}
		if _, known := seen[string(key)]; !known {
			seen[string(key)] = struct{}{}
		}
	}
	return len(seen), len(seen) == enough
}
