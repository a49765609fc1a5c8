package cpu

import "math"

// binaryCE is a slice of the binary cross-entropy.
func (l *loss) binaryCE(s *step, sl *slice) {
	dpred, pred, target := l.dpred.rows(sl), l.pred.rows(sl), l.target.rows(sl)
	rows, n := l.rows[sl.first:sl.first+sl.n], len(s.rows)
	if l.Gamma > 0 || s.level == plain {
		for i, z := range pred {
			rows[i] = l.bce(dpred[i:i+1], float64(z), int(target[i]), n)
		}
		s.check(dpred)
		return
	}
	if !s.level.bce(dpred, pred, target, rows, l.classWeight(0), l.classWeight(1), n) {
		s.health.fail()
	}
}

// bce is loss.bce without the focal factor, in float32, for logits pred and
// classes target, and whether all gradients are finite. w0 and w1 are the
// classes' weights. For logits of -80 to 80 the loss before its weight is off by
// at most 2.2 units in the last place, and so is the gradient before its factor.
func (l level) bce(dpred, pred, target []float32, rows []float64, w0, w1 float64, n int) bool {
	slope0, slope1 := float32(w0/float64(n)), float32(-w1/float64(n))
	if l == avx512 {
		return bceAVX512(&dpred[0], &pred[0], &target[0], &rows[0], float32(w0), float32(w1), slope0, slope1, len(pred)) == 0
	}
	return bceAVX2(&dpred[0], &pred[0], &target[0], &rows[0], float32(w0), float32(w1), slope0, slope1, len(pred)) == 0
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
