package main

import (
	"fmt"
	"regexp"
	"strconv"

	"flowbench/experiments/bench"
)

// mode is what the ruler timed: eager, graph, or an ensemble of so many trials.
type mode struct {
	name   string
	trials int
	batch  int
}

// rulerLine is a figure of gpu_torch.py, such as
// "ensemble 132 batch 1024: 1.2e+08 samples/s summed over trials".
var rulerLine = regexp.MustCompile(`^(eager|graph|ensemble (\d+)) batch (\d+): (?:([0-9.e+]+) samples/s|failed)`)

// parseRuler reads what the ruler printed: samples a second. What failed is left out.
func parseRuler(lines []string) (map[mode]float64, error) {
	rates := map[mode]float64{}
	for _, line := range lines {
		found := rulerLine.FindStringSubmatch(line)
		if found == nil || found[4] == "" {
			continue
		}
		m := mode{name: found[1], trials: 1}
		if found[2] != "" {
			m.name = "ensemble"
			m.trials, _ = strconv.Atoi(found[2])
		}
		m.batch, _ = strconv.Atoi(found[3])
		rate, err := strconv.ParseFloat(found[4], 64)
		if err != nil {
			return nil, fmt.Errorf("the ruler's line %q: %w", line, err)
		}
		rates[m] = rate
	}
	if len(lines) > 0 && len(rates) == 0 {
		return nil, fmt.Errorf("no figure in %d lines of the ruler", len(lines))
	}
	return rates, nil
}

// comparison is one of our figures beside the ruler's, in samples a second.
type comparison struct {
	Batch, Trials int
	Ours          float64
	Plan          string
	Against       []ratio
}

// ratio is ours over the ruler's, and what is wanted of it.
type ratio struct {
	Mode        string
	Rate, Times float64
	Wanted      float64
}

// compare puts the DNN's trials alone, by the faster plan, beside the ruler's eager
// steps and its CUDA graph, and its fleets beside the ruler's ensemble of as many and
// its trials one by one.
func compare(results []bench.GPUResult, ruler map[mode]float64) (single, together []comparison) {
	best := map[int]int{} // place in single by batch
	for _, r := range results {
		if r.Work != "dnn" {
			continue
		}
		c := comparison{Batch: r.Batch, Trials: r.Trials, Ours: r.SamplesPerSecond, Plan: r.Plan}
		if r.Trials > 1 {
			c.against(ruler, mode{"ensemble", r.Trials, r.Batch}, 3)
			c.against(ruler, mode{"graph", 1, r.Batch}, 15)
			c.against(ruler, mode{"eager", 1, r.Batch}, 50)
			together = append(together, c)
			continue
		}
		c.against(ruler, mode{"graph", 1, r.Batch}, 3)
		c.against(ruler, mode{"eager", 1, r.Batch}, 10)
		at, seen := best[r.Batch]
		switch {
		case !seen:
			best[r.Batch] = len(single)
			single = append(single, c)
		case c.Ours > single[at].Ours:
			single[at] = c
		}
	}
	return single, together
}

func (c *comparison) against(ruler map[mode]float64, m mode, wanted float64) {
	rate, ok := ruler[m]
	if !ok {
		return
	}
	name := map[string]string{"eager": "eager", "graph": "its CUDA graph", "ensemble": "its ensemble graph"}[m.name]
	if c.Trials > 1 && m.trials == 1 {
		name += ", trials one by one"
	}
	c.Against = append(c.Against, ratio{Mode: name, Rate: rate, Times: c.Ours / rate, Wanted: wanted})
}

// count writes a rate in thousands or millions.
func count(v float64) string {
	switch {
	case v >= 1e7:
		return fmt.Sprintf("%.0f million", v/1e6)
	case v >= 1e6:
		return fmt.Sprintf("%.1f million", v/1e6)
	}
	return fmt.Sprintf("%.0f,000", v/1e3)
}
