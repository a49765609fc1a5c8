package cpu

import "math"

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
