package metric

import (
	"math/bits"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
)

// BootstrapAP is the interval between the (1-level)/2 and (1+level)/2 quantiles
// of the average precision over so many resamples of the rows (Efron 1979, the
// percentile method). Resampling is stratified: as many positives are drawn,
// with replacement, from the positives, and as many negatives from the
// negatives, so that the chance level stays. Draw r depends on (seed, r) alone;
// the answer is the same for any number of threads.
//
// With a handful of positives such an interval is too short rather than too
// long. It is not evaluable with fewer than two positives or without
// negatives, and then reason says so. Fewer than two resamples panic.
//
// One resample costs a random number for two rows; nothing is sorted again.
func (r *Ranking) BootstrapAP(resamples int, level float64, seed uint64) (out Interval, reason string) {
	if resamples < 2 || !(level > 0 && level < 1) {
		panic("metric: bootstrap needs two resamples and a level in (0, 1)")
	}
	if why := r.need(true, true); why != "" {
		return Interval{}, why
	}
	if r.positives < 2 {
		return Interval{}, "a single positive cannot be resampled"
	}
	aps := r.resampledAPs(resamples, seed)
	slices.Sort(aps)
	return Interval{
		Low:    quantile(aps, (1-level)/2),
		High:   quantile(aps, (1+level)/2),
		Level:  level,
		Method: Bootstrap,
	}, ""
}

// resampledAPs computes the average precision of every resample.
func (r *Ranking) resampledAPs(resamples int, seed uint64) []float64 {
	steps := r.steps()
	aps := make([]float64, resamples)
	workers := min(runtime.GOMAXPROCS(0), resamples)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			tp, fp := make([]int32, steps.count), make([]int32, steps.count+1)
			for i := w; i < resamples; i += workers {
				aps[i] = steps.resample(tp, fp, resampleSource(seed, i))
			}
		})
	}
	all.Wait()
	return aps
}

// resampleSource is the generator of one resample. The odd factor (the golden
// ratio in 64 bits) sets neighbouring resamples far apart in the state.
func resampleSource(seed uint64, i int) *rand.PCG {
	return rand.NewPCG(seed, uint64(i)*0x9E3779B97F4A7C15)
}

// apSteps is what a Ranking's average precision depends on: it changes only at
// scores that a positive has, of which there are count. positive and negative
// hold one entry a row: the first step, by falling score, at which it alerts;
// count for a negative that scores below every positive.
type apSteps struct {
	count              int
	positive, negative []int32
}

func (r *Ranking) steps() apSteps {
	s := apSteps{
		positive: make([]int32, 0, r.positives),
		negative: make([]int32, 0, r.negatives),
	}
	var tp, fp int32
	for i := range r.threshold {
		step := int32(s.count)
		for ; fp < r.fp[i]; fp++ {
			s.negative = append(s.negative, step)
		}
		if r.tp[i] == tp {
			continue
		}
		for ; tp < r.tp[i]; tp++ {
			s.positive = append(s.positive, step)
		}
		s.count++
	}
	return s
}

// resample draws one resample and returns its average precision. tp (count
// long) and fp (count+1) are scratch.
func (s apSteps) resample(tp, fp []int32, src *rand.PCG) float64 {
	clear(tp)
	clear(fp)
	tally(tp, s.positive, src)
	tally(fp, s.negative, src)
	sum, hits, alerts := 0.0, 0.0, 0.0
	for i, t := range tp {
		hits += float64(t)
		alerts += float64(t) + float64(fp[i])
		if t > 0 {
			sum += float64(float64(t) * hits / alerts)
		}
	}
	return sum / float64(len(s.positive))
}

// tally draws len(rows) rows with replacement and counts them by step. An index
// is the high word of 32 random bits times n; the low word is rejected where
// it would favour some index (Lemire 2019).
func tally(count, rows []int32, src *rand.PCG) {
	n := uint32(len(rows))
	reject := -n % n
	for left := len(rows); left > 0; {
		word := src.Uint64()
		for _, half := range [2]uint32{uint32(word), uint32(word >> 32)} {
			hi, lo := bits.Mul32(half, n)
			if lo < reject || left == 0 {
				continue
			}
			count[rows[hi]]++
			left--
		}
	}
}

// quantile interpolates linearly between the order statistics, as numpy does.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-2)
	return sorted[i] + float64((at-float64(i))*(sorted[i+1]-sorted[i]))
}
