package compare

import (
	"fmt"
	"slices"
	"strings"

	"flowbench/data/suggest"
	"flowbench/experiments/compare/filter"
)

// aliases are short names of metrics.
var aliases = map[string]string{
	"ap": "test.average_precision", "auroc": "test.auroc", "recall": "test.recall", "precision": "test.precision",
	"f1": "test.f1", "f2": "test.f2", "mcc": "test.mcc", "fpr": "test.false_positive_rate", "alerts": "test.alerts_per_day",
	"recall@1%": "test.recall_at_fpr_0.01", "recall@0.1%": "test.recall_at_fpr_0.001", "recall@0.01%": "test.recall_at_fpr_0.0001",
	"macro_f1": "test.macro_f1", "macro_ap": "test.macro_average_precision", "val_ap": "validation.average_precision", "val_auroc": "validation.auroc",
}

// Aliases lists the short names of metrics, each with the full one behind " = ".
func Aliases() []string {
	var lines []string
	for short, full := range aliases {
		lines = append(lines, short+" = "+full)
	}
	slices.Sort(lines)
	return lines
}

// Alias is the full name of a metric that may be a short one.
func Alias(name string) string {
	if full, ok := aliases[name]; ok {
		return full
	}
	return name
}

// Value is what a name stands for in a condition or an order: name, study, model,
// a parameter by its dotted path, or the mean of a metric.
func (c Configuration) Value(name string) (any, bool) {
	switch name {
	case "name":
		return c.Name, true
	case "study":
		return c.Study, true
	case "model", "model.kind":
		return c.Model, true
	case "baseline":
		return c.Baseline, true
	case "done":
		return float64(c.done()), true
	}
	for _, params := range []map[string]any{c.Params, c.Settings} {
		if v, ok := params[name]; ok {
			return v, true
		}
	}
	s := c.Summary(Alias(name))
	return s.Mean, s.N > 0
}

// names are all that Value knows of configurations.
func names(configurations []Configuration) []string {
	known := map[string]bool{"name": true, "study": true, "model": true, "model.kind": true, "baseline": true, "done": true}
	for short := range aliases {
		known[short] = true
	}
	for _, c := range configurations {
		for name := range c.Params {
			known[name] = true
		}
		for name := range c.Settings {
			known[name] = true
		}
		for name := range c.Metrics {
			known[name] = true
		}
	}
	var all []string
	for name := range known {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// Where keeps the configurations that meet a condition (package filter). A fault
// in the condition is a *filter.Error.
func Where(configurations []Configuration, condition string) ([]Configuration, error) {
	f, err := filter.Parse(condition)
	if err != nil {
		return nil, err
	}
	known := names(configurations)
	if err := f.Check(func(name string) bool { return slices.Contains(known, name) }, known); err != nil {
		return nil, err
	}
	var kept []Configuration
	for _, c := range configurations {
		ok, err := f.Match(c.Value)
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

// Sort orders configurations by names with commas between them, the first one
// first; a - before a name puts the largest value at the top. What has no value
// comes last, and equal ones keep their order.
func Sort(configurations []Configuration, by string) ([]Configuration, error) {
	known := names(configurations)
	type key struct {
		name string
		sign int
	}
	var keys []key
	for _, word := range strings.Split(by, ",") {
		word = strings.TrimSpace(word)
		k := key{strings.TrimPrefix(word, "-"), 1}
		if k.name != word {
			k.sign = -1
		}
		if !slices.Contains(known, k.name) {
			return nil, fmt.Errorf("there is no parameter or metric %q to sort by%s", k.name, suggest.DidYouMean(k.name, known))
		}
		keys = append(keys, k)
	}
	sorted := slices.Clone(configurations)
	slices.SortStableFunc(sorted, func(a, b Configuration) int {
		for _, k := range keys {
			if order := inOrder(a, b, k.name, k.sign); order != 0 {
				return order
			}
		}
		return 0
	})
	return sorted, nil
}

func inOrder(a, b Configuration, name string, sign int) int {
	x, okX := a.Value(name)
	y, okY := b.Value(name)
	switch {
	case !okX && !okY:
		return 0
	case !okX:
		return 1
	case !okY:
		return -1
	}
	p, numberP := number(x)
	q, numberQ := number(y)
	switch {
	case !numberP || !numberQ:
		return sign * strings.Compare(format(x), format(y))
	case p < q:
		return -sign
	case p > q:
		return sign
	}
	return 0
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	}
	return 0, false
}
