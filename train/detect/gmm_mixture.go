package detect

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Covariances of a GMM.
const (
	Full      = "full"      // each component its own
	Tied      = "tied"      // one for all components
	Diagonal  = "diagonal"  // each its own, without correlations
	Spherical = "spherical" // each its own variance, the same in all directions
)

// mixture is the parameters of a Gaussian mixture.
type mixture struct {
	covariance string // its kind
	k, cols    int
	weight     []float64 // sums to 1
	mean       []float64 // k×cols
	// scale holds for each component, or once where that is tied, the inverse of
	// the covariance's lower Cholesky factor, cols×cols; for a diagonal or spherical
	// one, k×cols inverse standard deviations.
	scale []float64
	// lower is the Cholesky factors that scale inverts; only Fit needs them.
	lower []float64

	origin   []float32 // mean, rounded
	constant []float64 // of the logarithm of each component's density
	seen     []*operand
	reach    []reach // of each component; nil for a diagonal or spherical covariance
}

// dense says whether the components have correlations.
func (m *mixture) dense() bool { return m.covariance == Full || m.covariance == Tied }

// scaleOf and lowerOf are a component's part.
func (m *mixture) scaleOf(component int) []float64 { return m.partOf(m.scale, component) }
func (m *mixture) lowerOf(component int) []float64 { return m.partOf(m.lower, component) }

func (m *mixture) partOf(all []float64, component int) []float64 {
	if m.covariance == Tied {
		return all
	}
	n := len(all) / m.k
	return all[component*n : (component+1)*n]
}

// prepare makes what densities multiplies by.
func (m *mixture) prepare() {
	m.origin, m.constant = make([]float32, len(m.mean)), make([]float64, m.k)
	for i, v := range m.mean {
		m.origin[i] = float32(v)
	}
	for c := range m.k {
		scale, step := m.scaleOf(c), 1
		if m.dense() {
			step = m.cols + 1 // along the diagonal
		}
		logs := 0.0
		for i := 0; i < len(scale); i += step {
			logs += math.Log(scale[i])
		}
		m.constant[c] = math.Log(m.weight[c]) + logs - float64(m.cols)/2*math.Log(2*math.Pi)
	}
	m.seen, m.reach = nil, nil
	if m.dense() {
		for from := range m.k {
			m.reach = append(m.reach, m.reachOf(from))
			for c := range m.k {
				m.seen = append(m.seen, m.seenFrom(from, c))
			}
		}
	}
}

// seenFrom is what takes rows, less the mean of a component, to the whitened
// coordinates of another. Near that mean little of float32's digits is lost.
func (m *mixture) seenFrom(from, component int) *operand {
	vectors, bias := m.whitening(from, component)
	return newOperand(vectors, bias, m.cols, m.cols)
}

// whitening is the float32 values of seenFrom.
func (m *mixture) whitening(from, component int) (vectors, bias []float32) {
	scale, d := m.scaleOf(component), m.cols
	vectors, bias = make([]float32, d*d), make([]float32, d)
	for i := range d {
		sum := 0.0
		for j := range i + 1 {
			v := scale[i*d+j]
			vectors[i*d+j] = float32(v)
			sum += float64(v * (float64(m.origin[from*d+j]) - m.mean[component*d+j]))
		}
		bias[i] = float32(sum)
	}
	return vectors, bias
}

// lookRows is how many rows are looked at at once: whitened by each of four
// components, 64 rows of 78 columns are 80 KB, which a core's second cache holds.
const lookRows = 64

// look is a goroutine's room for densities.
type look struct {
	moved   []float32   // lookRows×cols
	white   [][]float32 // whitened coordinates, by component, lookRows×cols
	density []float64   // lookRows×k
	squares []float64   // lookRows
	rows    []int32     // lookRows
	band    []float64   // k
	centred []float64   // cols
}

func (m *mixture) newLook() *look {
	l := &look{moved: make([]float32, lookRows*m.cols), white: make([][]float32, m.k), density: make([]float64, lookRows*m.k), squares: make([]float64, lookRows)}
	l.rows, l.band, l.centred = make([]int32, lookRows), make([]float64, m.k), make([]float64, m.cols)
	for c := range l.white {
		if m.dense() {
			l.white[c] = make([]float32, lookRows*m.cols)
		}
	}
	return l
}

// densities writes the logarithm of each component's weighted density at the
// given rows of x to the first len(rows)×k of look.density. From is a component
// that the rows are near to.
func (m *mixture) densities(l *look, x []float32, rows []int32, from int) {
	d := m.cols
	origin := m.origin[from*d : (from+1)*d]
	for i, r := range rows {
		row, to := x[int(r)*d:(int(r)+1)*d], l.moved[i*d:(i+1)*d]
		for j, o := range origin {
			to[j] = row[j] - o
		}
	}
	squares := l.squares[:len(rows)]
	for c := range m.k {
		if m.dense() {
			onto := m.seen[from*m.k+c]
			onto.product(l.white[c], l.moved, len(rows))
			onto.squareSums(squares, l.white[c])
		} else {
			for i, r := range rows {
				squares[i] = m.axisSquares(x[int(r)*d:(int(r)+1)*d], c)
			}
		}
		for i, square := range squares {
			l.density[i*m.k+c] = m.constant[c] - square/2
		}
	}
}

func (m *mixture) axisSquares(row []float32, component int) float64 {
	scale, mean, sum := m.scaleOf(component), m.mean[component*m.cols:(component+1)*m.cols], 0.0
	for j, v := range row {
		y := (float64(v) - mean[j]) * scale[j]
		sum += float64(y * y)
	}
	return sum
}

// logSumExp is the logarithm of the sum of the exponentials, and the place of the
// largest term, the first of equals. Terms that are no numbers count as 0; where
// none is a number, the sum is -Inf.
func logSumExp(terms []float64) (sum float64, largest int) {
	for i, v := range terms {
		if v > terms[largest] || terms[largest] != terms[largest] {
			largest = i
		}
	}
	most := terms[largest]
	if !(most > math.Inf(-1)) {
		return math.Inf(-1), largest
	}
	for _, v := range terms {
		if e := math.Exp(v - most); e == e {
			sum += e
		}
	}
	return most + math.Log(sum), largest
}

// factor turns covariances into scales. Covariances are as mixture.scale, but of
// variances. A covariance that is not positive definite is an error.
func (m *mixture) factor(covariances []float64) error {
	m.scale, m.lower = make([]float64, len(covariances)), make([]float64, len(covariances))
	if !m.dense() {
		for i, v := range covariances {
			if m.scale[i] = 1 / math.Sqrt(v); !(m.scale[i] > 0 && m.scale[i] < math.MaxFloat64) {
				return m.singular(i / m.cols)
			}
		}
		return nil
	}
	d := m.cols
	for at := 0; at < len(covariances); at += d * d {
		var cholesky mat.Cholesky
		if !cholesky.Factorize(mat.NewSymDense(d, covariances[at:at+d*d])) {
			return m.singular(at / d / d)
		}
		var lower, inverse mat.TriDense
		cholesky.LTo(&lower)
		if err := inverse.InverseTri(&lower); err != nil {
			// A condition number too large for half of the digits is no obstacle here.
			if _, is := err.(mat.Condition); !is {
				return m.singular(at / d / d)
			}
		}
		for i := range d {
			for j := range i + 1 {
				v := inverse.At(i, j)
				if v-v != 0 {
					return m.singular(at / d / d)
				}
				m.scale[at+i*d+j], m.lower[at+i*d+j] = v, lower.At(i, j)
			}
		}
	}
	return nil
}

func (m *mixture) singular(component int) error {
	which := fmt.Sprintf("the covariance of component %d", component)
	if m.covariance == Tied {
		which = "the covariance"
	}
	return fmt.Errorf("%s is singular: raise the floor, leave out constant columns, or put a PCA before", which)
}

// parameters is how many numbers the mixture is free in, for BIC and AIC.
func (m *mixture) parameters() int {
	n := m.k*m.cols + m.k - 1
	triangle := m.cols * (m.cols + 1) / 2
	switch m.covariance {
	case Full:
		return n + m.k*triangle
	case Tied:
		return n + triangle
	case Diagonal:
		return n + m.k*m.cols
	}
	return n + m.k
}
