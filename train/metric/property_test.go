package metric

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// split draws scores with many ties and the extremes a diverging model reaches.
// Where both is true it holds a row of either kind.
func drawSplit(t *rapid.T, both bool) (scores []float64, positive []bool) {
	score := rapid.OneOf(
		rapid.Map(rapid.IntRange(-3, 3), func(i int) float64 { return float64(i) / 2 }),
		rapid.Float64Range(-1e9, 1e9),
		rapid.SampledFrom([]float64{math.Copysign(0, -1), 5e-324, -5e-324, math.MaxFloat64 / 4, -math.MaxFloat64 / 4}),
	)
	scores = rapid.SliceOfN(score, 2, 60).Draw(t, "scores")
	positive = rapid.SliceOfN(rapid.Bool(), len(scores), len(scores)).Draw(t, "positive")
	if both {
		positive[0], positive[1] = true, false
	}
	return scores, positive
}

func mustRank(t interface{ Fatal(...any) }, scores []float64, positive []bool) *Ranking {
	r, err := Rank(scores, positive)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// slowAP follows the definition row by row: the sum over positives of the
// precision at their own score, divided by their number.
func slowAP(scores []float64, positive []bool) float64 {
	sum, positives := 0.0, 0.0
	for i, s := range scores {
		if !positive[i] {
			continue
		}
		hits, alerts := 0.0, 0.0
		for j, other := range scores {
			if other >= s {
				alerts++
				if positive[j] {
					hits++
				}
			}
		}
		sum += hits / alerts
		positives++
	}
	return sum / positives
}

// slowAUROC compares every positive with every negative.
func slowAUROC(scores []float64, positive []bool) float64 {
	wins, pairs := 0.0, 0.0
	for i, s := range scores {
		for j, other := range scores {
			if positive[i] && !positive[j] {
				pairs++
				switch {
				case s > other:
					wins++
				case s == other:
					wins += 0.5
				}
			}
		}
	}
	return wins / pairs
}

func TestRankingEqualsSlowDefinitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, positive := drawSplit(t, true)
		r := mustRank(t, scores, positive)
		if got, want := r.AveragePrecision().V, slowAP(scores, positive); !(math.Abs(got-want) <= near) {
			t.Fatalf("average precision %v, want %v", got, want)
		}
		if got, want := r.AUROC().V, slowAUROC(scores, positive); !(math.Abs(got-want) <= near) {
			t.Fatalf("AUROC %v, want %v", got, want)
		}
	})
}

func TestFiguresKeepTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, positive := drawSplit(t, true)
		r := mustRank(t, scores, positive)
		// The worst order has every negative above every positive.
		p, n := r.Positives(), r.Negatives()
		worst := 0.0
		for i := 1; i <= p; i++ {
			worst += float64(i) / float64(n+i) / float64(p)
		}
		if ap := r.AveragePrecision().V; !(ap >= worst-near && ap <= 1+near) {
			t.Fatalf("average precision %v outside [%v, 1]", ap, worst)
		}
		if auroc := r.AUROC().V; !(auroc >= 0 && auroc <= 1) {
			t.Fatalf("AUROC %v", auroc)
		}
	})
}

func TestMonotoneTransformChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, positive := drawSplit(t, true)
		// The rank of a score is a strictly rising function of it, without rounding.
		sorted := slices.Clone(scores)
		slices.Sort(sorted)
		moved := make([]float64, len(scores))
		for i, s := range scores {
			at, _ := slices.BinarySearch(sorted, s)
			moved[i] = math.Exp(float64(at)/10) - 3
		}
		a, b := mustRank(t, scores, positive), mustRank(t, moved, positive)
		for _, f := range []func(*Ranking) Value{
			(*Ranking).AveragePrecision, (*Ranking).AUROC,
			func(r *Ranking) Value { return r.RecallAtFPR(0.1) },
		} {
			if f(a) != f(b) {
				t.Fatalf("%v became %v", f(a), f(b))
			}
		}
		ia, _ := a.BootstrapAP(20, 0.9, 3)
		ib, _ := b.BootstrapAP(20, 0.9, 3)
		if ia != ib {
			t.Fatalf("interval %v became %v", ia, ib)
		}
	})
}

func TestRowOrderChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, positive := drawSplit(t, true)
		order := rapid.Permutation(indices(len(scores))).Draw(t, "order")
		s, p := make([]float64, len(scores)), make([]bool, len(scores))
		for i, from := range order {
			s[i], p[i] = scores[from], positive[from]
		}
		in := Input{Part: "test", Scores: scores, Positive: positive, Threshold: Of(0), FlowsPerDay: 1000, Bootstrap: 10, Seed: 1}
		a, err := Evaluate(in)
		if err != nil {
			t.Fatal(err)
		}
		in.Scores, in.Positive = s, p
		b, err := Evaluate(in)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.Figures(), b.Figures()) || a.Intervals["average_precision"] != b.Intervals["average_precision"] {
			t.Fatalf("figures depend on the order of rows:\n%v\n%v", a, b)
		}
	})
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestAUROCIsSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, positive := drawSplit(t, true)
		negated, swapped := make([]float64, len(scores)), make([]bool, len(scores))
		for i := range scores {
			negated[i], swapped[i] = -scores[i], !positive[i]
		}
		auroc := mustRank(t, scores, positive).AUROC().V
		if got := mustRank(t, negated, positive).AUROC().V; !(math.Abs(got-(1-auroc)) <= near) {
			t.Fatalf("AUROC of negated scores %v, want %v", got, 1-auroc)
		}
		if got := mustRank(t, negated, swapped).AUROC().V; got != auroc {
			t.Fatalf("AUROC of negated scores and truth %v, want %v", got, auroc)
		}
	})
}

func TestReverseEqualsRankingNegatedScores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, positive := drawSplit(t, false)
		negated := make([]float64, len(scores))
		for i, s := range scores {
			negated[i] = -s
		}
		got, want := mustRank(t, scores, positive).Reverse(), mustRank(t, negated, positive)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

func TestSortScoresEqualsSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := generator{
			Rows:   rapid.SampledFrom([]int{0, 1, radixFrom - 1, radixFrom, 9973}).Draw(t, "rows"),
			Seed:   rapid.Uint64().Draw(t, "seed"),
			Levels: rapid.SampledFrom([]int{0, 0, 1, 2, 5000}).Draw(t, "levels"),
		}
		scale := rapid.SampledFrom([]float64{1, -1e300, 1e-310, 3e-324}).Draw(t, "scale")
		narrow := rapid.Bool().Draw(t, "narrow")
		scores, _ := g.make()
		for i := range scores {
			scores[i] = finite((scores[i] - 0.3) * scale)
			if narrow {
				scores[i] = finite(float64(float32(scores[i])))
			}
		}
		if len(scores) > 3 {
			scores[2], scores[3] = math.MaxFloat64, -math.MaxFloat64
		}
		want := slices.Clone(scores)
		slices.Sort(want)
		sortScores(scores)
		if !slices.Equal(scores, want) {
			t.Fatal("differs from slices.Sort")
		}
	})
}

func TestCurvesRise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, positive := drawSplit(t, true)
		r := mustRank(t, scores, positive)
		points := rapid.SampledFrom([]int{0, 2, 3, 5, 1000}).Draw(t, "points")
		roc, _ := r.ROC(points)
		pr, _ := r.PR(points)
		for _, rising := range [][]float64{roc.FalsePositiveRate, roc.Recall, pr.Recall} {
			if !slices.IsSorted(rising) || rising[len(rising)-1] != 1 {
				t.Fatalf("does not rise to 1: %v", rising)
			}
			if points > 0 && len(rising) > points {
				t.Fatalf("%d points, want at most %d", len(rising), points)
			}
		}
		if roc.FalsePositiveRate[0] != 0 || roc.Recall[0] != 0 {
			t.Fatalf("ROC starts at %v, %v", roc.FalsePositiveRate[0], roc.Recall[0])
		}
		for i, at := range roc.Threshold {
			c, err := Confuse(scores, positive, at)
			if err != nil {
				t.Fatal(err)
			}
			if c.Recall().V != roc.Recall[i] || c.FalsePositiveRate().V != roc.FalsePositiveRate[i] {
				t.Fatalf("at threshold %v: %+v, curve says %v, %v", at, c, roc.FalsePositiveRate[i], roc.Recall[i])
			}
		}
	})
}

func TestThinnedCurveStaysNear(t *testing.T) {
	scores, positive := generator{Rows: 20000, Seed: 3, PerMillion: 100000}.make()
	r := mustRank(t, scores, positive)
	full, _ := r.ROC(0)
	thin, _ := r.ROC(101)
	// Both axes rise by 1: the curve has length 2, and 100 parts.
	for i := range full.Recall {
		at, _ := slices.BinarySearch(thin.FalsePositiveRate, full.FalsePositiveRate[i])
		best := math.Inf(1)
		for k := max(0, at-60); k < min(len(thin.Recall), at+60); k++ {
			best = min(best, math.Abs(thin.FalsePositiveRate[k]-full.FalsePositiveRate[i])+math.Abs(thin.Recall[k]-full.Recall[i]))
		}
		if !(best <= 0.02+near) {
			t.Fatalf("point %d is %v away from the thinned curve", i, best)
		}
	}
}

func TestThresholdKeepsTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, positive := drawSplit(t, true)
		limit := rapid.OneOf(rapid.Float64Range(1e-4, 0.99), rapid.SampledFrom([]float64{0.1, 0.2, 0.25, 0.5})).Draw(t, "limit")
		at, err := ChooseThreshold(scores, positive, Rule{MaxFalsePositiveRate: limit})
		if err != nil || !at.OK {
			t.Fatal(at, err)
		}
		c, _ := Confuse(scores, positive, at.V)
		if rate := c.FalsePositiveRate().V; rate > limit {
			t.Fatalf("threshold %v has false-positive rate %v > %v", at, rate, limit)
		}
		lower, _ := Confuse(scores, positive, math.Nextafter(at.V, math.Inf(-1)))
		if rate := lower.FalsePositiveRate().V; rate <= limit {
			t.Fatalf("the next lower threshold has false-positive rate %v <= %v as well", rate, limit)
		}
		// It is where the recall at that rate is measured.
		if got := mustRank(t, scores, positive).RecallAtFPR(limit); got != c.Recall() {
			t.Fatalf("recall at the rate %v, at its threshold %v", got, c.Recall())
		}
	})
}

func TestBestThresholdIsBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, positive := drawSplit(t, true)
		name := rapid.SampledFrom([]string{"f1", "f2", "mcc"}).Draw(t, "maximize")
		at, err := ChooseThreshold(scores, positive, Rule{Maximize: name})
		if err != nil || !at.OK {
			t.Fatal(at, err)
		}
		figure := objective(name)
		chosen, _ := Confuse(scores, positive, at.V)
		for _, other := range scores {
			c, _ := Confuse(scores, positive, other)
			better := figure(c).V > figure(chosen).V
			if better || figure(c) == figure(chosen) && other > at.V {
				t.Fatalf("%v has %s %v, but %v has %v", at, name, figure(chosen), other, figure(c))
			}
		}
	})
}

func TestIntervalHoldsTheShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1000000).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		narrow, wide := Proportion{k, n}.Interval(0.9), Proportion{k, n}.Interval(0.99)
		share := float64(k) / float64(n)
		if !(0 <= wide.Low && wide.Low <= narrow.Low && narrow.Low <= share && share <= narrow.High && narrow.High <= wide.High && wide.High <= 1) {
			t.Fatalf("%d of %d: %v inside %v", k, n, narrow, wide)
		}
	})
}
