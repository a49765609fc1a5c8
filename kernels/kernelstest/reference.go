package kernelstest

import (
	"math"

	"flowbench/kernels"
)

// reference executes a Program in float64, one instruction after the other,
// with the loops that the instruction's definition suggests. It shares no code
// with any backend; only the random draws are those of package kernels, which
// are part of the contract.
type reference struct {
	program *kernels.Program
	data    kernels.Data
	values  [][]float64 // by Buf; nil for the Table and the Target
	rows    []int32
	batch   kernels.Batch
	train   bool
	loss    float64
}

func newReference(p *kernels.Program, d kernels.Data) *reference {
	r := &reference{program: p, data: d, values: make([][]float64, len(p.Buffers))}
	for i, b := range p.Buffers {
		if b.Kind != kernels.Table && b.Kind != kernels.Target {
			r.values[i] = make([]float64, b.Len())
		}
	}
	return r
}

func (r *reference) write(b kernels.Buf, src []float32) {
	for i, v := range src {
		r.values[b][i] = float64(v)
	}
}

// step runs one training step and returns the loss.
func (r *reference) step(b kernels.Batch) float64 {
	r.rows, r.batch, r.train = b.Rows, b, true
	for _, in := range r.program.Train {
		r.instruction(in)
	}
	return r.loss
}

// predict runs Score over any number of rows.
func (r *reference) predict(rows []int32) []float64 {
	var out []float64
	r.train = false
	for len(rows) > 0 {
		r.rows = rows[:min(len(rows), r.program.Batch)]
		rows = rows[len(r.rows):]
		for _, in := range r.program.Score {
			r.instruction(in)
		}
		m := r.matrix(r.program.Output)
		for i := range r.rows {
			out = append(out, m.row(i)...)
		}
	}
	return out
}

func (r *reference) instruction(in kernels.Instruction) {
	switch in := in.(type) {
	case kernels.Corrupt:
		r.corrupt(in)
	case kernels.Dense:
		r.dense(in)
	case kernels.DenseGrad:
		r.denseGrad(in)
	case kernels.Norm:
		r.norm(in)
	case kernels.NormGrad:
		r.normGrad(in)
	case kernels.Loss:
		r.lossAndGrad(in)
	case kernels.ClipGradient:
		r.clip(in)
	case kernels.Update:
		r.update(in)
	default:
		panic("kernelstest: the reference has no such instruction")
	}
}

// matrix is a view of a buffer with cols columns.
type matrix struct {
	v    []float64
	cols int
}

func (m matrix) row(i int) []float64         { return m.v[i*m.cols : (i+1)*m.cols] }
func (m matrix) at(i, j int) float64         { return m.v[i*m.cols+j] }
func (m matrix) set(i, j int, value float64) { m.v[i*m.cols+j] = value }

// matrix of the Table is a gathered copy; of None it has no columns.
func (r *reference) matrix(b kernels.Buf) matrix {
	if b == kernels.None {
		return matrix{}
	}
	buf := r.program.Buffers[b]
	if buf.Kind != kernels.Table {
		return matrix{r.values[b], buf.Cols}
	}
	m := matrix{make([]float64, len(r.rows)*buf.Cols), buf.Cols}
	for i, row := range r.rows {
		for j := range buf.Cols {
			m.set(i, j, float64(r.data.X[int(row)*buf.Cols+j]))
		}
	}
	return m
}

func (r *reference) corrupt(in kernels.Corrupt) {
	x, y := r.matrix(in.X), r.matrix(in.Y)
	for i := range r.rows {
		for j := range y.cols {
			v, element := x.at(i, j), uint64(i*y.cols+j)
			if r.train {
				v += float64(in.Sigma) * float64(kernels.Normal(r.batch.Seed, r.batch.Step, in.Stream, element))
				if !kernels.Keep(r.batch.Seed, r.batch.Step, in.Stream, element, in.MaskRate) {
					v = 0
				}
			}
			y.set(i, j, v)
		}
	}
}

func (r *reference) dense(in kernels.Dense) {
	x, w, y := r.matrix(in.X), r.matrix(in.W), r.matrix(in.Y)
	for i := range r.rows {
		for j := range w.cols {
			z := 0.0
			for k := range x.cols {
				z += x.at(i, k) * w.at(k, j)
			}
			if in.B != kernels.None {
				z += r.values[in.B][j]
			}
			r.epilogue(in.Epilogue, in.Z, y, i, j, z)
		}
	}
}

// epilogue keeps z in Z, where there is one, and dropout(f(z)) in y.
func (r *reference) epilogue(e kernels.Epilogue, kept kernels.Buf, y matrix, i, j int, z float64) {
	if kept != kernels.None {
		r.matrix(kept).set(i, j, z)
	}
	f, _ := activation(e.Activation, z)
	y.set(i, j, f*r.mask(e, i*y.cols+j))
}

// mask is what dropout multiplies an element by.
func (r *reference) mask(e kernels.Epilogue, element int) float64 {
	switch {
	case !r.train || e.DropRate == 0:
		return 1
	case kernels.Keep(r.batch.Seed, r.batch.Step, e.Stream, uint64(element), e.DropRate):
		return 1 / (1 - float64(e.DropRate))
	}
	return 0
}

// activation is f(z) and f'(z), by the definitions of kernels.ActivationFunc.
func activation(f kernels.ActivationFunc, z float64) (value, slope float64) {
	switch f {
	case kernels.Identity:
		return z, 1
	case kernels.ReLU:
		if z > 0 {
			return z, 1
		}
		return 0, 0
	case kernels.LeakyReLU:
		if z > 0 {
			return z, 1
		}
		return 0.01 * z, 0.01
	case kernels.GELU:
		cdf := (1 + math.Erf(z/math.Sqrt2)) / 2
		return z * cdf, cdf + z*math.Exp(-z*z/2)/math.Sqrt(2*math.Pi)
	case kernels.Tanh:
		t := math.Tanh(z)
		return t, 1 - t*t
	case kernels.Sigmoid:
		return 1 / (1 + math.Exp(-z)), 1 / (2 + math.Exp(z) + math.Exp(-z))
	}
	panic("kernelstest: unknown activation")
}

// outer turns DY into the gradient in z. The slope is that at the value before
// the activation: recomputed from Y by inversion it would lose its digits, so
// the reference keeps every z in a table of its own.
func (r *reference) outer(e kernels.Epilogue, dy, z matrix) {
	for i := range r.rows {
		for j := range dy.cols {
			_, slope := activation(e.Activation, z.at(i, j))
			dy.set(i, j, dy.at(i, j)*slope*r.mask(e, i*dy.cols+j))
		}
	}
}

func (r *reference) denseGrad(in kernels.DenseGrad) {
	x, w, dy := r.matrix(in.X), r.matrix(in.W), r.matrix(in.DY)
	r.outer(in.Epilogue, dy, r.denseZ(in, x, w))
	dw := r.matrix(in.DW)
	for k := range w.v {
		dw.v[k] = 0
	}
	for i := range r.rows {
		for k := range x.cols {
			for j := range dy.cols {
				dw.v[k*dw.cols+j] += x.at(i, k) * dy.at(i, j)
			}
		}
	}
	if in.DB != kernels.None {
		db := r.values[in.DB]
		clear(db)
		for i := range r.rows {
			for j := range db {
				db[j] += dy.at(i, j)
			}
		}
	}
	if in.DX != kernels.None {
		dx := r.matrix(in.DX)
		for i := range r.rows {
			for k := range dx.cols {
				sum := 0.0
				for j := range dy.cols {
					sum += dy.at(i, j) * w.at(k, j)
				}
				dx.set(i, k, sum)
			}
		}
	}
}

// denseZ recomputes X·W + B of the Dense that in is the gradient of.
func (r *reference) denseZ(in kernels.DenseGrad, x, w matrix) matrix {
	var bias []float64
	for _, i := range r.program.Train {
		if d, ok := i.(kernels.Dense); ok && d.Y == in.Y && d.B != kernels.None {
			bias = r.values[d.B]
		}
	}
	z := matrix{make([]float64, len(r.rows)*w.cols), w.cols}
	for i := range r.rows {
		for j := range w.cols {
			sum := 0.0
			for k := range x.cols {
				sum += x.at(i, k) * w.at(k, j)
			}
			if bias != nil {
				sum += bias[j]
			}
			z.set(i, j, sum)
		}
	}
	return z
}

func (r *reference) clip(in kernels.ClipGradient) {
	sum := 0.0
	for _, b := range in.Grads {
		for _, g := range r.values[b] {
			sum += g * g
		}
	}
	if norm := math.Sqrt(sum); norm > float64(in.MaxNorm) {
		for _, b := range in.Grads {
			for i := range r.values[b] {
				r.values[b][i] *= float64(in.MaxNorm) / norm
			}
		}
	}
}

func (r *reference) update(in kernels.Update) {
	rate, t := float64(r.batch.LearningRate), float64(r.batch.Step)
	for k := range in.Params {
		p, g := r.values[in.Params[k]], r.values[in.Grads[k]]
		decay := 0.0
		if in.Decay != nil && in.Decay[k] {
			decay = float64(in.WeightDecay)
		}
		for i := range p {
			d := g[i]
			if in.Kind == kernels.AdamW {
				p[i] -= rate * decay * p[i]
			} else {
				d += decay * p[i]
			}
			switch {
			case in.Kind == kernels.SGD && in.Momentum == 0:
				p[i] -= rate * d
			case in.Kind == kernels.SGD:
				v := r.values[in.M1[k]]
				v[i] = float64(in.Momentum)*v[i] + d
				p[i] -= rate * v[i]
			default:
				m, v := r.values[in.M1[k]], r.values[in.M2[k]]
				b1, b2 := float64(in.Beta1), float64(in.Beta2)
				m[i] = b1*m[i] + (1-b1)*d
				v[i] = b2*v[i] + (1-b2)*d*d
				mHat, vHat := m[i]/(1-math.Pow(b1, t)), v[i]/(1-math.Pow(b2, t))
				p[i] -= rate * mHat / (math.Sqrt(vHat) + float64(in.Epsilon))
			}
		}
	}
}
