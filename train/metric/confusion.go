package metric

import "math"

// Confusion counts the rows of a split by truth and verdict at one threshold.
type Confusion struct {
	TP int `json:"tp"` // positives that alert
	FP int `json:"fp"` // negatives that alert
	FN int `json:"fn"` // positives that do not
	TN int `json:"tn"` // negatives that do not
}

// Confuse counts the rows at a threshold: an alert is a score >= threshold.
func Confuse(scores []float64, positive []bool, threshold float64) (Confusion, error) {
	if len(scores) != len(positive) {
		panic("metric: scores and positive differ in length")
	}
	if math.IsNaN(threshold) {
		panic("metric: threshold is NaN")
	}
	var c Confusion
	for i, s := range scores {
		alert := Alert(s, threshold)
		switch {
		case math.IsNaN(s):
			return Confusion{}, &NaNError{Row: i}
		case alert && positive[i]:
			c.TP++
		case alert:
			c.FP++
		case positive[i]:
			c.FN++
		default:
			c.TN++
		}
	}
	return c, nil
}

func (c Confusion) rows() int      { return c.TP + c.FP + c.FN + c.TN }
func (c Confusion) positives() int { return c.TP + c.FN }
func (c Confusion) negatives() int { return c.FP + c.TN }
func (c Confusion) alerts() int    { return c.TP + c.FP }

// Precision is the share of alerts that are positives; not evaluable without alerts.
func (c Confusion) Precision() Value { return ratio(c.TP, c.alerts(), noAlerts) }

// Recall is the share of positives that alert; not evaluable without positives.
func (c Confusion) Recall() Value { return ratio(c.TP, c.positives(), noPositives) }

// FalsePositiveRate is the share of negatives that alert; not evaluable without negatives.
func (c Confusion) FalsePositiveRate() Value { return ratio(c.FP, c.negatives(), noNegatives) }

// F1 is the harmonic mean of precision and recall, 0 where nothing alerts; not
// evaluable without positives.
func (c Confusion) F1() Value { return c.fBeta(1) }

// F2 is the F-measure that weighs recall twice as heavily as precision.
func (c Confusion) F2() Value { return c.fBeta(4) }

// fBeta is (1+β²)·TP / ((1+β²)·TP + β²·FN + FP) for β² = square.
func (c Confusion) fBeta(square int) Value {
	if c.positives() == 0 {
		return NotEvaluable(noPositives)
	}
	return ratio((1+square)*c.TP, (1+square)*c.TP+square*c.FN+c.FP, noPositives)
}

// MCC is the correlation of truth and verdict (Matthews 1975). Where every row
// has the same verdict it is 0, its limit and the convention of Chicco and
// Jurman 2020. Not evaluable without positives or without negatives.
func (c Confusion) MCC() Value {
	switch {
	case c.positives() == 0:
		return NotEvaluable(noPositives)
	case c.negatives() == 0:
		return NotEvaluable(noNegatives)
	case c.alerts() == 0 || c.alerts() == c.rows():
		return Of(0)
	}
	cov := float64(c.TP)*float64(c.TN) - float64(c.FP)*float64(c.FN)
	// Two roots, for the product of four counts of millions leaves the integers exact in float64.
	truth := math.Sqrt(float64(c.positives()) * float64(c.negatives()))
	verdict := math.Sqrt(float64(c.alerts()) * float64(c.rows()-c.alerts()))
	return Of(cov / truth / verdict)
}

// AlertsPerDay is the number of alerts, true and false, among flowsPerDay flows
// that are alike the rows: flowsPerDay times the share of rows that alert. Not
// evaluable where flowsPerDay is 0.
func (c Confusion) AlertsPerDay(flowsPerDay float64) Value {
	switch {
	case flowsPerDay == 0:
		return NotEvaluable("no flow rate given")
	case c.rows() == 0:
		return NotEvaluable(noRows)
	}
	return Of(flowsPerDay * float64(c.alerts()) / float64(c.rows()))
}

// PrecisionAtPrevalence restates the precision for traffic in which the share
// of positives is prevalence, in (0, 1), recall and false-positive rate being
// those of the rows: π·R / (π·R + (1-π)·F). Not evaluable without positives,
// negatives or alerts. Where no negative alerts it is 1, and only its interval
// tells how little that says.
func (c Confusion) PrecisionAtPrevalence(prevalence float64) Value {
	if !(prevalence > 0 && prevalence < 1) {
		panic("metric: prevalence outside (0, 1)")
	}
	switch {
	case c.positives() == 0:
		return NotEvaluable(noPositives)
	case c.negatives() == 0:
		return NotEvaluable(noNegatives)
	case c.alerts() == 0:
		return NotEvaluable(noAlerts)
	}
	return Of(restate(prevalence, c.Recall().V, c.FalsePositiveRate().V))
}

func restate(prevalence, recall, falsePositiveRate float64) float64 {
	hits := prevalence * recall
	return hits / (hits + float64((1-prevalence)*falsePositiveRate))
}
