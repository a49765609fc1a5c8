package detect

import (
	"context"
	"math/rand/v2"

	"flowbench/data/parallel"
)

// runBatches is the mini-batch mode: each step draws rows, finds their nearest
// centroids, and moves these towards them by one over the rows that they have
// seen so far.
func (f *kmeansFit) runBatches(ctx context.Context, progress Progress) (*lloyd, error) {
	o, p, random := f.options, f.points, rand.New(f.random)
	size := min(o.Batch, p.rows)
	steps := (p.rows + size - 1) / size
	rows := make([]int32, size)
	for f.passes < o.Iterations {
		for range steps {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			for j := range rows {
				rows[j] = int32(random.IntN(p.rows))
			}
			f.batches.step(rows)
		}
		f.passes++
		progress.report("moving centroids", f.passes, o.Iterations)
		if err := f.between.offer(f.state); err != nil {
			return nil, err
		}
	}
	l := newLloyd(p, newCentres(f.batches.rounded(), p.cols))
	l.iterations = o.Iterations
	_, err := l.assign(ctx)
	return l, err
}

func newBatches(p *points, start []float32) *batches {
	b := &batches{points: p, at: make([]float64, len(start)), seen: make([]float64, len(start)/p.cols)}
	for i, v := range start {
		b.at[i] = float64(v)
	}
	return b
}

// batches is where the centroids of the mini-batch mode stand.
type batches struct {
	*points
	at   []float64
	seen []float64 // rows, by centroid
}

// rounded is the centroids as distances see them.
func (b *batches) rounded() []float32 {
	at := make([]float32, len(b.at))
	for i, v := range b.at {
		at[i] = float32(v)
	}
	return at
}

func (b *batches) step(rows []int32) {
	onto := newPointSet(b.rounded(), b.cols)
	x := make([]float32, len(rows)*b.cols)
	index := make([]int32, len(rows))
	parallel.Blocks(len(rows), blockRows, func(lo, hi int) {
		onto.Nearest(index[lo:hi], nil, b.gather(x[lo*b.cols:hi*b.cols], rows[lo:hi]))
	})
	for i, c := range index {
		b.pull(int(c), x[i*b.cols:(i+1)*b.cols])
	}
}

// pull moves a centroid towards a row.
func (b *batches) pull(cluster int, row []float32) {
	b.seen[cluster]++
	rate := 1 / b.seen[cluster]
	to := b.at[cluster*b.cols : (cluster+1)*b.cols]
	for j, v := range row {
		to[j] += float64(rate * (float64(v) - to[j]))
	}
}
