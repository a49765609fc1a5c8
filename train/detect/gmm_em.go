package detect

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"flowbench/data/parallel"
	"flowbench/kernels/cpu"
)

// em is the expectation-maximisation of a mixture: each step goes once over the
// rows and both weighs them and gathers the moments that the next parameters are
// made of.
type em struct {
	*mixture
	data       Data
	floor      float64
	label      []int32 // the most likely component of each row
	effective  []float64
	iterations int
	likelihood float64 // mean logarithm of the density, of the last parameters
	converged  bool
	warnings   []string
}

// emStrips is how many pieces the rows are cut into: their moments, cols² numbers
// for each component, are all kept until they are added up in order.
const emStrips = 32

// negligible is the responsibility below which a row's part in the moments of a
// component is lost in the rounding of their sums.
const negligible = 0x1p-50

// moments are the weighted sums of rows as each component sees them: whitened by
// its covariance where it has correlations, and so of a size in all directions,
// of which none loses digits to another in float32; else less its mean.
type moments struct {
	*mixture
	weight  []float64
	sum     []float64   // k×cols
	cross   []float64   // k×cols², or k×cols
	waiting [][]float32 // rows of each component that are still to be multiplied, times the root of their weight
	grams   []*cpu.Gram // the products of those before
	logs    float64     // sum of the logarithms of the densities
}

func newMoments(m *mixture) *moments {
	each := m.cols
	if m.dense() {
		each *= m.cols
	}
	return &moments{
		mixture: m, weight: make([]float64, m.k), sum: make([]float64, m.k*m.cols), cross: make([]float64, m.k*each),
	}
}

// add takes in a row with its weight in a component without correlations.
func (s *moments) add(row []float32, component int, weight float64) {
	d := s.cols
	s.weight[component] += weight
	sum, mean, cross := s.sum[component*d:(component+1)*d], s.mean[component*d:(component+1)*d], s.cross[component*d:(component+1)*d]
	for j, v := range row {
		y := float64(v) - mean[j]
		sum[j] += float64(weight * y)
		cross[j] += float64(weight * float64(y*y))
	}
}

// addWhite takes in a whitened row with its weight in a component.
func (s *moments) addWhite(row []float32, component int, weight float64) {
	s.weight[component] += weight
	sum, waiting := s.sum[component*s.cols:(component+1)*s.cols], s.waiting[component]
	at := len(waiting)
	waiting = append(waiting, row...)
	if weight == 1 {
		for j, v := range row {
			sum[j] += float64(v)
		}
	} else {
		root := float32(math.Sqrt(weight))
		for j, v := range row {
			sum[j] += float64(weight * float64(v))
			waiting[at+j] = root * v
		}
	}
	if s.waiting[component] = waiting; len(waiting) == blockRows*s.cols {
		s.multiply(component)
	}
}

// multiply adds the products of the rows that wait for it.
func (s *moments) multiply(component int) {
	if len(s.waiting[component]) == 0 {
		return
	}
	if s.grams[component] == nil {
		s.grams[component] = newGram(s.cols)
	}
	s.grams[component].Add(s.waiting[component], nil, nil)
	s.waiting[component] = s.waiting[component][:0]
}

// finish multiplies what waits, and gives back the room for it.
func (s *moments) finish() {
	size := s.cols * s.cols
	for c := range s.waiting {
		s.multiply(c)
		if g := s.grams[c]; g != nil {
			g.Sum(s.cross[c*size : (c+1)*size])
		}
	}
	s.waiting, s.grams = nil, nil
}

func (s *moments) merge(other *moments) {
	s.logs += other.logs
	for i, v := range other.weight {
		s.weight[i] += v
	}
	for i, v := range other.sum {
		s.sum[i] += v
	}
	for i, v := range other.cross {
		s.cross[i] += v
	}
}

// pass goes over the rows, strip by strip, and adds up what each contributes.
func (e *em) pass(ctx context.Context, progress Progress, strip func(s *moments, lo, hi int)) (*moments, error) {
	size := ((e.data.Rows+chunkRows-1)/chunkRows + emStrips - 1) / emStrips * chunkRows
	parts := make([]*moments, (e.data.Rows+size-1)/size)
	watch := newWatch(progress, "expectation and maximisation", len(parts))
	parallel.Each(len(parts), func(i int) {
		if ctx.Err() != nil {
			return
		}
		s := newMoments(e.mixture)
		if e.dense() {
			s.waiting, s.grams = make([][]float32, e.k), make([]*cpu.Gram, e.k)
		}
		strip(s, i*size, min((i+1)*size, e.data.Rows))
		s.finish()
		parts[i] = s
		watch.done()
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	total := newMoments(e.mixture)
	for _, p := range parts {
		total.merge(p)
	}
	return total, nil
}

// start takes the first parameters from the labels. Whitened by what a first
// look gives, a second is as exact as later steps.
func (e *em) start(ctx context.Context) error {
	looks := 1
	if e.dense() {
		e.scale = identities(e.cols, e.matrices())
		e.lower, looks = e.scale, 2
	}
	for range looks {
		e.prepare()
		s, err := e.pass(ctx, nil, e.weighLabels)
		if err != nil {
			return err
		}
		if err := e.maximise(s); err != nil {
			return err
		}
	}
	return nil
}

// matrices is how many covariances there are.
func (m *mixture) matrices() int {
	if m.covariance == Tied {
		return 1
	}
	return m.k
}

func identities(d, count int) []float64 {
	m := make([]float64, count*d*d)
	for i := 0; i < len(m); i += d * d {
		for j := range d {
			m[i+j*(d+1)] = 1
		}
	}
	return m
}

// weighLabels gives each row to the component of its label alone.
func (e *em) weighLabels(s *moments, lo, hi int) {
	if !e.dense() {
		for i := lo; i < hi; i++ {
			s.add(e.data.X[i*e.cols:(i+1)*e.cols], int(e.label[i]), 1)
		}
		return
	}
	moved, white := make([]float32, e.cols), make([]float32, e.cols)
	for i := lo; i < hi; i++ {
		c := int(e.label[i])
		for j, o := range e.origin[c*e.cols : (c+1)*e.cols] {
			moved[j] = e.data.X[i*e.cols+j] - o
		}
		e.seen[c*e.k+c].product(white, moved, 1)
		s.addWhite(white, c, 1)
	}
}

// step weighs the rows by the parameters there are and, where learn says so,
// replaces these by those that the weighted rows make likeliest.
func (e *em) step(ctx context.Context, progress Progress, learn bool) error {
	s, err := e.pass(ctx, progress, func(s *moments, lo, hi int) {
		look, near := e.newLook(), make([][]int32, e.k)
		for ; lo < hi; lo += chunkRows {
			for i := lo; i < min(lo+chunkRows, hi); i++ {
				near[e.label[i]] = append(near[e.label[i]], int32(i))
			}
			for from, rows := range near {
				e.weigh(s, look, rows, from, learn)
				near[from] = rows[:0]
			}
		}
	})
	if err != nil {
		return err
	}
	e.likelihood = s.logs / float64(e.data.Rows)
	if e.likelihood-e.likelihood != 0 {
		return fmt.Errorf("the likelihood is %v: scale the features before", e.likelihood)
	}
	if !learn {
		return nil
	}
	return e.maximise(s)
}

// weigh adds rows that are near a component to the moments of those that they may
// be of.
func (e *em) weigh(s *moments, look *look, rows []int32, from int, learn bool) {
	for ; len(rows) > 0; rows = rows[min(lookRows, len(rows)):] {
		part := rows[:min(lookRows, len(rows))]
		e.densities(look, e.data.X, part, from)
		for i, r := range part {
			terms := look.density[i*e.k : (i+1)*e.k]
			sum, largest := logSumExp(terms)
			s.logs += sum
			e.label[r] = int32(largest)
			if !learn {
				continue
			}
			for c, v := range terms {
				switch weight := math.Exp(v - sum); {
				case !(weight > negligible):
				case e.dense():
					s.addWhite(look.white[c][i*e.cols:(i+1)*e.cols], c, weight)
				default:
					s.add(e.data.X[int(r)*e.cols:(int(r)+1)*e.cols], c, weight)
				}
			}
		}
	}
}

// maximise replaces the parameters. A component that holds less than a millionth
// of a row keeps its place.
func (e *em) maximise(s *moments) error {
	rows, d := float64(e.data.Rows), e.cols
	next := &mixture{covariance: e.covariance, k: e.k, cols: d, weight: make([]float64, e.k), mean: slices.Clone(e.mean)}
	covariances := make([]float64, len(s.cross))
	size := len(s.cross) / e.k
	for c := range e.k {
		n := math.Max(s.weight[c], 1e-6)
		next.weight[c] = n / rows
		shift := make([]float64, d)
		for j := range shift {
			shift[j] = s.sum[c*d+j] / n
		}
		to := covariances[c*size : (c+1)*size]
		centred(to, s.cross[c*size:(c+1)*size], shift, n)
		if e.dense() {
			e.coloured(to, shift, c)
		}
		for j, v := range shift {
			next.mean[c*d+j] += v
		}
	}
	e.effective = s.weight
	if err := next.factor(e.floored(next, covariances)); err != nil {
		return err
	}
	next.prepare()
	e.mixture = next
	return nil
}

// centred makes sums of squares about another point, the mean less shift, into
// the covariance about the mean; or only its diagonal.
func centred(dst, cross, shift []float64, n float64) {
	d := len(shift)
	if len(cross) == d {
		for j, v := range cross {
			dst[j] = math.Max(v/n-float64(shift[j]*shift[j]), 0)
		}
		return
	}
	for a := range d {
		for b := a; b < d; b++ {
			v := cross[a*d+b]/n - float64(shift[a]*shift[b])
			if a == b {
				v = math.Max(v, 0)
			}
			dst[a*d+b], dst[b*d+a] = v, v
		}
	}
}

// coloured takes a covariance and a shift of whitened coordinates back: L·C·Lᵀ
// and L·s.
func (e *em) coloured(covariance, shift []float64, component int) {
	d := e.cols
	lower := mat.NewDense(d, d, e.lowerOf(component))
	c := mat.NewDense(d, d, covariance)
	var half, whole mat.Dense
	half.Mul(lower, c)
	whole.Mul(&half, lower.T())
	for a := range d {
		for b := a; b < d; b++ {
			v := whole.At(a, b)
			c.Set(a, b, v)
			c.Set(b, a, v)
		}
	}
	var moved mat.VecDense
	moved.MulVec(lower, mat.NewVecDense(d, slices.Clone(shift)))
	copy(shift, moved.RawVector().Data)
}

// floored adds the floor to all variances, and pools the covariances where the
// kind says so.
func (e *em) floored(m *mixture, covariances []float64) []float64 {
	d := m.cols
	switch e.covariance {
	case Tied:
		pooled := make([]float64, d*d)
		for i, v := range covariances {
			pooled[i%(d*d)] += m.weight[i/(d*d)] * v
		}
		covariances = pooled
	case Spherical:
		for c := range m.k {
			mean := 0.0
			for _, v := range covariances[c*d : (c+1)*d] {
				mean += v / float64(d)
			}
			for j := range d {
				covariances[c*d+j] = mean
			}
		}
	}
	for i := range covariances {
		if !m.dense() || i%(d*d)%(d+1) == 0 {
			covariances[i] += e.floor
		}
	}
	return covariances
}
