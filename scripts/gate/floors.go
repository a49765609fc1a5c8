package main

import (
	"fmt"
	"regexp"
	"strconv"

	"flowbench/experiments/bench"
)

// ceilings is what the device does at most, a second.
type ceilings struct{ Bytes, Flops float64 }

// ceilingLine is a line of ceilings.py, such as "copy: 4.1e+12 bytes/s".
var ceilingLine = regexp.MustCompile(`^(copy|product): ([0-9.e+]+) (?:bytes|flop)/s$`)

// parseCeilings reads what ceilings.py printed, and returns nil where that is
// nothing.
func parseCeilings(lines []string) (*ceilings, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	var c ceilings
	for _, line := range lines {
		found := ceilingLine.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		rate, err := strconv.ParseFloat(found[2], 64)
		if err != nil {
			return nil, fmt.Errorf("the ceiling %q: %w", line, err)
		}
		if found[1] == "copy" {
			c.Bytes = rate
		} else {
			c.Flops = rate
		}
	}
	if !(c.Bytes > 0) || !(c.Flops > 0) {
		return nil, fmt.Errorf("ceilings.py said nothing of copy or product in %d lines", len(lines))
	}
	return &c, nil
}

// floor is a step beside the least time that its bytes and its operations take:
// microseconds.
type floor struct {
	bench.GPUResult
	Bytes, Flops float64
	Times        float64 // the step over the larger of the two
}

// floors are those of every step that was timed.
func (c *ceilings) floors(results []bench.GPUResult) []floor {
	var list []floor
	for _, r := range results {
		if c == nil || r.StepFlops == 0 {
			continue
		}
		f := floor{GPUResult: r, Bytes: 1e6 * r.StepBytes / c.Bytes, Flops: 1e6 * r.StepFlops / c.Flops}
		f.Times = r.StepMicroseconds / max(f.Bytes, f.Flops)
		list = append(list, f)
	}
	return list
}
