package page

import (
	"math"
	"sort"

	"flowbench/train/metric"
)

// TestScores is what a trial gave the flows of its test part.
type TestScores struct {
	Scores    []float64
	Positive  []bool
	Threshold metric.Value // the one that the validation part chose
}

// curveOf draws both curves of a replicate, thinned to Bound. It is nil without
// attacks or without benign flows, where there are none.
func curveOf(seed uint64, s TestScores) (*Curve, error) {
	ranking, err := metric.Rank(s.Scores, s.Positive)
	if err != nil {
		return nil, err
	}
	pr, ok := ranking.PR(0)
	roc, both := ranking.ROC(0)
	if !ok || !both {
		return nil, nil
	}
	c := &Curve{Seed: seed}
	// Below one flow in all benign ones there is no rate but 0, which a
	// logarithmic axis shows at half of that.
	floor := 0.5 / float64(ranking.Negatives())
	c.Floor = Number(floor)
	must, mustPR := map[int]bool{}, map[int]bool{}
	for _, p := range operatingPoints(roc, s.Threshold) {
		i := p.at // index into roc, whose first point alerts never
		point := OperatingPoint{Name: p.name, Recall: Number(roc.Recall[i]), FPR: Number(roc.FalsePositiveRate[i]), Precision: Number(math.NaN())}
		must[i] = true
		if i > 0 {
			mustPR[i-1] = true
			point.Precision = Number(pr.Precision[i-1])
		}
		c.Points = append(c.Points, point)
	}
	places := make([]float64, len(roc.FalsePositiveRate))
	for i, rate := range roc.FalsePositiveRate {
		places[i] = axisPlace(rate, floor)
	}
	kept := thin(places, roc.Recall, Bound, must)
	c.FPR, c.TPR = pick(roc.FalsePositiveRate, kept), pick(roc.Recall, kept)
	kept = thin(pr.Recall, pr.Precision, Bound, mustPR)
	c.Recall, c.Prec = pick(pr.Recall, kept), pick(pr.Precision, kept)
	return c, nil
}

// pointAt is an operating point as an index into a whole ROC curve.
type pointAt struct {
	name string
	at   int
}

// operatingPoints finds the threshold of the validation part, and the rates of
// 1 % and 0.1 % that published figures are given at.
func operatingPoints(roc metric.ROC, threshold metric.Value) []pointAt {
	var points []pointAt
	if threshold.OK {
		// The last point whose rows all reach the threshold; rows alert at >=.
		at := sort.Search(len(roc.Threshold), func(i int) bool { return roc.Threshold[i] < threshold.V }) - 1
		points = append(points, pointAt{"validation threshold", max(at, 0)})
	}
	for _, limit := range []struct {
		name string
		rate float64
	}{{"FPR 1 %", metric.FPR1e2}, {"FPR 0.1 %", metric.FPR1e3}} {
		at := sort.Search(len(roc.FalsePositiveRate), func(i int) bool { return roc.FalsePositiveRate[i] > limit.rate }) - 1
		points = append(points, pointAt{limit.name, max(at, 0)})
	}
	return points
}

// bins is how many bars show how scores are spread: the width of a chart in bars
// of eight pixels.
const bins = 48

// logRatio is from which ratio of the largest to the smallest score on the bars
// are equal on a logarithmic axis: on a linear one 99 of 100 flows would share
// the first of them.
const logRatio = 100

// scoresOf counts the scores of a replicate's test part in bins. It is nil
// without scores.
func scoresOf(seed uint64, s TestScores) *Scores {
	if len(s.Scores) == 0 {
		return nil
	}
	low, high, positive := math.Inf(1), math.Inf(-1), math.Inf(1)
	for _, v := range s.Scores {
		if math.IsInf(v, 0) || math.IsNaN(v) {
			continue
		}
		low, high = min(low, v), max(high, v)
		if v > 0 {
			positive = min(positive, v)
		}
	}
	if low > high {
		return nil // no score is finite
	}
	out := &Scores{Seed: seed, Threshold: Number(math.NaN()), Benign: make([]int, bins), Attack: make([]int, bins)}
	if s.Threshold.OK {
		out.Threshold = Number(s.Threshold.V)
	}
	out.Log = low >= 0 && high > 0 && high/positive > logRatio
	if out.Log {
		low = positive
	}
	to := func(v float64) float64 { return v }
	from := to
	if out.Log {
		to, from = math.Log10, func(v float64) float64 { return math.Pow(10, v) }
	}
	lo, hi := to(low), to(high)
	if lo == hi {
		lo, hi = lo-0.5, hi+0.5
	}
	for i := range bins + 1 {
		out.Edges = append(out.Edges, from(lo+(hi-lo)*float64(i)/bins))
	}
	for i, v := range s.Scores {
		v = min(max(v, low), high)
		bin := min(int((to(v)-lo)/(hi-lo)*bins), bins-1)
		if s.Positive[i] {
			out.Attack[bin]++
		} else {
			out.Benign[bin]++
		}
	}
	return out
}
