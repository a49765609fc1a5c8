package metric

// AveragePrecision is Σ (R_i - R_{i-1})·P_i over the distinct scores in falling
// order, R and P being recall and precision at the threshold of that score: the
// definition of scikit-learn's average_precision_score, in which rows of equal
// score count as one step and nothing is interpolated. Not evaluable without
// positives. See Chance for what it means.
func (r *Ranking) AveragePrecision() Value {
	if why := r.need(true, false); why != "" {
		return NotEvaluable(why)
	}
	sum, before := 0.0, int32(0)
	for i, tp := range r.tp {
		if tp == before {
			continue
		}
		// The conversion forbids a fused multiply-add: same bits on every machine.
		sum += float64(float64(tp-before) * float64(tp) / float64(tp+r.fp[i]))
		before = tp
	}
	return Of(sum / float64(r.positives))
}

// Chance is the level to compare an average precision with: the share of
// positives, which a constant score reaches. A random order of n rows with
// few positives comes out somewhat above it, by about ln(n)/n.
func (r *Ranking) Chance() Value {
	if why := r.need(true, false); why != "" {
		return NotEvaluable(why)
	}
	return Of(float64(r.positives) / float64(r.positives+r.negatives))
}

// AUROC is the probability that a random positive scores above a random
// negative, ties counting half (the area under the ROC curve by trapezoids). It
// is a ratio of whole numbers rounded once. Not evaluable without positives or
// without negatives.
func (r *Ranking) AUROC() Value {
	if why := r.need(true, true); why != "" {
		return NotEvaluable(why)
	}
	var twice, tpBefore, fpBefore int64 // twice the Mann-Whitney U
	for i := range r.threshold {
		tp, fp := int64(r.tp[i]), int64(r.fp[i])
		twice += (fp - fpBefore) * (tp + tpBefore)
		tpBefore, fpBefore = tp, fp
	}
	return Of(float64(twice) / float64(2*int64(r.positives)*int64(r.negatives)))
}

// AveragePrecision is Rank followed by Ranking.AveragePrecision.
func AveragePrecision(scores []float64, positive []bool) (Value, error) {
	return ranked(scores, positive, (*Ranking).AveragePrecision)
}

// AUROC is Rank followed by Ranking.AUROC.
func AUROC(scores []float64, positive []bool) (Value, error) {
	return ranked(scores, positive, (*Ranking).AUROC)
}

// RecallAtFPR is Rank followed by Ranking.RecallAtFPR.
func RecallAtFPR(scores []float64, positive []bool, limit float64) (Value, error) {
	return ranked(scores, positive, func(r *Ranking) Value { return r.RecallAtFPR(limit) })
}

func ranked(scores []float64, positive []bool, figure func(*Ranking) Value) (Value, error) {
	r, err := Rank(scores, positive)
	if err != nil {
		return Value{}, err
	}
	return figure(r), nil
}
