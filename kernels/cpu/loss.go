package cpu

import (
	"math"
	"slices"

	"flowbench/kernels"
)

// loss is kernels.Loss. Rows are computed in any order, those of classes in
// float64, and added up in theirs.
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
		if l.featureWeight == nil {
			l.featureWeight = slices.Repeat([]float32{1}, l.pred.cols)
		}
	}
	return l
}

// lossCost is what an element costs in multiply-adds: float64, an exponential, a division.
const lossCost = 16

func (l *loss) slice(s *step, sl *slice) {
	switch l.Kind {
	case kernels.BCE:
		l.binaryCE(s, sl)
	case kernels.SoftmaxCE:
		for i := range sl.n {
			l.rows[sl.first+i] = l.softmax(l.dpred.row(sl, i), l.pred.row(sl, i), int(l.target.row(sl, i)[0]), len(s.rows))
		}
		s.check(l.dpred.rows(sl))
	default:
		l.regression(s, sl)
	}
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
