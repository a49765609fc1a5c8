package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"flowbench/data/parallel"
	"flowbench/train/checkpoint"
)

// NearestOptions is what decides a Nearest beside its data.
type NearestOptions struct {
	// K is which of the distinct training rows, by distance, counts; 0 is 1.
	K int `json:"k"`
	// Score is Distance or Residual; "" is the first.
	Score string `json:"score"`
	// free tells how many bytes of memory may be taken; nil asks the machine.
	free func() (int64, bool)
}

// Scores of a Nearest.
const (
	// Distance is the Euclidean distance to the K-th nearest training row.
	Distance = "distance"
	// Residual is the mean over the columns of ln²(1 + |difference|/usual) from the
	// K-th nearest training row, where usual is 0.001 and the median of the
	// differences between training rows and their K-th nearest others. It asks in
	// how many columns a row is unlike, rather than how far off it is in one, and
	// is for columns scaled to a standard deviation of 1.
	Residual = "residual"
)

// Nearest scores a row by how far it is from the nearest of the training rows,
// all of which it keeps (Ramaswamy, Rastogi, Shim, SIGMOD 2000). The nearest are
// found exactly, see Cluster for how and at what cost; rows that are equal count
// once. The truth is not read.
type Nearest struct {
	options NearestOptions
	shape   shape
	kept    keptRows
	usual   []float64 // of each column; nil for Distance
}

// NewNearest returns an unfitted Nearest.
func NewNearest(o NearestOptions) *Nearest { return &Nearest{options: o} }

// Name is "nearest", and after Fit what it keeps: "nearest (k 1 of 39983 rows)".
func (n *Nearest) Name() string {
	if n.shape.cols == 0 {
		return "nearest"
	}
	return fmt.Sprintf("nearest (k %d of %d rows)", n.options.k(), n.kept.rows)
}

func (o NearestOptions) k() int { return max(o.K, 1) }

// Fit keeps the distinct rows. For Residual it finds each one's K-th nearest
// other, or those of every few where there are more than usualSample.
func (n *Nearest) Fit(ctx context.Context, data Data) error {
	*n = Nearest{options: n.options}
	fitted, err := n.options.fit(ctx, data)
	if err != nil {
		return fmt.Errorf("nearest: %w", err)
	}
	*n = *fitted
	return nil
}

func (o NearestOptions) fit(ctx context.Context, data Data) (*Nearest, error) {
	if err := firstError(ctx.Err(), data.check(), o.check(data)); err != nil {
		return nil, err
	}
	n := &Nearest{options: o, shape: data.shape()}
	first := distinctRows(data.X, data.Cols).first
	switch {
	case len(first) < o.k():
		return nil, fmt.Errorf("k is %d, but only %d of %d rows are distinct", o.k(), len(first), data.Rows)
	case len(first) == o.k() && o.Score == Residual:
		return nil, fmt.Errorf("k is %d, but only %d of %d rows are distinct, and none is its own neighbour", o.k(), len(first), data.Rows)
	}
	var err error
	if n.kept, err = keepRows(ctx, data.X, data.Cols, first); err != nil {
		return nil, err
	}
	if o.Score == Residual {
		err = n.learnUsual(ctx, data, first)
	}
	return n, err
}

func (o NearestOptions) check(data Data) error {
	switch {
	case o.K < 0:
		return fmt.Errorf("k is %d: write 1 or more", o.K)
	case o.Score != "" && o.Score != Distance && o.Score != Residual:
		return fmt.Errorf("score %q is neither %s nor %s", o.Score, Distance, Residual)
	}
	depth := min(data.Cols, sketchDepth)
	return affordable(int64(data.Rows)*int64(4*(data.Cols+4*depth)+48), o.free)
}

// usualSample is how many rows the usual differences are the medians of at the
// most: enough for two digits.
const usualSample = 1 << 14

// leastUsual stands for the usual difference of a column in which most rows equal
// their neighbour.
const leastUsual = 1e-3

// learnUsual sets usual from the rows named by first.
func (n *Nearest) learnUsual(ctx context.Context, data Data, first []int32) error {
	step := (len(first) + usualSample - 1) / usualSample
	var chosen []int32
	for i := 0; i < len(first); i += step {
		chosen = append(chosen, first[i])
	}
	q, err := newAtlas(ctx, n.kept.sketcher, data.X, chosen)
	if err != nil {
		return err
	}
	cols, count := data.Cols, len(chosen)
	differences := make([]float64, cols*count)
	find := nearestSearch{in: n.kept.atlas, k: n.options.k() + 1} // with the row itself
	err = find.each(ctx, q, newWatch(data.Progress, "neighbours", q.blocks()), func(place int, found []neighbour) {
		other, row := found[len(found)-1], q.row(place)
		for j, v := range n.kept.row(int(other.place)) {
			differences[j*count+place] = math.Abs(float64(row[j]) - float64(v))
		}
	})
	if err != nil {
		return err
	}
	n.usual = make([]float64, cols)
	parallel.Each(cols, func(j int) {
		column := differences[j*count:][:count]
		slices.Sort(column)
		n.usual[j] = column[count/2] + leastUsual
	})
	return nil
}

// Score finds each row's K-th nearest.
func (n *Nearest) Score(x []float32, dst []float64) error {
	if err := n.shape.checkScore(x, dst); err != nil {
		return fmt.Errorf("nearest: %w", err)
	}
	cols := n.shape.cols
	n.kept.nearest(x, n.options.k(), func(row int, found []neighbour, kept func(int32) []float32) {
		last := found[len(found)-1]
		if n.usual == nil {
			dst[row] = bounded(math.Sqrt(last.square))
			return
		}
		dst[row] = n.unlike(x[row*cols:][:cols], kept(last.place))
	})
	return nil
}

// unlike is the Residual of two rows.
func (n *Nearest) unlike(a, b []float32) float64 {
	sum := 0.0
	for j, v := range a {
		l := math.Log1p(math.Abs(float64(v)-float64(b[j])) / n.usual[j])
		sum += float64(l * l)
	}
	return sum / float64(len(a))
}

// Save keeps the rows.
func (n *Nearest) Save() (*checkpoint.File, error) {
	f, err := newState("nearest", n.shape, n.options)
	if err != nil {
		return nil, err
	}
	f.Tensors = append(f.Tensors, n.kept.tensor("rows"))
	if n.usual != nil {
		f.Tensors = append(f.Tensors, wide("usual", n.usual, len(n.usual)))
	}
	return f, nil
}

// Load takes saved rows.
func (n *Nearest) Load(f *checkpoint.File) error {
	loaded := Nearest{}
	if err := loaded.load(f); err != nil {
		*n = Nearest{options: n.options}
		return fmt.Errorf("nearest: %w", err)
	}
	*n = loaded
	return nil
}

func (n *Nearest) load(f *checkpoint.File) (err error) {
	if n.shape, err = readState(f, "nearest", &n.options); err != nil {
		return err
	}
	if n.kept, err = readKept(f, "rows", n.shape); err != nil {
		return err
	}
	if n.kept.rows < n.options.k() {
		return fmt.Errorf("the file's k is %d of %d rows", n.options.k(), n.kept.rows)
	}
	if n.options.Score != Residual {
		return nil
	}
	if n.usual, _, err = readWide(f, "usual", n.shape.cols); err != nil {
		return err
	}
	for _, u := range n.usual {
		if !(u > 0 && u <= math.MaxFloat64) {
			return errors.New("the file's usual differences are not above 0")
		}
	}
	return nil
}
