package compare

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// WriteCSV writes one line a replicate in the given order of configurations:
// study, name, model, baseline, seed, state, the parameters that any of them has,
// and every metric; a cell without a value is empty.
func WriteCSV(w io.Writer, configurations []Configuration) error {
	params, metrics := columnNames(configurations)
	out := csv.NewWriter(w)
	out.Write(slices.Concat([]string{"study", "configuration", "model", "baseline", "seed", "state"}, params, metrics))
	for _, c := range configurations {
		for i, seed := range c.Seeds {
			line := []string{c.Study, c.Name, c.Model, strconv.FormatBool(c.Baseline), strconv.FormatUint(seed, 10), c.States[i]}
			for _, name := range params {
				cell := ""
				if v, ok := c.Params[name]; ok {
					cell = format(v)
				}
				line = append(line, cell)
			}
			for _, name := range metrics {
				cell := ""
				if v := valueAt(c.Metrics[name], i); v != nil {
					cell = strconv.FormatFloat(*v, 'g', -1, 64)
				}
				line = append(line, cell)
			}
			out.Write(line)
		}
	}
	out.Flush() // after which Error says what any Write met
	if err := out.Error(); err != nil {
		return fmt.Errorf("compare: csv: %w", err)
	}
	return nil
}

// columnNames are the parameters and metrics that any configuration has, in order.
func columnNames(configurations []Configuration) (params, metrics []string) {
	isParam, isMetric := map[string]bool{}, map[string]bool{}
	for _, c := range configurations {
		for name := range c.Params {
			isParam[name] = true
		}
		for name := range c.Metrics {
			isMetric[name] = true
		}
	}
	for name := range isParam {
		params = append(params, name)
	}
	for name := range isMetric {
		metrics = append(metrics, name)
	}
	slices.Sort(params)
	slices.Sort(metrics)
	return params, metrics
}
