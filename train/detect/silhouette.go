package detect

import (
	"math"
	"math/rand/v2"

	"flowbench/data/parallel"
)

// silhouette is the mean silhouette (Rousseeuw 1987) of a sample of rows, judged
// among themselves: how much nearer a row is to its own cluster than to the next,
// from -1 to 1. Rows that are alone in their cluster count as 0.
func (l *lloyd) silhouette(sample int, seed uint64) float64 {
	rows := drawRows(rand.New(rand.NewPCG(seed, 1<<32)), l.rows, min(sample, l.rows))
	p := l.subset(rows)
	values := make([]float64, len(rows))
	parallel.Blocks(len(rows), 16, func(lo, hi int) {
		sum, count := make([]float64, l.k), make([]float64, l.k)
		for i := lo; i < hi; i++ {
			clear(sum)
			clear(count)
			for j := range rows {
				if j == i {
					continue
				}
				c := l.label[rows[j]]
				sum[c] += math.Sqrt(squaredDistance(p.x[i*p.cols:(i+1)*p.cols], p.x[j*p.cols:(j+1)*p.cols]))
				count[c]++
			}
			values[i] = silhouetteOf(sum, count, l.label[rows[i]])
		}
	})
	mean := 0.0
	for _, v := range values {
		mean += v / float64(len(values))
	}
	return mean
}

// silhouetteOf is that of a row with the given sums of distances to the rows of
// each cluster.
func silhouetteOf(sum, count []float64, own int32) float64 {
	if count[own] == 0 {
		return 0
	}
	inside, outside := sum[own]/count[own], math.Inf(1)
	for c := range sum {
		if int32(c) != own && count[c] > 0 {
			outside = math.Min(outside, sum[c]/count[c])
		}
	}
	most := math.Max(inside, outside)
	if most == 0 || math.IsInf(most, 0) {
		return 0
	}
	return (outside - inside) / most
}
