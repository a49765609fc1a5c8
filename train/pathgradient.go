package train

import (
	"fmt"
	"math"

	"flowbench/kernels"
	"flowbench/kernels/cpu"
	"flowbench/train/checkpoint"
)

// pathGradient computes integrated gradients of a DNN's score (Sundararajan, Taly,
// Yan, "Axiomatic Attribution for Deep Networks", ICML 2017): for a row x and a
// reference r, the part of column j is
//
//	(x_j - r_j) · 1/steps · Σ_k ∂score/∂x_j at r + (k+½)/steps·(x-r)
//
// with k from 0 on, the midpoint rule. The parts sum to score(x)-score(r) but for
// the rule's error. The layers are those that train/graph builds, as they score:
// without corruption and dropout, batch norms with their running statistics.
type pathGradient struct {
	layers []pathLayer
	start  []float32 // the reference
	steps  int

	// Of the first product: its values at the rows, a path's sum of the gradients in
	// them, and that in the inputs.
	ends, sums, total []float32
}

// pathSteps is how many gradients a row's path takes. On a network of 64 and 32
// relus the parts are off by half a hundredth of the difference of the scores,
// which a test holds below a hundredth.
const pathSteps = 32

// pathPoints is how many points of paths go through the network at once: their
// activations in layers of 256 stay in a core's second-level cache.
const pathPoints = 256

// pathLayer is a product, its norm where it has one, and its activation.
type pathLayer struct {
	in, out       int
	forth, back   *cpu.Affine
	norm          string
	gain, bias    []float32
	mean, inverse []float32 // of a batch norm
	function      kernels.ActivationFunc

	before, after []float32 // what the activation reads and writes, a row a point
	below         []float32 // the gradient in what the layer reads
	hat, spread   []float32 // a layer norm's x̂, and 1/deviation of each point
}

// pathEpsilon is what a norm adds to the variance, as in train/graph.
const pathEpsilon = 1e-5

// newPathGradient reads the layers from a member's weights.
func newPathGradient(c ModelConfig, weights *checkpoint.File, start []float32) (*pathGradient, error) {
	p := &pathGradient{start: start, steps: pathSteps}
	for i := range len(c.Hidden) + 1 {
		l := pathLayer{function: kernels.Identity}
		if i < len(c.Hidden) {
			l.function, l.norm = activations[c.Activation], c.Norm
		}
		if err := l.read(weights, i); err != nil {
			return nil, err
		}
		p.layers = append(p.layers, l)
	}
	return p, nil
}

// read takes layer i from the weights.
func (l *pathLayer) read(weights *checkpoint.File, i int) error {
	w, err := weights.Tensor(fmt.Sprintf("dense%d.weight", i))
	if err != nil {
		return err
	}
	l.in, l.out = w.Shape[0], w.Shape[1]
	across := make([]float32, len(w.Data))
	for j := range l.in {
		for k := range l.out {
			across[k*l.in+j] = w.Data[j*l.out+k]
		}
	}
	var bias []float32
	if l.norm != "layer" && l.norm != "batch" {
		b, err := weights.Tensor(fmt.Sprintf("dense%d.bias", i))
		if err != nil {
			return err
		}
		bias = b.Data
	} else if err := l.readNorm(weights, i); err != nil {
		return err
	}
	if l.forth, err = cpu.NewAffine("auto", across, bias, l.in); err != nil {
		return err
	}
	l.back, err = cpu.NewAffine("auto", w.Data, nil, l.out)
	return err
}

func (l *pathLayer) readNorm(weights *checkpoint.File, i int) error {
	names := map[string]*[]float32{"gain": &l.gain, "bias": &l.bias}
	if l.norm == "batch" {
		names["running_mean"], names["running_variance"] = &l.mean, &l.inverse
	}
	for name, into := range names {
		t, err := weights.Tensor(fmt.Sprintf("norm%d.%s", i, name))
		if err != nil {
			return err
		}
		*into = append([]float32(nil), t.Data...)
	}
	for j, v := range l.inverse {
		l.inverse[j] = float32(1 / math.Sqrt(float64(v)+pathEpsilon))
	}
	return nil
}

// add adds weight times the parts of each row of x, rows×columns, to dst.
//
// The first product, the largest, is linear: at all points of a path it is that of
// the reference and a share of the way's, and the sum of the gradients in the
// inputs is the product with the sum of those behind it. So it is computed twice a
// row, not twice a point.
func (p *pathGradient) add(x []float32, weight float64, dst []float64) {
	cols, rows := len(p.start), max(1, pathPoints/p.steps)
	first := &p.layers[0]
	from := make([]float32, first.out)
	first.forth.Apply(from, p.start)
	for lo := 0; lo < len(x)/cols; lo += rows {
		hi := min(lo+rows, len(x)/cols)
		p.ends = room(p.ends, (hi-lo)*first.out)
		first.forth.Apply(p.ends, x[lo*cols:hi*cols])
		p.points(from, hi-lo)
		g := p.gradient((hi - lo) * p.steps)
		p.sums = room(p.sums, (hi-lo)*first.out)
		sumOf(p.sums, g, p.steps, first.out)
		p.total = room(p.total, (hi-lo)*cols)
		first.back.Apply(p.total, p.sums)
		for i, sum := range p.total {
			j := i % cols
			dst[lo*cols+i] += weight * float64(x[lo*cols+i]-p.start[j]) * float64(sum) / float64(p.steps)
		}
	}
}

// points writes to the first layer what its product is at the points of n paths,
// from what it is at the reference to that at the rows, which ends holds.
func (p *pathGradient) points(from []float32, n int) {
	first := &p.layers[0]
	first.before = room(first.before, n*p.steps*first.out)
	for i := range n {
		to := p.ends[i*first.out : (i+1)*first.out]
		for k := range p.steps {
			along := (float32(k) + 0.5) / float32(p.steps)
			at := first.before[(i*p.steps+k)*first.out:][:first.out]
			for j, r := range from {
				at[j] = r + along*(to[j]-r)
			}
		}
	}
}

// sumOf adds up every steps rows of g, each of width values.
func sumOf(dst, g []float32, steps, width int) {
	wide := make([]float64, width)
	for i := range len(dst) / width {
		clear(wide)
		for k := range steps {
			for j, v := range g[(i*steps+k)*width:][:width] {
				wide[j] += float64(v)
			}
		}
		for j, v := range wide {
			dst[i*width+j] = float32(v)
		}
	}
}

// gradient is that of the score in what the first product writes, at n points,
// where points has written it.
func (p *pathGradient) gradient(n int) []float32 {
	x := p.layers[0].activate(n)
	for i := range p.layers[1:] {
		x = p.layers[i+1].forward(x, n)
	}
	g := scoreGradient(x, n)
	for i := len(p.layers) - 1; i > 0; i-- {
		g = p.layers[i].backward(g, n)
	}
	p.layers[0].unactivate(g, n)
	return g
}

// scoreGradient is the gradient of scorer.row in a DNN's outputs.
func scoreGradient(out []float32, n int) []float32 {
	width := len(out) / n
	g := make([]float32, len(out))
	for i := range n {
		row, to := out[i*width:(i+1)*width], g[i*width:(i+1)*width]
		if width == 1 {
			to[0] = 1
			continue
		}
		norm := logSumExp(row[1:])
		for c, v := range row[1:] {
			to[c+1] = float32(math.Exp(float64(v) - norm))
		}
		to[0] = -1
	}
	return g
}

// forward applies the layer to n points and keeps what backward needs.
func (l *pathLayer) forward(x []float32, n int) []float32 {
	l.before = room(l.before, n*l.out)
	l.forth.Apply(l.before, x)
	return l.activate(n)
}

// activate applies the norm and the activation to what the product wrote.
func (l *pathLayer) activate(n int) []float32 {
	l.after = room(l.after, n*l.out)
	switch l.norm {
	case "batch":
		for i, v := range l.before {
			j := i % l.out
			l.before[i] = (v-l.mean[j])*l.inverse[j]*l.gain[j] + l.bias[j]
		}
	case "layer":
		l.normalise(n)
	}
	if l.function == kernels.ReLU { // the commonest: a call a value would take half of the time
		rectify(l.after, l.before)
		return l.after
	}
	for i, v := range l.before {
		l.after[i] = float32(activate(l.function, float64(v)))
	}
	return l.after
}

func (l *pathLayer) normalise(n int) {
	l.hat, l.spread = room(l.hat, n*l.out), room(l.spread, n)
	for i := range n {
		row, hat := l.before[i*l.out:(i+1)*l.out], l.hat[i*l.out:(i+1)*l.out]
		mean, square := 0.0, 0.0
		for _, v := range row {
			mean += float64(v) / float64(l.out)
		}
		for _, v := range row {
			square += (float64(v) - mean) * (float64(v) - mean) / float64(l.out)
		}
		inverse := 1 / math.Sqrt(square+pathEpsilon)
		l.spread[i] = float32(inverse)
		for j, v := range row {
			hat[j] = float32((float64(v) - mean) * inverse)
			row[j] = hat[j]*l.gain[j] + l.bias[j]
		}
	}
}

// backward takes the gradient in what the layer writes, which it spoils, to that
// in what it reads.
func (l *pathLayer) backward(g []float32, n int) []float32 {
	l.unactivate(g, n)
	l.below = room(l.below, n*l.in)
	l.back.Apply(l.below, g)
	return l.below
}

// unactivate takes the gradient in what the layer writes to that in what its
// product does.
func (l *pathLayer) unactivate(g []float32, n int) {
	if l.function == kernels.ReLU {
		keepWhere(g, l.after)
	} else {
		for i := range g {
			g[i] *= float32(slope(l.function, float64(l.before[i]), float64(l.after[i])))
		}
	}
	switch l.norm {
	case "batch":
		for i := range g {
			j := i % l.out
			g[i] *= l.inverse[j] * l.gain[j]
		}
	case "layer":
		l.unnormalise(g, n)
	}
}

// rectify writes max(v, 0) of each v of x, by its sign bit: a branch, which goes
// either way as often, takes several times as long.
func rectify(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		b := math.Float32bits(v)
		dst[i] = math.Float32frombits(b &^ uint32(int32(b)>>31))
	}
}

// keepWhere makes 0 each of g where y, which is not negative, is 0.
func keepWhere(g, y []float32) {
	y = y[:len(g)]
	for i, v := range y {
		mask := uint32(-int32(math.Float32bits(v)) >> 31)
		g[i] = math.Float32frombits(math.Float32bits(g[i]) & mask)
	}
}

// unnormalise is the gradient of a layer norm (Ba, Kiros, Hinton 2016): with h the
// gradient in x̂, (h - mean(h) - x̂·mean(h·x̂))/deviation.
func (l *pathLayer) unnormalise(g []float32, n int) {
	for i := range n {
		row, hat := g[i*l.out:(i+1)*l.out], l.hat[i*l.out:(i+1)*l.out]
		mean, along := 0.0, 0.0
		for j := range row {
			row[j] *= l.gain[j]
			mean += float64(row[j]) / float64(l.out)
			along += float64(row[j]) * float64(hat[j]) / float64(l.out)
		}
		for j, h := range row {
			row[j] = float32((float64(h) - mean - float64(hat[j])*along) * float64(l.spread[i]))
		}
	}
}

// room is n values, in v where it has so many.
func room(v []float32, n int) []float32 {
	if cap(v) < n {
		return make([]float32, n)
	}
	return v[:n]
}

// activate is kernels.ActivationFunc in float64.
func activate(f kernels.ActivationFunc, x float64) float64 {
	switch f {
	case kernels.ReLU:
		return math.Max(x, 0)
	case kernels.LeakyReLU:
		if x > 0 {
			return x
		}
		return 0.01 * x
	case kernels.GELU:
		return x / 2 * (1 + math.Erf(x/math.Sqrt2))
	case kernels.Tanh:
		return math.Tanh(x)
	case kernels.Sigmoid:
		return 1 / (1 + math.Exp(-x))
	}
	return x
}

// slope is the derivative of activate at x, where it is y.
func slope(f kernels.ActivationFunc, x, y float64) float64 {
	switch f {
	case kernels.ReLU, kernels.LeakyReLU:
		if x > 0 {
			return 1
		}
		if f == kernels.LeakyReLU {
			return 0.01
		}
		return 0
	case kernels.GELU:
		return (1+math.Erf(x/math.Sqrt2))/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	case kernels.Tanh:
		return 1 - y*y
	case kernels.Sigmoid:
		return y * (1 - y)
	}
	return 1
}
