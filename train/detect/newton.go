package detect

import (
	"math"
	"slices"

	"flowbench/data/parallel"
)

// logisticProblem is the loss of LogisticRegression with its derivatives. Rows
// are summed in a grid of blocks that depends on their number alone, and the
// blocks in order: the bits do not depend on the threads.
//
// Columns are centred. That moves the intercept and nothing else, for it has no
// penalty, and keeps a large mean from drowning the curvature.
type logisticProblem struct {
	Data
	cols     int
	mean     []float64  // of each column
	weight   [2]float64 // of a negative and of a positive row: C·s
	size     int        // rows of a block
	blocks   []logisticBlock
	gradient []float64 // where evaluate was called last; cols+1
	hessian  []float64 // (cols+1)², upper triangle
}

// logisticBlock holds the sums of one block.
type logisticBlock struct {
	loss              float64
	gradient, hessian []float64
}

// gridBlocks is enough to keep any number of cores busy and few enough that
// their Hessians (48 KiB each for 77 columns) stay small.
const gridBlocks = 64

// newLogisticProblem balances the classes of data so that their weights are
// those of total rows in sum.
func newLogisticProblem(data Data, total int) *logisticProblem {
	n, positives := float64(total), float64(data.positives())
	d := data.Cols + 1
	p := &logisticProblem{
		Data:     data,
		cols:     data.Cols,
		weight:   [2]float64{logisticC * n / (2 * (float64(data.Rows) - positives)), logisticC * n / (2 * positives)},
		size:     (data.Rows + gridBlocks - 1) / gridBlocks,
		gradient: make([]float64, d),
		hessian:  make([]float64, d*d),
	}
	p.blocks = make([]logisticBlock, (data.Rows+p.size-1)/p.size)
	for b := range p.blocks {
		p.blocks[b] = logisticBlock{gradient: make([]float64, d), hessian: make([]float64, d*d)}
	}
	p.mean = p.columnMeans()
	return p
}

func (p *logisticProblem) columnMeans() []float64 {
	p.each(func(b *logisticBlock, lo, hi int) {
		clear(b.gradient)
		for i := lo; i < hi; i++ {
			for j, v := range p.row(i) {
				b.gradient[j] += float64(v)
			}
		}
	})
	mean := make([]float64, p.cols)
	for j := range mean {
		for _, b := range p.blocks {
			mean[j] += b.gradient[j]
		}
		mean[j] /= float64(p.Rows)
	}
	return mean
}

// moved returns the weights for columns as they came from those for centred
// columns (sign -1), or the reverse (sign 1).
func (p *logisticProblem) moved(w []float64, sign float64) []float64 {
	out := slices.Clone(w)
	for j, m := range p.mean {
		out[p.cols] += float64(sign * w[j] * m)
	}
	return out
}

// centre writes row i less the means, and a 1 for the intercept, to x and
// returns its log-odds at w.
func (p *logisticProblem) centre(x []float64, i int, w []float64) float64 {
	odds := w[p.cols]
	x[p.cols] = 1
	for j, v := range p.row(i) {
		x[j] = float64(v) - p.mean[j]
		odds += float64(w[j] * x[j])
	}
	return odds
}

func (p *logisticProblem) each(do func(b *logisticBlock, lo, hi int)) {
	parallel.Blocks(p.Rows, p.size, func(lo, hi int) { do(&p.blocks[lo/p.size], lo, hi) })
}

func (p *logisticProblem) row(i int) []float32 { return p.X[i*p.cols : (i+1)*p.cols] }

// evaluate returns the loss at w and leaves its gradient in p.gradient.
func (p *logisticProblem) evaluate(w []float64) float64 {
	p.each(func(b *logisticBlock, lo, hi int) { p.sumGradient(b, w, lo, hi) })
	loss := 0.0
	copy(p.gradient, w)
	p.gradient[p.cols] = 0
	for _, v := range w[:p.cols] {
		loss += float64(v * v / 2)
	}
	for _, b := range p.blocks {
		loss += b.loss
		for j, g := range b.gradient {
			p.gradient[j] += g
		}
	}
	return loss
}

func (p *logisticProblem) sumGradient(b *logisticBlock, w []float64, lo, hi int) {
	b.loss = 0
	clear(b.gradient)
	x := make([]float64, p.cols+1)
	for i := lo; i < hi; i++ {
		z := p.centre(x, i, w)
		var slope float64 // of the row's loss in its log-odds
		if p.Positive[i] {
			b.loss += float64(p.weight[1] * softplus(-z))
			slope = -p.weight[1] * sigmoid(-z)
		} else {
			b.loss += float64(p.weight[0] * softplus(z))
			slope = p.weight[0] * sigmoid(z)
		}
		g := b.gradient[:len(x)]
		for j, v := range x {
			g[j] += float64(slope * v)
		}
	}
}

// softplus is log(1 + exp(z)), without overflow.
func softplus(z float64) float64 { return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }

func sigmoid(z float64) float64 {
	if z < 0 {
		e := math.Exp(z)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-z))
}

// curvature returns the Hessian at w, upper triangle; the next call overwrites it.
func (p *logisticProblem) curvature(w []float64) []float64 {
	p.each(func(b *logisticBlock, lo, hi int) { p.sumHessian(b, w, lo, hi) })
	clear(p.hessian)
	d := p.cols + 1
	for j := range p.cols {
		p.hessian[j*d+j] = 1
	}
	for _, b := range p.blocks {
		for j, h := range b.hessian {
			p.hessian[j] += h
		}
	}
	return p.hessian
}

// sumHessian adds c·x·xᵀ for each row, c being the second derivative of its loss
// in its log-odds and x having a 1 for the intercept. It takes four rows at a
// time, so that an element of the sum is loaded and stored once for the four.
func (p *logisticProblem) sumHessian(b *logisticBlock, w []float64, lo, hi int) {
	clear(b.hessian)
	d := p.cols + 1
	buffer := make([]float64, 4*d)
	var x [4][]float64
	for r := range x {
		x[r] = buffer[r*d : (r+1)*d]
	}
	for i := lo; i < hi; i += 4 {
		var c [4]float64 // 0 beyond the last row
		for r := range min(4, hi-i) {
			q := sigmoid(p.centre(x[r], i+r, w))
			c[r] = q * (1 - q) * p.weight[0]
			if p.Positive[i+r] {
				c[r] = q * (1 - q) * p.weight[1]
			}
		}
		addOuter(b.hessian, c, x)
	}
}

// addOuter adds the upper triangle of Σ c_r·x_r·x_rᵀ to h, a d×d matrix.
func addOuter(h []float64, c [4]float64, x [4][]float64) {
	d := len(x[0])
	for j := range d {
		a0, a1, a2, a3 := c[0]*x[0][j], c[1]*x[1][j], c[2]*x[2][j], c[3]*x[3][j]
		row := h[j*d+j : j*d+d]
		// Equal lengths spare the loop its bounds checks.
		x0, x1, x2, x3 := x[0][j:][:len(row)], x[1][j:][:len(row)], x[2][j:][:len(row)], x[3][j:][:len(row)]
		for k := range row {
			row[k] += float64(float64(float64(a0*x0[k])+float64(a1*x1[k])) + float64(float64(a2*x2[k])+float64(a3*x3[k])))
		}
	}
}

// solvePositive solves a·x = b for a symmetric positive definite a, of which it
// reads and overwrites the upper triangle (Cholesky, a = Rᵀ·R); b becomes x. It
// returns false where a is not positive definite in float64.
func solvePositive(a, b []float64) bool {
	d := len(b)
	for j := range d {
		pivot := a[j*d+j]
		if !(pivot > 0) || math.IsInf(pivot, 1) {
			return false
		}
		root := math.Sqrt(pivot)
		for k := j; k < d; k++ {
			a[j*d+k] /= root
		}
		for i := j + 1; i < d; i++ {
			f := a[j*d+i]
			for k := i; k < d; k++ {
				a[i*d+k] -= float64(f * a[j*d+k])
			}
		}
	}
	for i := range d { // Rᵀ·y = b
		b[i] /= a[i*d+i]
		for k := i + 1; k < d; k++ {
			b[k] -= float64(a[i*d+k] * b[i])
		}
	}
	for i := d - 1; i >= 0; i-- { // R·x = y
		for k := i + 1; k < d; k++ {
			b[i] -= float64(a[i*d+k] * b[k])
		}
		b[i] /= a[i*d+i]
	}
	return true
}
