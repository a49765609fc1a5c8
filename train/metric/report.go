package metric

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
)

// Input is one split as a detector scored it.
type Input struct {
	Part     string // "validation", "test": what reasons and errors call the rows
	Scores   []float64
	Positive []bool

	// Threshold is the one chosen on validation. Where it is not evaluable, so
	// is everything that needs it, for the same reason.
	Threshold Value

	// Labels is the label of each row, an index into LabelNames; nil for no
	// recall by label. Attacks names labels that are to be listed even where
	// the split has no row of them.
	Labels     []int32
	LabelNames []string
	Attacks    []string

	FlowsPerDay float64 // for alerts per day; 0: none given
	Bootstrap   int     // resamples for the interval of average precision; 0: none
	Seed        uint64  // of the resamples
}

// Report is every figure of one split of a binary task. Its JSON names are
// stable; Figures and Flatten use the same.
type Report struct {
	Part      string `json:"part"`
	Rows      int    `json:"rows"`
	Positives int    `json:"positives"`
	Negatives int    `json:"negatives"`

	AveragePrecision       Value `json:"average_precision"`
	AveragePrecisionChance Value `json:"average_precision_chance"`
	AUROC                  Value `json:"auroc"`
	RecallAtFPR1e2         Value `json:"recall_at_fpr_0.01"`
	RecallAtFPR1e3         Value `json:"recall_at_fpr_0.001"`
	RecallAtFPR1e4         Value `json:"recall_at_fpr_0.0001"`

	Threshold                Value         `json:"threshold"`
	Confusion                *Confusion    `json:"confusion"` // nil without a threshold
	Precision                Value         `json:"precision"`
	Recall                   Value         `json:"recall"`
	F1                       Value         `json:"f1"`
	F2                       Value         `json:"f2"`
	MCC                      Value         `json:"mcc"`
	FalsePositiveRate        Value         `json:"false_positive_rate"`
	AlertsPerDay             Value         `json:"alerts_per_day"`
	PrecisionAtPrevalence1e2 Value         `json:"precision_at_prevalence_0.01"`
	PrecisionAtPrevalence1e3 Value         `json:"precision_at_prevalence_0.001"`
	RecallByLabel            []LabelRecall `json:"recall_by_label,omitempty"`

	// Intervals holds, by the name of the figure, those at Level: exact ones of
	// the shares, the bootstrap's of average_precision.
	Intervals map[string]Interval `json:"intervals"`
	// NotEvaluable holds, by the name of the figure, why it is null; under
	// average_precision_interval, why there is no bootstrap.
	NotEvaluable map[string]string `json:"not_evaluable"`
}

// Evaluate computes every figure of a split.
func Evaluate(in Input) (*Report, error) {
	if err := in.validate(); err != nil {
		return nil, fmt.Errorf("evaluating %s: %w", in.name(), err)
	}
	ranking, err := Rank(in.Scores, in.Positive)
	if err != nil {
		return nil, fmt.Errorf("evaluating %s: %w", in.name(), err)
	}
	r := &Report{
		Part:      in.Part,
		Rows:      len(in.Scores),
		Positives: ranking.Positives(),
		Negatives: ranking.Negatives(),
		Intervals: map[string]Interval{},

		NotEvaluable: map[string]string{},
	}
	r.rank(ranking, in)
	if err := r.decide(in); err != nil {
		return nil, fmt.Errorf("evaluating %s: %w", in.name(), err)
	}
	if in.Labels != nil {
		if r.RecallByLabel, err = labelRecalls(in); err != nil {
			return nil, fmt.Errorf("evaluating %s: %w", in.name(), err)
		}
	}
	maps.Copy(r.NotEvaluable, reasons(r.values()))
	return r, nil
}

func (in Input) name() string {
	if in.Part == "" {
		return "scores"
	}
	return in.Part
}

func (in Input) validate() error {
	switch {
	case len(in.Scores) != len(in.Positive):
		panic("metric: scores and positive differ in length")
	case in.Labels != nil && len(in.Labels) != len(in.Scores):
		panic("metric: scores and labels differ in length")
	case in.Threshold.OK && (math.IsNaN(in.Threshold.V) || math.IsInf(in.Threshold.V, 0)):
		return fmt.Errorf("threshold %v is not finite", in.Threshold.V)
	case !(in.FlowsPerDay >= 0) || math.IsInf(in.FlowsPerDay, 1):
		return fmt.Errorf("flows per day: %v is not a rate", in.FlowsPerDay)
	case in.Bootstrap < 0 || in.Bootstrap == 1:
		return errors.New("bootstrap: give at least two resamples, or 0 for no interval")
	}
	return nil
}

// rank fills the figures that need no threshold.
func (r *Report) rank(ranking *Ranking, in Input) {
	r.AveragePrecision = ranking.AveragePrecision().in(in.Part)
	r.AveragePrecisionChance = ranking.Chance().in(in.Part)
	r.AUROC = ranking.AUROC().in(in.Part)
	for _, at := range []struct {
		limit float64
		value *Value
	}{{FPR1e2, &r.RecallAtFPR1e2}, {FPR1e3, &r.RecallAtFPR1e3}, {FPR1e4, &r.RecallAtFPR1e4}} {
		*at.value = ranking.RecallAtFPR(at.limit).in(in.Part)
		if at.value.OK {
			share := Proportion{ranking.detectedAt(at.limit), ranking.Positives()}
			r.Intervals[fmt.Sprintf("recall_at_fpr_%g", at.limit)] = share.Interval(Level)
		}
	}
	if in.Bootstrap > 0 {
		i, reason := ranking.BootstrapAP(in.Bootstrap, Level, in.Seed)
		if reason == "" {
			r.Intervals["average_precision"] = i
		} else {
			r.NotEvaluable["average_precision_interval"] = NotEvaluable(reason).in(in.Part).Reason
		}
	}
}

// decide fills the figures at the threshold.
func (r *Report) decide(in Input) error {
	r.Threshold = in.Threshold
	if !in.Threshold.OK {
		if r.Threshold.Reason == "" {
			r.Threshold.Reason = "no threshold given"
		}
		for _, v := range r.atThreshold() {
			*v.value = r.Threshold
		}
		return nil
	}
	c, err := Confuse(in.Scores, in.Positive, in.Threshold.V)
	if err != nil {
		return err
	}
	r.Confusion = &c
	r.Precision = c.Precision().in(in.Part)
	r.Recall = c.Recall().in(in.Part)
	r.F1 = c.F1().in(in.Part)
	r.F2 = c.F2().in(in.Part)
	r.MCC = c.MCC().in(in.Part)
	r.FalsePositiveRate = c.FalsePositiveRate().in(in.Part)
	r.AlertsPerDay = c.AlertsPerDay(in.FlowsPerDay)
	if r.Rows == 0 {
		r.AlertsPerDay = r.AlertsPerDay.in(in.Part)
	}
	r.PrecisionAtPrevalence1e2 = c.PrecisionAtPrevalence(1e-2).in(in.Part)
	r.PrecisionAtPrevalence1e3 = c.PrecisionAtPrevalence(1e-3).in(in.Part)
	r.shares(c)
	return nil
}

// shares adds the intervals of the figures at the threshold.
func (r *Report) shares(c Confusion) {
	exact := func(name string, k, n int) {
		if n > 0 {
			r.Intervals[name] = Proportion{k, n}.Interval(Level)
		}
	}
	exact("precision", c.TP, c.alerts())
	exact("recall", c.TP, c.positives())
	exact("false_positive_rate", c.FP, c.negatives())
	if r.PrecisionAtPrevalence1e2.OK {
		r.Intervals["precision_at_prevalence_0.01"] = c.PrecisionAtPrevalenceInterval(1e-2, Level)
		r.Intervals["precision_at_prevalence_0.001"] = c.PrecisionAtPrevalenceInterval(1e-3, Level)
	}
}

// values lists the figures in the order in which tables show them.
func (r *Report) values() []namedValue {
	ranked := []namedValue{
		{"average_precision", &r.AveragePrecision},
		{"average_precision_chance", &r.AveragePrecisionChance},
		{"auroc", &r.AUROC},
		{"recall_at_fpr_0.01", &r.RecallAtFPR1e2},
		{"recall_at_fpr_0.001", &r.RecallAtFPR1e3},
		{"recall_at_fpr_0.0001", &r.RecallAtFPR1e4},
		{"threshold", &r.Threshold},
	}
	return append(ranked, r.atThreshold()...)
}

// atThreshold lists those that need a threshold.
func (r *Report) atThreshold() []namedValue {
	return []namedValue{
		{"precision", &r.Precision},
		{"recall", &r.Recall},
		{"f1", &r.F1},
		{"f2", &r.F2},
		{"mcc", &r.MCC},
		{"false_positive_rate", &r.FalsePositiveRate},
		{"alerts_per_day", &r.AlertsPerDay},
		{"precision_at_prevalence_0.01", &r.PrecisionAtPrevalence1e2},
		{"precision_at_prevalence_0.001", &r.PrecisionAtPrevalence1e3},
	}
}

// Figures lists the figures, evaluable or not, in the order of a table.
func (r *Report) Figures() []Figure { return figures(r.values()) }

// Flatten holds the evaluable figures by name, and the counts: rows, positives,
// negatives, and with a threshold tp, fp, fn, tn.
func (r *Report) Flatten() map[string]float64 {
	flat := flatten(r.values())
	flat["rows"] = float64(r.Rows)
	flat["positives"], flat["negatives"] = float64(r.Positives), float64(r.Negatives)
	if c := r.Confusion; c != nil {
		flat["tp"], flat["fp"] = float64(c.TP), float64(c.FP)
		flat["fn"], flat["tn"] = float64(c.FN), float64(c.TN)
	}
	return flat
}

// UnmarshalJSON reads what json.Marshal wrote and gives every null its reason back.
func (r *Report) UnmarshalJSON(text []byte) error {
	type plain Report // without this method
	if err := json.Unmarshal(text, (*plain)(r)); err != nil {
		return fmt.Errorf("metric report: %w", err)
	}
	explain(r.values(), r.NotEvaluable)
	return nil
}
