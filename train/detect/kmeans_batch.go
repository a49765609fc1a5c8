package detect

import (
	"context"
	"math/rand/v2"
)

// runBatches is the mini-batch mode: each step draws rows, finds their nearest
// centroids, and moves these towards them by one over the rows that they have
// seen so far.
func (o KMeansOptions) runBatches(ctx context.Context, p *points, start []float32, random *rand.Rand, progress Progress) (*lloyd, error) {
	size := min(o.Batch, p.rows)
	steps := (p.rows + size - 1) / size
	b := &batches{points: p, at: make([]float64, len(start)), seen: make([]float64, len(start)/p.cols), found: make([]best, size)}
	for i, v := range start {
		b.at[i] = float64(v)
	}
	rows := make([]int32, size)
	for i := range o.Iterations {
		for range steps {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			for j := range rows {
				rows[j] = int32(random.IntN(p.rows))
			}
			b.step(rows)
		}
		progress.report("moving centroids", i+1, o.Iterations)
	}
	l := newLloyd(p, b.centres())
	l.iterations = o.Iterations
	_, err := l.assign(ctx)
	return l, err
}

// batches is where the centroids of the mini-batch mode stand.
type batches struct {
	*points
	at    []float64
	seen  []float64 // rows, by centroid
	found []best
}

func (b *batches) centres() *centres {
	at := make([]float32, len(b.at))
	for i, v := range b.at {
		at[i] = float32(v)
	}
	return newCentres(at, b.cols)
}

func (b *batches) step(rows []int32) {
	c := b.centres()
	buffer, products := make([]float32, blockRows*b.cols), make([]float32, blockRows*groupSize)
	scratch := make([]best, blockRows)
	for lo := 0; lo < len(rows); lo += blockRows {
		part := rows[lo:min(lo+blockRows, len(rows))]
		x := b.gather(buffer, part)
		found := b.found[:len(part)]
		c.nearest(found, x, products, scratch)
		for i, f := range found {
			b.pull(int(f.index), x[i*b.cols:(i+1)*b.cols])
		}
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
