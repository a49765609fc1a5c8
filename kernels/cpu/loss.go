package cpu

import (
	"math"

	"flowbench/kernels"
)

// loss is kernels.Loss, in float64. Rows are computed in any order and added up
// in theirs.
type loss struct {
	kernels.Loss
	pred, target, dpred samples
	featureWeight       []float32
	rows                []float64 // a row's loss
}

func (c *compiler) loss(in kernels.Loss) *loss {
	l := &loss{
		Loss: in,
		pred: c.samples(in.Pred), dpred: c.samples(in.DPred),
		featureWeight: c.vector(in.FeatureWeight),
		rows:          make([]float64, c.program.Batch),
	}
	switch in.Kind {
	case kernels.BCE:
		c.classes = 2
		l.target = samples{c.places.targets, 1}
	case kernels.SoftmaxCE:
		c.classes = l.pred.cols
		l.target = samples{c.places.targets, 1}
	default:
		l.target = c.samples(in.Target)
	}
	return l
}

// lossCost is what an element costs in multiply-adds: float64, an exponential, a division.
const lossCost = 16

func (l *loss) slice(s *step, sl *slice) {
	n := len(s.rows)
	for i := range sl.n {
		pred, dpred, row := l.pred.row(sl, i), l.dpred.row(sl, i), &l.rows[sl.first+i]
		switch l.Kind {
		case kernels.BCE:
			*row = l.bce(dpred, float64(pred[0]), int(l.target.row(sl, i)[0]), n)
		case kernels.SoftmaxCE:
			*row = l.softmax(dpred, pred, int(l.target.row(sl, i)[0]), n)
		case kernels.MSE:
			*row = l.mse(dpred, pred, l.target.row(sl, i), n)
		case kernels.Huber:
			*row = l.huber(dpred, pred, l.target.row(sl, i), n)
		}
	}
	s.check(l.dpred.rows(sl))
}

// finish adds up the rows in their order.
func (l *loss) finish(s *step) {
	n := len(s.rows)
	sum := 0.0
	for _, v := range l.rows[:n] {
		sum += v
	}
	s.loss = sum / float64(n)
	if math.IsNaN(s.loss) || math.IsInf(s.loss, 0) {
		s.health.fail()
	}
}

func (l *loss) classWeight(class int) float64 {
	if l.ClassWeight == nil {
		return 1
	}
	return float64(l.ClassWeight[class])
}

// bce is the row loss on logit z and its gradient over n rows. With s = ±z the
// logit of the true class, q = σ(-s) = 1-p_t and L = log(1+e⁻ˢ) = -log p_t, the
// loss is w·qᵞ·L and its derivative in s is -w·qᵞ·(γ·p_t·L + q).
func (l *loss) bce(dz []float32, z float64, class, n int) float64 {
	sign := 1.0
	if class == 0 {
		sign = -1
	}
	t := sign * z
	log := softplus(-t)
	q := sigmoid(-t)
	w := l.classWeight(class)
	if gamma := float64(l.Gamma); gamma > 0 {
		w *= math.Pow(q, gamma)
		dz[0] = float32(-sign * w * (gamma*(1-q)*log + q) / float64(n))
	} else {
		dz[0] = float32(-sign * w * q / float64(n))
	}
	return w * log
}

// softplus is log(1+eˣ) for any x.
func softplus(x float64) float64 {
	return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
}

// softmax is the row loss on logits z and its gradient over n rows. With
// L = -log p_t and q = 1-p_t the loss is w·qᵞ·L; its derivative in log p_t is
// -w·(γ·qᵞ⁻¹·p_t·L + qᵞ), and that of log p_t in z_j is [j=t] - p_j. The other
// classes are summed apart from the true one, so that L and q keep their digits
// where p_t is almost 1.
func (l *loss) softmax(dz, z []float32, class, n int) float64 {
	top := math.Inf(-1)
	for _, v := range z {
		top = max(top, float64(v))
	}
	others := 0.0
	for j, v := range z {
		if j != class {
			others += math.Exp(float64(v) - top)
		}
	}
	behind := top - float64(z[class])
	own := math.Exp(-behind)
	log, q, p := behind+math.Log(own+others), others/(own+others), own/(own+others)
	if behind == 0 {
		log = math.Log1p(others)
	}
	value, slope := l.classWeight(class)*log, l.classWeight(class)
	if gamma := float64(l.Gamma); gamma > 0 {
		power := math.Pow(q, gamma)
		value *= power
		slope *= power
		if q > 0 {
			slope += l.classWeight(class) * gamma * power / q * p * log
		}
	}
	for j, v := range z {
		d := math.Exp(float64(v)-top) / (own + others)
		if j == class {
			d = -q
		}
		dz[j] = float32(slope * d / float64(n))
	}
	return value
}

// mse is the mean over the columns of weight·(pred-target)².
func (l *loss) mse(dpred, pred, target []float32, n int) float64 {
	sum, cols := 0.0, float64(len(pred))
	for j, p := range pred {
		d, w := float64(p)-float64(target[j]), l.columnWeight(j)
		sum += float64(w * d * d)
		dpred[j] = float32(2 * w * d / (cols * float64(n)))
	}
	return sum / cols
}

// huber is the same with a loss that is linear beyond Delta (Huber 1964).
func (l *loss) huber(dpred, pred, target []float32, n int) float64 {
	sum, cols, delta := 0.0, float64(len(pred)), float64(l.Delta)
	for j, p := range pred {
		d, w := float64(p)-float64(target[j]), l.columnWeight(j)
		slope := d
		if a := math.Abs(d); a > delta {
			slope = math.Copysign(delta, d)
			sum += float64(w * delta * (a - delta/2))
		} else {
			sum += w * d * d / 2
		}
		dpred[j] = float32(w * slope / (cols * float64(n)))
	}
	return sum / cols
}

func (l *loss) columnWeight(j int) float64 {
	if l.featureWeight == nil {
		return 1
	}
	return float64(l.featureWeight[j])
}
