package main

import (
	"fmt"
	"slices"

	"flowbench/data/table"
	"flowbench/experiments/bench"
)

// fallOff says of one width, by what was measured, where its speed falls off and why.
func fallOff(row []bench.StepResult) string {
	best := row[0]
	for _, g := range row {
		if g.SamplesPerSecond > best.SamplesPerSecond {
			best = g
		}
	}
	width, parameters := best.Width, parametersOf(best)
	text := fmt.Sprintf("w = %d (%s parameters): best at batch %s", width, table.Count(parameters), table.Count(best.Batch))
	if best.PeakGFlops > 0 {
		text += fmt.Sprintf(" with %.0f %% of the limit", 100*best.PeakShare)
	}
	return text + "." + small(row, best) + large(row, best)
}

// small is what makes the smallest batch slow: the part of a step that does not
// depend on the batch, by the straight line through the two smallest batches.
func small(row []bench.StepResult, best bench.StepResult) string {
	if len(row) < 2 || row[0].Batch == best.Batch {
		return ""
	}
	a, b := row[0], row[1]
	took := func(g bench.StepResult) float64 { return float64(g.Batch) / g.SamplesPerSecond * 1e6 }
	each := (took(b) - took(a)) / float64(b.Batch-a.Batch)
	fixed := took(a) - each*float64(a.Batch)
	text := fmt.Sprintf(" Batch %s has %.0f %% of that speed", table.Count(a.Batch), 100*a.SamplesPerSecond/best.SamplesPerSecond)
	if fixed <= 0 {
		return text + "; a cost of the step itself cannot be told from noise."
	}
	return text + fmt.Sprintf(": %.0f µs of its step's %.0f do not depend on the batch (updating the parameters, merging the threads' gradients, handing out work).", fixed, took(a))
}

// large is what becomes of the largest batch.
func large(row []bench.StepResult, best bench.StepResult) string {
	last := row[len(row)-1]
	share := last.SamplesPerSecond / best.SamplesPerSecond
	if last.Batch == best.Batch || share > 0.95 { // closer is what rounds differ by
		return ""
	}
	floats := last.Cols
	for _, width := range last.Hidden {
		floats += 2 * width // an activation and its gradient
	}
	return fmt.Sprintf(" Batch %s has %.0f %%: its rows, activations and their gradients are %.0f MB, which no cache holds.",
		table.Count(last.Batch), 100*share, float64(4*floats*last.Batch)/1e6)
}

// parametersOf counts weights and biases of a DNN.
func parametersOf(g bench.StepResult) int {
	sizes := slices.Concat([]int{g.Cols}, g.Hidden, []int{1})
	n := 0
	for i, width := range sizes[1:] {
		n += (sizes[i] + 1) * width
	}
	return n
}
