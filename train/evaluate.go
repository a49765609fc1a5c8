package train

import (
	"context"
	"math"

	"flowbench/train/metric"
)

// bootstrapResamples is the number behind the interval of average precision.
// The 2.5 % and 97.5 % quantiles of 1,000 resamples are stable to about 1 % of
// the interval's width.
const bootstrapResamples = 1000

// partScores holds the scores of the validation and test rows while an
// ensemble's members add theirs.
type partScores struct {
	data             *Data
	validation, test *ensemble
	// classes is the mean class probability of each test row (rows×classes);
	// nil for two classes.
	classes []float32
}

func newPartScores(d *Data, model string) *partScores {
	odds := model == "dnn"
	s := &partScores{data: d, validation: newEnsemble(len(d.Validation), odds), test: newEnsemble(len(d.Test), odds)}
	if d.Multiclass() {
		s.classes = make([]float32, len(d.Test)*len(d.Classes))
	}
	return s
}

// addMember adds the scores of one of the given number of members.
func (s *partScores) addMember(ctx context.Context, scorer *scorer, members int) error {
	if err := s.validation.add(ctx, scorer, s.data.Validation); err != nil {
		return err
	}
	if err := s.test.add(ctx, scorer, s.data.Test); err != nil {
		return err
	}
	if s.classes == nil {
		return nil
	}
	return scorer.network.addProbabilities(ctx, s.data.Test, 1/float64(members), s.classes)
}

// addProbabilities adds weight·softmax(outputs) of rows to dst (rows×outputs).
func (n *network) addProbabilities(ctx context.Context, rows []int32, weight float64, dst []float32) error {
	at := 0
	return n.predict(ctx, rows, func(chunk []int32, out []float32) error {
		width := n.outputs()
		for i := range chunk {
			z := out[i*width : (i+1)*width]
			norm := logSumExp(z)
			for _, v := range z {
				dst[at] += float32(weight * math.Exp(float64(v)-norm))
				at++
			}
		}
		return nil
	})
}

// evaluate keeps the scores, chooses the threshold on those of validation, keeps
// it with the model, and judges both parts with it.
func (t *Trial) evaluate(validation, test []float64, result *Result) error {
	d := t.Data
	if err := t.keepScores(validation, test); err != nil {
		return err
	}
	threshold, err := metric.ChooseThreshold(validation, d.positive(d.Validation), metric.Rule(t.Config.Threshold))
	if err != nil {
		return err
	}
	if err := t.writeModel(validation, threshold); err != nil {
		return err
	}
	if result.Validation, err = t.report("validation", d.Validation, validation, threshold); err != nil {
		return err
	}
	if result.Test, err = t.report("test", d.Test, test, threshold); err != nil {
		return err
	}
	result.Metrics = map[string]float64{}
	for _, r := range []*metric.Report{result.Validation, result.Test} {
		for name, v := range r.Flatten() {
			result.Metrics[r.Part+"."+name] = v
		}
	}
	return nil
}

// addLosses adds the means of the members' losses, each of its best epoch.
func (r *Result) addLosses() {
	for _, m := range r.Members {
		for name, v := range m.Losses {
			r.Metrics[name] += v / float64(len(r.Members))
		}
	}
}

func (d *Data) evaluateClasses(scores []float32, result *Result) (err error) {
	result.Classes, err = metric.EvaluateClasses(metric.ClassInput{
		Part: "test", Scores: scores, Labels: pick(d.Class, d.Test), Classes: d.Classes,
	})
	if err != nil {
		return err
	}
	for name, v := range result.Classes.Flatten() {
		result.Metrics["test."+name] = v
	}
	return nil
}

func (t *Trial) report(part string, rows []int32, scores []float64, threshold metric.Value) (*metric.Report, error) {
	in := metric.Input{
		Part: part, Scores: scores, Positive: t.Data.positive(rows),
		Threshold:   threshold,
		Labels:      pick(t.Data.Label, rows),
		LabelNames:  t.Data.Labels,
		Attacks:     t.Data.attacks(),
		FlowsPerDay: t.Data.FlowsPerDay,
		Seed:        t.Seed,
	}
	if part == "test" {
		in.Bootstrap = bootstrapResamples
	}
	return metric.Evaluate(in)
}

func (d *Data) positive(rows []int32) []bool {
	p := make([]bool, len(rows))
	for i, r := range rows {
		p[i] = d.Class[r] != 0
	}
	return p
}

// attacks lists the labels that have rows of a class other than the negative one.
func (d *Data) attacks() []string {
	attack := make([]bool, len(d.Labels))
	for i, l := range d.Label {
		attack[l] = attack[l] || d.Class[i] != 0
	}
	var names []string
	for i, name := range d.Labels {
		if attack[i] {
			names = append(names, name)
		}
	}
	return names
}

func pick(values, rows []int32) []int32 {
	picked := make([]int32, len(rows))
	for i, r := range rows {
		picked[i] = values[r]
	}
	return picked
}

// rankingValues adds the figures of an epoch's scores on validation rows, as far
// as these allow them.
func rankingValues(scores []float64, positive []bool, values map[string]float64) error {
	ranking, err := metric.Rank(scores, positive)
	if err != nil {
		return err
	}
	for name, v := range map[string]metric.Value{
		"validation.average_precision":    ranking.AveragePrecision(),
		"validation.auroc":                ranking.AUROC(),
		"validation.recall_at_fpr_0.01":   ranking.RecallAtFPR(metric.FPR1e2),
		"validation.recall_at_fpr_0.001":  ranking.RecallAtFPR(metric.FPR1e3),
		"validation.recall_at_fpr_0.0001": ranking.RecallAtFPR(metric.FPR1e4),
	} {
		if v.OK {
			values[name] = v.V
		}
	}
	return nil
}
