package cpu

// partialSums are how all levels sum along a row in float64: element j goes to
// sum j mod 16, so that a vector can hold them, and the sums are folded in halves.
type partialSums [16]float64

func (p *partialSums) fold() float64 {
	for half := len(p) / 2; half > 0; half /= 2 {
		for i := range half {
			p[i] += p[i+half]
		}
	}
	return p[0]
}
