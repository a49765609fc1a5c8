package metric

import (
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
// Nothing is sorted again: a resample costs a binomial draw for each distinct
// score of the positives where these are few, else a random number for two rows.
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
				src := newSource(seed, i)
				aps[i] = steps.resample(tp, fp, &src)
			}
		})
	}
	all.Wait()
	return aps
}

// apSteps is what a Ranking's average precision depends on: it changes only at
// scores that a positive has, of which there are count. The lists of positives
// and negatives count the rows by the first step, by falling score, at which
// they alert; step count holds the negatives that score below every positive.
type apSteps struct {
	count              int
	positive, negative strata
}

func (r *Ranking) steps() apSteps {
	var positive, negative []int32
	var tp, fp, fpBefore int32
	for i := range r.threshold {
		if fp = r.fp[i]; r.tp[i] == tp {
			continue
		}
		positive = append(positive, r.tp[i]-tp)
		negative = append(negative, fp-fpBefore)
		tp, fpBefore = r.tp[i], fp
	}
	negative = append(negative, fp-fpBefore)
	return apSteps{len(positive), newStrata(positive), newStrata(negative)}
}

// resample draws one resample and returns its average precision. tp (count
// long) and fp (count+1) are scratch.
func (s apSteps) resample(tp, fp []int32, src *source) float64 {
	s.positive.draw(tp, src)
	s.negative.draw(fp, src)
	sum, hits, alerts := 0.0, 0.0, 0.0
	for i, t := range tp {
		hits += float64(t)
		alerts += float64(t) + float64(fp[i])
		if t > 0 {
			sum += float64(float64(t) * hits / alerts)
		}
	}
	return sum / float64(s.positive.rows)
}

// quantile interpolates linearly between the order statistics, as numpy does.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-2)
	return sorted[i] + float64((at-float64(i))*(sorted[i+1]-sorted[i]))
}
