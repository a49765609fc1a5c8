package metric

import (
	"fmt"
	"math"
)

// Reasons why a figure cannot be had.
const (
	noRows      = "no rows"
	noPositives = "no positives"
	noNegatives = "no negatives"
	noAlerts    = "no alerts at the threshold"
)

// NaNError says which row has no score.
type NaNError struct {
	Row   int
	Class string // the class whose score it is; empty where there is one score a row
}

func (e *NaNError) Error() string {
	if e.Class != "" {
		return fmt.Sprintf("score of row %d for class %s is NaN: the model diverged or its input was not finite", e.Row, e.Class)
	}
	return fmt.Sprintf("score of row %d is NaN: the model diverged or its input was not finite", e.Row)
}

// Ranking is the rows of one split by falling score: a group a distinct score,
// and the counts of rows that alert when the threshold is that score. Every
// figure that needs the order is read off it, so that the scores are sorted
// once. It is immutable and safe for concurrent use.
type Ranking struct {
	positives, negatives int
	threshold            []float64 // falling, distinct, finite
	tp, fp               []int32   // alerts among positives and negatives at threshold[i]; the last are all rows
}

// Rank sorts scores. It keeps neither argument and needs up to 40 bytes a row
// while it runs, and up to 16 afterwards.
func Rank(scores []float64, positive []bool) (*Ranking, error) {
	if len(scores) != len(positive) {
		panic("metric: scores and positive differ in length")
	}
	p, n, err := part(scores, positive)
	if err != nil {
		return nil, err
	}
	sortScores(p)
	sortScores(n)
	r := &Ranking{positives: len(p), negatives: len(n)}
	r.merge(p, n)
	return r, nil
}

// Reverse is the Ranking of the negated scores, without sorting again.
func (r *Ranking) Reverse() *Ranking {
	n := len(r.threshold)
	out := &Ranking{
		positives: r.positives, negatives: r.negatives,
		threshold: make([]float64, n), tp: make([]int32, n), fp: make([]int32, n),
	}
	tp, fp := int32(r.positives), int32(r.negatives)
	for i := range n {
		from := n - 1 - i
		out.threshold[i] = 0 - r.threshold[from]
		out.tp[i], out.fp[i] = tp, fp
		if from > 0 {
			out.tp[i] -= r.tp[from-1]
			out.fp[i] -= r.fp[from-1]
		}
	}
	return out
}

// part copies the scores of positives and negatives apart, made finite and
// without a negative zero.
func part(scores []float64, positive []bool) (p, n []float64, err error) {
	count := 0
	for _, is := range positive {
		if is {
			count++
		}
	}
	p, n = make([]float64, 0, count), make([]float64, 0, len(scores)-count)
	for i, s := range scores {
		if math.IsNaN(s) {
			return nil, nil, &NaNError{Row: i}
		}
		s = finite(s)
		if positive[i] {
			p = append(p, s)
		} else {
			n = append(n, s)
		}
	}
	return p, n, nil
}

// finite is the score as it ranks: infinities are the largest and smallest
// finite value, and -0 + 0 is +0, for equal scores must be equal in their bits.
func finite(score float64) float64 {
	return min(max(score, -math.MaxFloat64), math.MaxFloat64) + 0
}

// Alert is the one rule that makes alerts: score >= threshold.
func Alert(score, threshold float64) bool { return finite(score) >= threshold }

// merge walks both rising slices from their ends and closes a group at every
// distinct score.
func (r *Ranking) merge(p, n []float64) {
	i, j := len(p), len(n)
	r.threshold = make([]float64, 0, i+j)
	r.tp, r.fp = make([]int32, 0, i+j), make([]int32, 0, i+j)
	for i > 0 || j > 0 {
		t := math.Inf(-1)
		if i > 0 {
			t = p[i-1]
		}
		if j > 0 {
			t = max(t, n[j-1])
		}
		for i > 0 && p[i-1] == t {
			i--
		}
		for j > 0 && n[j-1] == t {
			j--
		}
		r.threshold = append(r.threshold, t)
		r.tp = append(r.tp, int32(len(p)-i))
		r.fp = append(r.fp, int32(len(n)-j))
	}
}

// Positives and Negatives count the rows of each kind.
func (r *Ranking) Positives() int { return r.positives }
func (r *Ranking) Negatives() int { return r.negatives }

// need is the reason why a figure over both kinds of rows cannot be had, or "".
func (r *Ranking) need(positives, negatives bool) string {
	switch {
	case r.positives+r.negatives == 0:
		return noRows
	case positives && r.positives == 0:
		return noPositives
	case negatives && r.negatives == 0:
		return noNegatives
	}
	return ""
}
