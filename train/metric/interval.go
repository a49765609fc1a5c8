package metric

import (
	"fmt"

	"gonum.org/v1/gonum/mathext"
)

// Level is the confidence of every interval in a Report.
const Level = 0.95

// Methods by which an Interval is made.
const (
	ClopperPearson = "clopper-pearson"
	Bootstrap      = "stratified bootstrap percentile"
	Corners        = "clopper-pearson corners"
)

// Interval is a two-sided confidence interval.
type Interval struct {
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Level  float64 `json:"level"`
	Method string  `json:"method"`
}

// Proportion is k of n.
type Proportion struct {
	K int `json:"k"`
	N int `json:"n"`
}

// Interval is the exact interval of Clopper and Pearson 1934 for a binomial
// proportion: at least level of confidence whatever the truth (6 of 6 is at
// least 0.54 at level 0.95). Its ends are quantiles of beta distributions. It
// takes the n for independent; flows of one connection are not, and the truth
// about them is wider. n = 0 gives the interval from 0 to 1: nothing is known. Panics unless 0 <= k <= n
// and level is in (0, 1).
func (p Proportion) Interval(level float64) Interval {
	if p.K < 0 || p.K > p.N {
		panic("metric: proportion outside 0 <= k <= n")
	}
	if !(level > 0 && level < 1) {
		panic("metric: level outside (0, 1)")
	}
	tail := (1 - level) / 2
	k, n := float64(p.K), float64(p.N)
	out := Interval{Low: 0, High: 1, Level: level, Method: ClopperPearson}
	if p.K > 0 {
		out.Low = mathext.InvRegIncBeta(k, n-k+1, tail)
	}
	if p.K < p.N {
		out.High = mathext.InvRegIncBeta(k+1, n-k, 1-tail)
	}
	return out
}

// Value is k/n; not evaluable where n is 0.
func (p Proportion) Value() Value { return ratio(p.K, p.N, noRows) }

// String is "k/n [low, high]" with the interval at Level.
func (p Proportion) String() string {
	if p.N == 0 {
		return "0/0 " + NotEvaluable(noRows).String()
	}
	i := p.Interval(Level)
	return fmt.Sprintf("%d/%d [%.3f, %.3f]", p.K, p.N, i.Low, i.High)
}

// PrecisionAtPrevalenceInterval is an interval around PrecisionAtPrevalence
// from the exact intervals of recall and false-positive rate, each at (1+level)/2
// so that both hold together with at least level of confidence (Bonferroni):
// the precision at the worst and at the best corner. It panics where
// PrecisionAtPrevalence is not evaluable.
func (c Confusion) PrecisionAtPrevalenceInterval(prevalence, level float64) Interval {
	if !c.PrecisionAtPrevalence(prevalence).OK {
		panic("metric: precision at prevalence is not evaluable")
	}
	each := (1 + level) / 2
	recall := Proportion{c.TP, c.positives()}.Interval(each)
	fpr := Proportion{c.FP, c.negatives()}.Interval(each)
	return Interval{
		Low:    restate(prevalence, recall.Low, fpr.High),
		High:   restate(prevalence, recall.High, fpr.Low),
		Level:  level,
		Method: Corners,
	}
}
