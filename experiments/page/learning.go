package page

import (
	"math"
	"slices"
)

// learnt lists the figures whose learning curves a page holds, beside the
// study's metric.
func learnt(metric string) []string {
	names := []string{"train.loss", "validation.loss", "validation.average_precision"}
	if !slices.Contains(names, metric) {
		names = append(names, metric)
	}
	return names
}

// heldEpochs is how many points a learning curve has at most: half as many as its
// chart has pixels on a telephone.
const heldEpochs = 100

// learning summarises the networks of a configuration epoch by epoch: all members
// of all replicates. Of those that stopped early the later epochs know nothing,
// which N tells. Where there are more than heldEpochs epochs, every k-th is held,
// and the last.
func (r *reader) learning(trials []int, metric string) map[string]Learning {
	out := map[string]Learning{}
	for _, name := range learnt(metric) {
		byEpoch := map[int][]float64{}
		last := 0
		for _, i := range trials {
			for _, e := range r.trials[i].epochs {
				if v, ok := e.Values[name]; ok {
					byEpoch[e.Epoch] = append(byEpoch[e.Epoch], v)
					last = max(last, e.Epoch)
				}
			}
		}
		if last == 0 {
			continue
		}
		step := (last + heldEpochs - 1) / heldEpochs
		var l Learning
		for epoch := 1; epoch <= last; epoch++ {
			values := byEpoch[epoch]
			if len(values) == 0 || epoch%step != 0 && epoch != last {
				continue
			}
			l.Epoch, l.N = append(l.Epoch, epoch), append(l.N, len(values))
			l.Low, l.High = append(l.Low, slices.Min(values)), append(l.High, slices.Max(values))
			l.Mean = append(l.Mean, mean(values))
		}
		out[name] = l
	}
	return out
}

// mean is NaN without values.
func mean(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
