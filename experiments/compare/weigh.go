package compare

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"flowbench/experiments/compare/importance"
)

// Weight is how much each parameter mattered for a figure.
type Weight struct {
	// Metric is what the configurations were observed by: what they are ranked by,
	// unless Options.Metric names another.
	Metric string `json:"metric"`
	*importance.Importance
}

// variantName is the parameter that stands for all that variants set.
const variantName = "variant"

// weigh observes every model of t by the mean of a metric. What variants set goes
// together, so that it counts as one parameter.
func weigh(t Table, name string, seed uint64) Weight {
	differing := Differing(t.Configurations)
	var observed []importance.Observation
	for _, c := range t.Configurations {
		s := c.Summary(name)
		if c.Baseline || s.N == 0 {
			continue
		}
		params, variant := map[string]any{}, ""
		for _, path := range differing {
			v, ok := c.Params[path]
			switch {
			case slices.Contains(t.Named, path):
				variant += fmt.Sprintf("%s=%s;", path, format(v))
			case ok:
				params[path] = v
			}
		}
		if len(t.Named) > 0 {
			params[variantName] = variant
		}
		observed = append(observed, importance.Observation{Params: params, Value: s.Mean})
	}
	measures := map[string]importance.Measure{}
	for path, distribution := range t.Drawn {
		switch {
		case strings.Contains(distribution, "log"):
			measures[path] = importance.Log
		case distribution != "":
			measures[path] = importance.Linear
		}
	}
	return Weight{name, importance.Of(observed, measures, seed)}
}

// write prints the shares below the comparisons: all parameters, and the pairs
// that have a hundredth of the variance.
func (i Weight) write(w io.Writer) {
	if i.Reason != "" {
		fmt.Fprintf(w, "\nWhat matters for %s: %s.\n", i.Metric, i.Reason)
		return
	}
	fmt.Fprintf(w, "\nWhat matters for %s: share of the variance between configurations [5th to 95th percentile of %d trees]\n\n", i.Metric, i.Trees)
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	paths := make([]string, len(i.Parameters))
	for k, s := range i.Parameters {
		paths[k] = s.Parameters[0]
	}
	short := map[string]string{}
	for k, name := range shortest(paths) {
		short[paths[k]] = name
	}
	rest := i.Rest
	for k, s := range slices.Concat(i.Parameters, i.Pairs) {
		if k >= len(i.Parameters) && s.Share < 0.01 {
			rest += s.Share
			continue
		}
		var names []string
		for _, path := range s.Parameters {
			names = append(names, short[path])
		}
		fmt.Fprintf(out, "  %s\t%.2f\t[%.2f, %.2f]\n", strings.Join(names, " with "), s.Share, s.Low, s.High)
	}
	fmt.Fprintf(out, "  the rest\t%.2f\n", rest)
	out.Flush()
	fmt.Fprintf(w, "\nBy %s; it foretells %.0f %% of the differences between configurations, of %d, that it was not shown.\n", i.Method, 100*i.Explained, i.Configurations)
}
