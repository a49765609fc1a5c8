package metric

import (
	"fmt"
	"math"
	"sort"
)

// Limits of the false-positive rate at which recall is reported.
const (
	FPR1e2 = 1e-2
	FPR1e3 = 1e-3
	FPR1e4 = 1e-4
)

// Rule says how the alert threshold is chosen. Exactly one field is set. It has
// the fields of a trial's threshold configuration, which converts to it.
type Rule struct {
	// MaxFalsePositiveRate, in (0, 1), asks for the lowest threshold whose
	// false-positive rate does not exceed it.
	MaxFalsePositiveRate float64
	// Maximize asks for the threshold with the best f1, f2 or mcc.
	Maximize string
}

// RecallAtFPR is the highest recall over all thresholds whose false-positive
// rate is at most limit: with m = the most negatives that may alert, the share
// of positives that score above the (m+1)-th highest negative. Where
// limit·negatives < 1 no negative may alert. Rates are compared as the rounded
// quotients they are, so that 10 of 1,000 is within the limit 0.01. Not
// evaluable without positives or without negatives; a limit outside [0, 1]
// panics.
func (r *Ranking) RecallAtFPR(limit float64) Value {
	if !(limit >= 0 && limit <= 1) {
		panic("metric: false-positive rate outside [0, 1]")
	}
	if why := r.need(true, true); why != "" {
		return NotEvaluable(why)
	}
	return Of(float64(r.detectedAt(limit)) / float64(r.positives))
}

// detectedAt is the number of positives behind RecallAtFPR.
func (r *Ranking) detectedAt(limit float64) int {
	i := r.firstAbove(limit)
	if i == 0 {
		return 0
	}
	return int(r.tp[i-1])
}

// firstAbove is the first group at whose threshold the false-positive rate
// exceeds limit; the number of groups where none does.
func (r *Ranking) firstAbove(limit float64) int {
	return sort.Search(len(r.fp), func(i int) bool {
		return float64(r.fp[i])/float64(r.negatives) > limit
	})
}

// ChooseThreshold applies a rule to the rows of a validation split.
//
// For MaxFalsePositiveRate it is the lowest float64 that keeps the rule: the
// next one above the highest negative score that must not alert (compare in
// float64: rounded to float32 it can fall back onto that score). For Maximize
// it is the score of a row, the highest where several do equally well.
//
// A rule that cannot be applied to these rows (no negatives; no positives to
// maximise on) gives a Value that is not evaluable. A rule that makes no sense
// and a NaN score are errors.
func ChooseThreshold(scores []float64, positive []bool, rule Rule) (Value, error) {
	if err := rule.Validate(); err != nil {
		return Value{}, err
	}
	r, err := Rank(scores, positive)
	if err != nil {
		return Value{}, err
	}
	if rule.Maximize == "" {
		return r.lowestThreshold(rule.MaxFalsePositiveRate).in("validation"), nil
	}
	return r.bestThreshold(objective(rule.Maximize)).in("validation"), nil
}

// Validate says what is wrong with a rule.
func (rule Rule) Validate() error {
	limit, name := rule.MaxFalsePositiveRate, rule.Maximize
	switch {
	case name == "" && limit == 0:
		return fmt.Errorf("threshold: no rule: set max_false_positive_rate or maximize")
	case name != "" && limit != 0:
		return fmt.Errorf("threshold: two rules: set max_false_positive_rate or maximize, not both")
	case name == "" && !(limit > 0 && limit < 1):
		return fmt.Errorf("threshold.max_false_positive_rate: %v is not between 0 and 1", limit)
	case name != "" && objective(name) == nil:
		return fmt.Errorf("threshold.maximize: %q is none of f1, f2, mcc", name)
	}
	return nil
}

// objective is the figure a rule maximises; nil where there is none of that name.
func objective(name string) func(Confusion) Value {
	switch name {
	case "f1":
		return Confusion.F1
	case "f2":
		return Confusion.F2
	case "mcc":
		return Confusion.MCC
	}
	return nil
}

func (r *Ranking) lowestThreshold(limit float64) Value {
	if why := r.need(false, true); why != "" {
		return NotEvaluable(why)
	}
	// The last group holds every negative, at a rate of 1 > limit: it exists.
	t := math.Nextafter(r.threshold[r.firstAbove(limit)], math.Inf(1))
	if math.IsInf(t, 1) {
		return NotEvaluable("no finite threshold is above the scores of the negatives")
	}
	return Of(t)
}

func (r *Ranking) bestThreshold(figure func(Confusion) Value) Value {
	if why := r.need(true, true); why != "" {
		return NotEvaluable(why)
	}
	best, at := math.Inf(-1), 0.0
	for i, t := range r.threshold {
		if v := figure(r.confusion(i)); v.OK && v.V > best {
			best, at = v.V, t
		}
	}
	return Of(at)
}

// confusion is the counts at the threshold of group i.
func (r *Ranking) confusion(i int) Confusion {
	tp, fp := int(r.tp[i]), int(r.fp[i])
	return Confusion{TP: tp, FP: fp, FN: r.positives - tp, TN: r.negatives - fp}
}
