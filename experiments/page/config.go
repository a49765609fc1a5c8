package page

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"flowbench/experiments/compare"
	"flowbench/train"
	"flowbench/train/metric"
)

// labels are what people call a figure; the part of the flows is said before it.
var labels = map[string]string{
	"average_precision":       "AP",
	"auroc":                   "AUROC",
	"recall_at_fpr_0.01":      "recall at FPR 1 %",
	"recall_at_fpr_0.001":     "recall at FPR 0.1 %",
	"recall_at_fpr_0.0001":    "recall at FPR 0.01 %",
	"mcc":                     "MCC",
	"f1":                      "F1",
	"f2":                      "F2",
	"alerts_per_day":          "alerts a day",
	"macro_average_precision": "macro AP",
	"macro_f1":                "macro F1",
}

// figureOf describes a metric by its full name, such as test.auroc.
func figureOf(name string) Figure {
	part, figure, _ := strings.Cut(name, ".")
	label, ok := labels[figure]
	if !ok {
		label = strings.ReplaceAll(figure, "_", " ")
	}
	return Figure{
		Name: name, Label: part + " " + label,
		Maximize: !train.LowerIsBetter(name), Neutral: figure == "alerts_per_day",
	}
}

// figuresOf lists the figures of a page, the one that ranks first, and what each
// comes to without knowledge.
func figuresOf(t *compare.Table) []Figure {
	names := []string{t.Metric, "test.average_precision"}
	if t.Multiclass {
		names = append(names, "test.macro_average_precision", "test.macro_f1")
	}
	names = append(names, "test.auroc", "test.recall_at_fpr_0.01", "test.recall_at_fpr_0.001", "test.mcc", "test.alerts_per_day")
	var figures []Figure
	for _, name := range names {
		f := figureOf(name)
		f.Chance = compare.Chance(t.Configurations, name)
		figures = append(figures, f)
	}
	return figures
}

// paramsOf lists the parameters that differ, without those that the names of
// configurations stand for.
func paramsOf(ranked []compare.Configuration, named []string, drawn map[string]string) []Param {
	paths := slices.DeleteFunc(compare.Differing(ranked), func(path string) bool { return slices.Contains(named, path) })
	var params []Param
	for i, label := range compare.Shortest(paths) {
		params = append(params, describeParam(paths[i], strings.ReplaceAll(label, "_", " "), ranked, drawn[paths[i]]))
	}
	return params
}

// describeParam chooses the axis that a parameter's values lie on: a category
// where one is no number; logarithmic where it is drawn so, or listed over a
// ratio of ten or more.
func describeParam(path, label string, ranked []compare.Configuration, drawn string) Param {
	p := Param{Path: path, Label: label, Scale: "category"}
	numbers, distinct := true, map[string]bool{}
	var values []float64
	for _, c := range ranked {
		v, ok := c.Params[path]
		if !ok {
			continue
		}
		distinct[valueText(v)] = true
		if x, ok := number(v); ok {
			values = append(values, x)
		} else {
			numbers = false
		}
	}
	if numbers && len(values) > 0 {
		slices.Sort(values)
		p.Scale = "linear"
		low, high := values[0], values[len(values)-1]
		if low > 0 && (strings.Contains(drawn, "log") || drawn == "" && high/low >= 10) {
			p.Scale = "log"
		}
		return p
	}
	for v := range distinct {
		p.Values = append(p.Values, v)
	}
	sort.Strings(p.Values)
	return p
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case int:
		return float64(v), true
	case json.Number:
		x, err := v.Float64()
		return x, err == nil
	}
	return 0, false
}

// valueText is a value in one line.
func valueText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}

// config is one configuration, whose trials are listed.
func (r *reader) config(s *Study, row compare.Configuration, trials []int) Config {
	out := Config{
		Name: row.Name, Model: row.Model, Baseline: row.Baseline,
		Set: row.Params, States: row.States, Seeds: row.Seeds,
	}
	if slices.ContainsFunc(row.Reasons, func(r string) bool { return r != "" }) {
		out.Reason = row.Reasons
	}
	for _, p := range s.Params {
		v, ok := row.Params[p.Path]
		switch x, isNumber := number(v); {
		case !ok:
			out.Params = append(out.Params, nil)
		case isNumber && p.Scale != "category":
			out.Params = append(out.Params, Number(x))
		default:
			out.Params = append(out.Params, valueText(v))
		}
	}
	for _, f := range s.Figures {
		sum := row.Summary(f.Name)
		mean, sd := sum.Mean, sum.SD
		if sum.N == 0 {
			mean = math.NaN()
		}
		if sum.N < 2 {
			sd = math.NaN()
		}
		out.Stats = append(out.Stats, Numbers{mean, sd, float64(sum.N)})
		var values Numbers
		for _, v := range row.Metrics[f.Name] {
			if v == nil {
				values = append(values, math.NaN())
			} else {
				values = append(values, *v)
			}
		}
		out.Values = append(out.Values, values)
	}
	out.Labels = r.labelRecalls(trials)
	for _, i := range trials {
		if r := r.trials[i].result; r != nil && r.Test != nil && r.Test.Confusion != nil {
			n := r.Test.Confusion
			out.Confusion = append(out.Confusion, Numbers{float64(n.TP), float64(n.FP), float64(n.FN), float64(n.TN)})
		}
	}
	out.Learning = r.learning(trials, s.Metric.Name)
	return out
}

// labelRecalls is one entry an attack label, in the order in which they come.
func (r *reader) labelRecalls(trials []int) []LabelRecall {
	type sum struct{ k, n, replicates int }
	sums := map[string]*sum{}
	var names []string
	for _, i := range trials {
		r := r.trials[i].result
		if r == nil || r.Test == nil || r.Test.Confusion == nil {
			continue
		}
		for _, l := range r.Test.RecallByLabel {
			if sums[l.Label] == nil {
				sums[l.Label] = &sum{}
				names = append(names, l.Label)
			}
			of := sums[l.Label]
			of.k, of.n, of.replicates = of.k+l.Detected, of.n+l.Rows, of.replicates+1
		}
	}
	var out []LabelRecall
	for _, name := range names {
		of := sums[name]
		k, n := float64(of.k)/float64(of.replicates), float64(of.n)/float64(of.replicates)
		one := metric.Proportion{K: int(math.Round(k)), N: int(math.Round(n))}
		interval := one.Interval(metric.Level)
		out = append(out, LabelRecall{name, Number(k), Number(n), Number(interval.Low), Number(interval.High)})
	}
	return out
}
