// Package compare sets the configurations of a study side by side: one row a
// configuration, mean and spread over its replicates, the trivial baselines
// and chance beside them.
package compare

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strconv"

	"gonum.org/v1/gonum/stat"

	"flowbench/train/metric"
)

// Configuration is what a study's trials of one set of parameters found.
type Configuration struct {
	Study    string         `json:"study"`
	Name     string         `json:"name"`
	Model    string         `json:"model"`
	Baseline bool           `json:"baseline"` // a trivial detector, for scale
	Params   map[string]any `json:"params"`   // dotted path in the spec to value
	// Metrics holds, by full name such as test.average_precision, one value a
	// replicate in the order of their seeds; null where that replicate has none.
	Metrics map[string][]*float64 `json:"metrics"`
	// Seeds are the replicates' seeds, in the order of all that follows.
	Seeds []uint64 `json:"seeds"`
	// States is how each replicate stands, in the same order: done, diverged,
	// failed and pruned have ended; planned, running and stale have not.
	States []string `json:"states"`
	// Reasons says why each replicate stands so; empty where all is said.
	Reasons []string `json:"reasons"`
	// Found counts, in the same order, the attacks of the test part that alert of
	// those there are; null without a threshold.
	Found []*metric.Proportion `json:"test_found"`

	// Folders are the trials' folders, in the same order.
	Folders []string `json:"-"`
	// Settings is every parameter, varied or not, but for names and seeds; nil for
	// a baseline.
	Settings map[string]any `json:"-"`
	// Flows is the fingerprint of the flows; empty where no trial says it.
	Flows string `json:"-"`
	// Overlap is the size of a test part over a train part where each replicate
	// draws its own split of the same flows; see significance.CorrectedT.
	Overlap float64 `json:"-"`
}

// ID names a configuration among those of several studies.
func (c Configuration) ID() string { return c.Study + "/" + c.Name }

// Summary is the mean and the spread of one metric over replicates.
type Summary struct {
	Mean, SD float64 // SD is the sample standard deviation; 0 where N is 1
	N        int     // replicates that have the metric
}

// Summary computes the mean and spread of a metric. N is 0 where no replicate has it.
func (c Configuration) Summary(name string) Summary {
	var v []float64
	for _, x := range c.Metrics[name] {
		if x != nil {
			v = append(v, *x)
		}
	}
	switch len(v) {
	case 0:
		return Summary{}
	case 1:
		return Summary{Mean: v[0], N: 1}
	}
	mean, sd := stat.MeanStdDev(v, nil)
	return Summary{mean, sd, len(v)}
}

// String is "0.783 ± 0.079", both with the decimals that suit the mean, or "-"
// where no replicate has the metric.
func (s Summary) String() string {
	form := form(s.Mean)
	switch s.N {
	case 0:
		return "-"
	case 1:
		return fmt.Sprintf(form, s.Mean)
	}
	return fmt.Sprintf(form+" ± "+form, s.Mean, s.SD)
}

// form shows a number around v: in three decimals, whole from 100 on, and in two
// significant digits where three decimals would hide it.
func form(v float64) string {
	switch a := math.Abs(v); {
	case a != 0 && a < 0.001:
		return "%.1e"
	case a >= 100:
		return "%.0f"
	}
	return "%.3f"
}

// Differing lists the parameters that have not the same value in all
// configurations that are no baselines, in order of name.
func Differing(configurations []Configuration) []string {
	values := map[string]map[string]bool{}
	for _, c := range configurations {
		if c.Baseline {
			continue
		}
		for name, v := range c.Params {
			if values[name] == nil {
				values[name] = map[string]bool{}
			}
			values[name][format(v)] = true
		}
	}
	var differing []string
	for name, distinct := range values {
		if len(distinct) > 1 || !everywhere(configurations, name) {
			differing = append(differing, name)
		}
	}
	sort.Strings(differing)
	return differing
}

func everywhere(configurations []Configuration, name string) bool {
	for _, c := range configurations {
		if _, ok := c.Params[name]; !ok && !c.Baseline {
			return false
		}
	}
	return true
}

// format is a parameter's value as a table shows it: all of it, so that values
// that differ look different.
func format(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}

// Rank sorts models by the mean of the named metric, best first, then baselines likewise;
// those without the metric come last, and ties stay in the given order.
func Rank(configurations []Configuration, name string, maximize bool) []Configuration {
	ranked := slices.Clone(configurations)
	sort.SliceStable(ranked, func(i, j int) bool {
		a, b := ranked[i], ranked[j]
		if a.Baseline != b.Baseline {
			return b.Baseline
		}
		sa, sb := a.Summary(name), b.Summary(name)
		if (sa.N == 0) != (sb.N == 0) {
			return sb.N == 0
		}
		if maximize {
			return sa.Mean > sb.Mean
		}
		return sa.Mean < sb.Mean
	})
	return ranked
}

// WriteJSON writes one object a configuration, one a line, in the given order.
func WriteJSON(w io.Writer, configurations []Configuration) error {
	out := json.NewEncoder(w)
	for _, c := range configurations {
		if err := out.Encode(c); err != nil {
			return fmt.Errorf("compare: %w", err)
		}
	}
	return nil
}
