package graph

import "fmt"

// moving is what the two moved statistics of batch norm share: running is
// 1×cols and x is the batch. When scoring running passes unchanged.
type moving struct {
	momentum float32
	clock    *Clock
}

func (moving) operands() []string { return []string{"running", "x"} }
func (m moving) time() *Clock     { return m.clock }

func (m moving) infer(in []extent) (extent, error) {
	return in[0], sameRow(in[1], []string{"running"}, in[:1])
}

// move writes (1-momentum)·running + momentum·batch for each column.
func (m moving) move(in []matrix, out matrix, batch func(column []float64) float64) error {
	copy(out.data, in[0].data)
	if m.clock.Scoring {
		return nil
	}
	momentum := float64(m.momentum)
	for j, running := range in[0].data {
		out.data[j] = (1-momentum)*running + momentum*batch(in[1].column(j))
	}
	return nil
}

type movingMean struct{ moving }

func (m movingMean) label() string { return fmt.Sprintf("moving mean (momentum %v)", m.momentum) }

func (m movingMean) compute(in []matrix, out matrix) error {
	return m.move(in, out, func(column []float64) float64 {
		mean, _ := moments(column)
		return mean
	})
}

type movingVariance struct{ moving }

func (m movingVariance) label() string {
	return fmt.Sprintf("moving variance (momentum %v)", m.momentum)
}

// compute takes the unbiased variance; one row has none and moves nothing.
func (m movingVariance) compute(in []matrix, out matrix) error {
	n := float64(in[1].rows)
	if n == 1 {
		copy(out.data, in[0].data)
		return nil
	}
	return m.move(in, out, func(column []float64) float64 {
		_, variance := moments(column)
		return variance * n / (n - 1)
	})
}
