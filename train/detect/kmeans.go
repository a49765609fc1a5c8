package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"flowbench/data/parallel"
	"flowbench/kernels/cpu"
	"flowbench/train/checkpoint"
)

// KMeansOptions is what decides a KMeans beside its data.
type KMeansOptions struct {
	// Clusters is how many centroids there are.
	Clusters int    `json:"clusters"`
	Seed     uint64 `json:"seed"`
	// Start is PlusPlus or Scalable; "" is the first up to 256 clusters, and the
	// second beyond, where the first takes longer than all that follows. Both see at
	// most 65,536 rows, or 16 a cluster where that is more, drawn with the seed.
	Start string `json:"start"`
	// Iterations is how often the centroids move at the most.
	Iterations int `json:"iterations"`
	// Tolerance ends a start whose centroids move by less: the sum of their squared
	// ways over the mean variance of the columns. With 0, and with more as well,
	// it ends where no row changes its cluster.
	Tolerance float64 `json:"tolerance"`
	// Restarts is how many starts compete by their inertia; 0 is 1.
	Restarts int `json:"restarts"`
	// Batch is the rows of a step of the mini-batch mode (Sculley 2010), where an
	// iteration is as many steps as make up all rows; 0 is Lloyd's algorithm.
	Batch int `json:"batch"`
	// Spread divides the score by the cluster's own: the root of the mean of its
	// rows' squared distances, or a tenth of that of all rows where that is more.
	Spread bool `json:"spread"`
	// Silhouette is how many rows the silhouette is taken of; 0 is none.
	Silhouette int `json:"silhouette"`
}

// Starts of KMeans.
const (
	PlusPlus = "k-means++" // Arthur and Vassilvitskii 2007, greedy
	Scalable = "k-means||" // Bahmani et al. 2012
)

// KMeans learns centroids that leave the least squared distance to the nearest,
// and scores a row by its distance to the nearest.
type KMeans struct {
	options   KMeansOptions
	shape     shape
	centroids []float64 // clusters×cols
	spread    []float64 // of each cluster, > 0
	figures   Figures
	origin    []float32
	nearest   *cpu.Points
	farthest  float64 // from origin, squared, of the centroids
}

// NewKMeans returns an unfitted KMeans.
func NewKMeans(o KMeansOptions) *KMeans { return &KMeans{options: o} }

// Name is "kmeans", and after Fit with its size: "kmeans (64 centroids)".
func (k *KMeans) Name() string {
	if k.shape.cols == 0 {
		return "kmeans"
	}
	return fmt.Sprintf("kmeans (%d centroids)", len(k.spread))
}

// Figures are inertia, iterations, converged (0 or 1) and, where the options ask
// for it, silhouette.
func (k *KMeans) Figures() Figures { return k.figures }

// Fit looks for the centroids. It needs as many distinct rows as clusters, and
// memory of 16 bytes a row and 4 for every 64 clusters.
func (k *KMeans) Fit(ctx context.Context, data Data) error { return k.FitFrom(ctx, data, nil, nil) }

// FitFrom is Fit from where an earlier one was interrupted: between two moves of
// the centroids, or two restarts.
func (k *KMeans) FitFrom(ctx context.Context, data Data, from *checkpoint.File, between Between) error {
	*k = KMeans{options: k.options}
	if err := k.fit(ctx, data, from, between); err != nil {
		*k = KMeans{options: k.options}
		return fmt.Errorf("kmeans: %w", err)
	}
	return nil
}

func (k *KMeans) fit(ctx context.Context, data Data, from *checkpoint.File, between Between) error {
	if err := firstError(ctx.Err(), data.check()); err != nil {
		return err
	}
	if err := k.options.check(data); err != nil {
		return err
	}
	p, err := newPoints(ctx, data)
	if err != nil {
		return err
	}
	f := &kmeansFit{options: k.options, points: p, between: between, progress: data.Progress}
	if from != nil {
		if err := f.restore(from); err != nil {
			return err
		}
	}
	chosen, err := f.run(ctx)
	if err != nil {
		return err
	}
	return k.take(chosen, data)
}

func (o KMeansOptions) check(data Data) error {
	switch {
	case o.Clusters < 1:
		return fmt.Errorf("%d clusters: at least one is needed", o.Clusters)
	case o.Iterations < 1:
		return fmt.Errorf("%d iterations: at least one is needed", o.Iterations)
	case !(o.Tolerance >= 0):
		return fmt.Errorf("a tolerance of %v: write 0 or more", o.Tolerance)
	case o.Restarts < 0 || o.Batch < 0 || o.Silhouette < 0:
		return errors.New("restarts, batch and silhouette are not negative")
	case o.Start != "" && o.Start != PlusPlus && o.Start != Scalable:
		return fmt.Errorf("start %q is neither %s nor %s", o.Start, PlusPlus, Scalable)
	}
	if n, ok := countDistinct(data.X, data.Cols, o.Clusters); !ok {
		return fmt.Errorf("%d clusters of %d distinct rows: write at most %d", o.Clusters, n, n)
	}
	groups := (o.Clusters + groupSize - 1) / groupSize
	return affordable(int64(data.Rows)*int64(12+4*groups)+int64(o.Clusters)*int64(data.Cols)*64, nil)
}

// start chooses the first centroids.
func (o KMeansOptions) start(ctx context.Context, p *points, random *rand.Rand, progress Progress) ([]float32, error) {
	const least, each, many = 1 << 16, 16, 256
	sample := p
	if n := max(least, each*o.Clusters); n < p.rows {
		sample = p.subset(drawRows(random, p.rows, n))
	}
	s := newSeeding(sample, nil, random)
	choose := s.plusPlus
	if o.Start == Scalable || o.Start == "" && o.Clusters > many {
		choose = s.scalable
	}
	at, err := choose(ctx, o.Clusters, progress)
	if err != nil {
		return nil, err
	}
	at = p.complete(slices.Clone(at), o.Clusters)
	neighbourly(at, p.cols)
	return at, nil
}

// drawRows is n of rows different numbers below rows, ascending (Knuth 1997,
// algorithm 3.4.2 S).
func drawRows(random *rand.Rand, rows, n int) []int32 {
	drawn := make([]int32, 0, n)
	for i := range rows {
		if random.IntN(rows-i) < n-len(drawn) {
			drawn = append(drawn, int32(i))
		}
	}
	return drawn
}

// complete adds rows that differ from all centres until there are k of them: where
// a sample had too few.
func (p *points) complete(at []float32, k int) []float32 {
	buffer := make([]float32, p.cols)
	for i := 0; i < p.rows && len(at) < k*p.cols; i++ {
		x := p.block(buffer, i, 1)
		known := false
		for c := 0; c < len(at) && !known; c += p.cols {
			known = slices.Equal(at[c:c+p.cols], x)
		}
		if !known {
			at = append(at, x...)
		}
	}
	return at
}

// take keeps what a run found.
func (k *KMeans) take(l *lloyd, data Data) error {
	distance := l.distances()
	k.centroids = make([]float64, len(l.at))
	for i, v := range l.at {
		k.centroids[i] = float64(v)
		if l.pivot != nil {
			k.centroids[i] += float64(l.pivot[i%l.cols])
		}
	}
	k.spread = spreads(distance, l.label, l.k)
	k.figures = Figures{"inertia": l.inertia(), "iterations": float64(l.iterations), "converged": 0}
	if l.converged {
		k.figures["converged"] = 1
	}
	if k.options.Silhouette > 0 && l.k > 1 {
		k.figures["silhouette"] = l.silhouette(k.options.Silhouette, k.options.Seed)
	}
	k.shape = data.shape()
	k.prepare()
	return nil
}

// spreads is the root mean squared distance of each cluster, or a tenth of that
// of all rows where that is more, or 1 where that is 0.
func spreads(distance []float64, label []int32, k int) []float64 {
	sum, count, total := make([]float64, k), make([]int, k), 0.0
	for i, d := range distance {
		sum[label[i]] += d
		count[label[i]]++
		total += d
	}
	least := math.Sqrt(total/float64(len(distance))) / 10
	if least == 0 {
		least = 1
	}
	for c := range sum {
		sum[c] = math.Max(math.Sqrt(sum[c]/math.Max(float64(count[c]), 1)), least)
	}
	return sum
}

// prepare makes what Score multiplies by, from centroids.
func (k *KMeans) prepare() {
	cols, clusters := k.shape.cols, len(k.spread)
	k.origin = make([]float32, cols)
	for j := range k.origin {
		sum := 0.0
		for c := range clusters {
			sum += k.centroids[c*cols+j]
		}
		k.origin[j] = float32(sum / float64(clusters))
	}
	at := make([]float32, len(k.centroids))
	for i, v := range k.centroids {
		at[i] = float32(v - float64(k.origin[i%cols]))
	}
	k.nearest, k.farthest = newPointSet(at, cols), 0
	for c := range clusters {
		k.farthest = math.Max(k.farthest, squareLength(at[c*cols:(c+1)*cols]))
	}
}

// Score writes the distance to the nearest centroid, over its cluster's spread
// where the options say so.
func (k *KMeans) Score(x []float32, dst []float64) error {
	if err := k.shape.checkScore(x, dst); err != nil {
		return fmt.Errorf("kmeans: %w", err)
	}
	k.eachNearest(x, func(row int, cluster int32) {
		square := k.square(x[row*k.shape.cols:(row+1)*k.shape.cols], cluster, math.Inf(1))
		dst[row] = bounded(math.Sqrt(square))
		if k.options.Spread {
			dst[row] /= k.spread[cluster]
		}
	})
	return nil
}

// square is the squared distance of a row to a centroid, or any number above limit
// where it is above.
func (k *KMeans) square(row []float32, cluster int32, limit float64) float64 {
	sum := 0.0
	for j, c := range k.centroids[int(cluster)*len(row) : (int(cluster)+1)*len(row)] {
		d := float64(row[j]) - c
		if sum += float64(d * d); sum > limit {
			break
		}
	}
	return sum
}

// Assign writes the cluster of each row of x to dst.
func (k *KMeans) Assign(x []float32, dst []int32) error {
	if err := k.shape.checkScore(x, make([]float64, len(dst))); err != nil {
		return fmt.Errorf("kmeans: %w", err)
	}
	k.eachNearest(x, func(row int, cluster int32) { dst[row] = cluster })
	return nil
}

// eachNearest finds the nearest centroid of all rows of x, of several as near the
// first. It calls take from several goroutines. float32 decides where no rounding
// can have changed its answer, else float64.
func (k *KMeans) eachNearest(x []float32, take func(row int, cluster int32)) {
	p := &points{x: x, cols: k.shape.cols, pivot: k.origin}
	parallel.Blocks(len(x)/p.cols, chunkRows, func(from, to int) {
		buffer, index := make([]float32, blockRows*p.cols), make([]int32, blockRows)
		squares, norms := make([]float64, blockRows), make([]float32, blockRows)
		least, second := make([]float32, blockRows), make([]float32, blockRows)
		for lo := from; lo < to; lo += blockRows {
			n := min(blockRows, to-lo)
			rows := p.block(buffer, lo, n)
			cpu.SquareSums(squares[:n], rows, p.cols)
			for i, v := range squares[:n] {
				norms[i] = float32(v)
			}
			k.nearest.TwoNearest(index[:n], least[:n], second[:n], rows, norms[:n])
			for i, c := range index[:n] {
				if off := 2 * p.rounding() * (squares[i] + k.farthest); !(float64(second[i])-float64(least[i]) > off) {
					c = k.exactNearest(x[(lo+i)*p.cols : (lo+i+1)*p.cols])
				}
				take(lo+i, c)
			}
		}
	})
}

// exactNearest is the first of the centroids that are nearest to a row.
func (k *KMeans) exactNearest(row []float32) int32 {
	nearest, least := int32(0), math.Inf(1)
	for c := range k.spread {
		if square := k.square(row, int32(c), least); square < least {
			nearest, least = int32(c), square
		}
	}
	return nearest
}

// Centroids are the centroids, clusters×cols; nil before Fit.
func (k *KMeans) Centroids() []float64 { return slices.Clone(k.centroids) }

// Save keeps the centroids and the clusters' spreads.
func (k *KMeans) Save() (*checkpoint.File, error) {
	f, err := newState("kmeans", k.shape, k.options)
	if err != nil {
		return nil, err
	}
	n := len(k.spread)
	f.Tensors = []checkpoint.Tensor{wide("centroids", k.centroids, n, k.shape.cols), wide("spread", k.spread, n)}
	return f, k.figures.save(f)
}

// Load takes saved centroids.
func (k *KMeans) Load(f *checkpoint.File) error {
	*k = KMeans{options: k.options}
	loaded := KMeans{}
	s, err := readState(f, "kmeans", &loaded.options)
	if err != nil {
		return err
	}
	var errs [3]error
	var dims []int
	loaded.spread, dims, errs[0] = readWide(f, "spread", anySize)
	if errs[0] == nil {
		loaded.centroids, _, errs[1] = readWide(f, "centroids", dims[0], s.cols)
	}
	errs[2] = loaded.figures.load(f)
	if err := firstError(errs[:]...); err != nil {
		return fmt.Errorf("kmeans: %w", err)
	}
	if len(loaded.spread) == 0 {
		return errors.New("kmeans: the file has no centroids")
	}
	loaded.shape = s
	loaded.prepare()
	*k = loaded
	return nil
}
