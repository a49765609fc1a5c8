package metric

import (
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"sync"

	"gonum.org/v1/gonum/stat/distuv"
)

// PairedScores are the scores that two detectors gave the same rows.
type PairedScores struct {
	A, B     []float64
	Positive []bool
	// Unit is what is drawn in place of a row: its connection, where that is
	// known, else the row. Numbers mean the same in all replicates.
	Unit []int32
}

// PairedAP is how far two average precisions are apart.
type PairedAP struct {
	Difference float64 `json:"difference"` // of A over B, mean over the replicates
	Interval
	P float64 `json:"p"` // two-sided, of no difference
	// PositiveUnits are those with a positive; NegativeUnits are the others.
	PositiveUnits int `json:"positive_units"`
	NegativeUnits int `json:"negative_units"`
	Resamples     int `json:"resamples"`
}

// PairedBootstrap is the method of PairedAP's interval.
const PairedBootstrap = "paired stratified bootstrap, expanded percentile"

// PairedBootstrapAP compares the average precisions of two detectors by drawing
// units with replacement, as many with a positive as there are, and as many
// others; both detectors and all replicates see the same draw, and the statistic
// is the mean over replicates of the difference. A replicate none of whose
// positives was drawn is left out of that draw's mean. Draw r depends on (seed, r) alone.
//
// The interval takes the bootstrap's quantiles further out than its level, at
// Φ(√(n/(n-1))·t), t being Student's with n-1 degrees of freedom and n the
// positive units: plain percentiles are too narrow for few units (Hesterberg,
// What Teachers Should Know About the Bootstrap, The American Statistician 69,
// 2015, section 4). P is the level at which such an interval ends at 0.
//
// It is not evaluable with fewer than two positive units or without others, and
// then reason says so. Slices of different length, no replicates, fewer than two
// resamples and a level outside (0, 1) panic; a NaN score is the caller's fault too.
func PairedBootstrapAP(replicates []PairedScores, resamples int, level float64, seed uint64) (out PairedAP, reason string) {
	if len(replicates) == 0 || resamples < 2 || !(level > 0 && level < 1) {
		panic("metric: paired bootstrap needs replicates, two resamples and a level in (0, 1)")
	}
	p := newPaired(replicates)
	out = PairedAP{PositiveUnits: p.positive.rows, NegativeUnits: p.negative.rows, Resamples: resamples}
	switch {
	case out.PositiveUnits == 0:
		return out, noPositives
	case out.NegativeUnits == 0:
		return out, noNegatives
	}
	out.Difference = p.observed()
	if out.PositiveUnits == 1 {
		return out, "the positives are of a single connection, which cannot be resampled"
	}
	draws := p.draws(resamples, seed)
	slices.Sort(draws)
	n := float64(out.PositiveUnits)
	tail := expanded((1-level)/2, n)
	out.Interval = Interval{Low: quantile(draws, tail), High: quantile(draws, 1-tail), Level: level, Method: PairedBootstrap}
	out.P = pairedP(draws, n)
	return out, ""
}

// expanded is the share of resamples beyond an interval's end that leaves tail of
// the probability there.
func expanded(tail, n float64) float64 {
	t := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(tail)
	return distuv.UnitNormal.CDF(math.Sqrt(n/(n-1)) * t)
}

// pairedP undoes expanded on the smaller share of draws on one side of 0. The
// draw that was observed counts as one more on that side (Davison and Hinkley
// 1997, equation 4.11); draws of 0 count on both.
func pairedP(sorted []float64, n float64) float64 {
	below, _ := slices.BinarySearch(sorted, math.Nextafter(0, 1)) // <= 0
	above, _ := slices.BinarySearch(sorted, 0)
	least := min(below, len(sorted)-above)
	share := min(float64(least+1)/float64(len(sorted)+1), 0.5)
	z := distuv.UnitNormal.Quantile(share)
	return 2 * distuv.StudentsT{Sigma: 1, Nu: n - 1}.CDF(z/math.Sqrt(n/(n-1)))
}

// paired is what the differences depend on. Every distinct score of a positive is
// a step (see apSteps) with a place in one table of counts; a unit adds to the
// places where its rows alert, and units that add to the same ones are drawn
// together.
type paired struct {
	curves             []span // of A and B of each replicate in turn
	places             int
	positive, negative strata
	positiveAt         [][]int32 // of each kind of positive unit, its rows' places
	negativeAt         [][]int32
}

// span is where a detector's counts lie: steps of positives, then as many and one of negatives.
type span struct{ first, steps int }

func newPaired(replicates []PairedScores) *paired {
	p := &paired{}
	at := map[int32][]int32{}
	hit := map[int32]bool{}
	for _, r := range replicates {
		if len(r.A) != len(r.Positive) || len(r.B) != len(r.Positive) || len(r.Unit) != len(r.Positive) {
			panic("metric: paired scores differ in length")
		}
		for _, scores := range [][]float64{r.A, r.B} {
			p.addCurve(scores, r, at)
		}
		for i, u := range r.Unit {
			hit[u] = hit[u] || r.Positive[i]
		}
	}
	positive, negative := map[string]int32{}, map[string]int32{}
	for u, is := range hit {
		slices.Sort(at[u])
		if is {
			positive[pattern(at[u])]++
		} else {
			negative[pattern(at[u])]++
		}
	}
	p.positive, p.positiveAt = kinds(positive)
	p.negative, p.negativeAt = kinds(negative)
	return p
}

// addCurve gives a detector's steps their places and notes where its rows alert.
func (p *paired) addCurve(scores []float64, r PairedScores, at map[int32][]int32) {
	var steps []float64
	for i, s := range scores {
		if r.Positive[i] {
			steps = append(steps, -finite(s))
		}
	}
	slices.Sort(steps)
	steps = slices.Compact(steps)
	c := span{p.places, len(steps)}
	for i, s := range scores {
		step, _ := slices.BinarySearch(steps, -finite(s))
		switch u := r.Unit[i]; {
		case r.Positive[i]:
			at[u] = append(at[u], int32(c.first+step))
		case step < len(steps): // a row below every positive changes nothing
			at[u] = append(at[u], int32(c.first+c.steps+step))
		}
	}
	p.curves = append(p.curves, c)
	p.places += 2 * c.steps
}

func pattern(places []int32) string {
	key := make([]byte, 0, 4*len(places))
	for _, v := range places {
		key = binary.BigEndian.AppendUint32(key, uint32(v))
	}
	return string(key)
}

// kinds orders patterns, so that equal input is drawn equally.
func kinds(count map[string]int32) (strata, [][]int32) {
	keys := make([]string, 0, len(count))
	for key := range count {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	sizes, at := make([]int32, len(keys)), make([][]int32, len(keys))
	for i, key := range keys {
		sizes[i] = count[key]
		for ; key != ""; key = key[4:] {
			at[i] = append(at[i], int32(binary.BigEndian.Uint32([]byte(key[:4]))))
		}
	}
	return newStrata(sizes), at
}

// observed is the difference on the rows as they are.
func (p *paired) observed() float64 {
	table := make([]int32, p.places)
	for _, side := range []struct {
		s  strata
		at [][]int32
	}{{p.positive, p.positiveAt}, {p.negative, p.negativeAt}} {
		for _, b := range side.s.blocks {
			if b.group == nil {
				add(table, side.at[b.first], int32(b.rows))
			}
			for _, g := range b.group {
				add(table, side.at[b.first+int(g)], 1)
			}
		}
	}
	return p.difference(table)
}

func add(table, places []int32, n int32) {
	for _, at := range places {
		table[at] += n
	}
}

func (p *paired) draws(resamples int, seed uint64) []float64 {
	out := make([]float64, resamples)
	workers := min(runtime.GOMAXPROCS(0), resamples)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			table := make([]int32, p.places)
			positive, negative := make([]int32, len(p.positiveAt)), make([]int32, len(p.negativeAt))
			for i := w; i < resamples; i += workers {
				src := newSource(seed, i)
				clear(table)
				p.positive.draw(positive, &src)
				p.negative.draw(negative, &src)
				for k, n := range positive {
					add(table, p.positiveAt[k], n)
				}
				for k, n := range negative {
					add(table, p.negativeAt[k], n)
				}
				out[i] = p.difference(table)
			}
		})
	}
	all.Wait()
	return out
}

// difference is the mean over replicates that have a positive of AP(A) - AP(B).
func (p *paired) difference(table []int32) float64 {
	sum, n := 0.0, 0
	for i := 0; i < len(p.curves); i += 2 {
		a, ok := p.curves[i].averagePrecision(table)
		b, _ := p.curves[i+1].averagePrecision(table)
		if ok {
			sum += a - b
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

func (c span) averagePrecision(table []int32) (float64, bool) {
	tp, fp := table[c.first:c.first+c.steps], table[c.first+c.steps:c.first+2*c.steps]
	sum, hits, alerts := 0.0, 0.0, 0.0
	for i, t := range tp {
		hits += float64(t)
		alerts += float64(t) + float64(fp[i])
		if t > 0 {
			sum += float64(float64(t) * hits / alerts)
		}
	}
	if hits == 0 {
		return 0, false
	}
	return sum / hits, true
}
