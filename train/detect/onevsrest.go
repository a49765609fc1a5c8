package detect

import (
	"context"
	"fmt"
	"math"
)

// OneVsRest makes a classifier of several classes from one detector a class,
// each fitted to tell its class from all others.
type OneVsRest struct {
	new       func() Detector
	detectors []Detector // by class; nil for a class without training rows
}

// NewOneVsRest returns an unfitted classifier; new makes the detector of a class.
func NewOneVsRest(new func() Detector) *OneVsRest { return &OneVsRest{new: new} }

// Name is the detector's name with its role.
func (o *OneVsRest) Name() string { return o.new().Name() + " one_vs_rest" }

// Fit fits the detectors to data, whose Positive it does not read. labels holds
// the class of each row, in [0, classes). A class without rows is left out; two
// must have some.
func (o *OneVsRest) Fit(ctx context.Context, data Data, labels []int32, classes int) error {
	o.detectors = nil
	counts, err := countClasses(labels, data.Rows, classes)
	if err != nil {
		return fmt.Errorf("%s: %w", o.Name(), err)
	}
	detectors := make([]Detector, classes)
	data.Positive = make([]bool, data.Rows)
	for class, n := range counts {
		if n == 0 {
			continue
		}
		for i, label := range labels {
			data.Positive[i] = int(label) == class
		}
		detectors[class] = o.new()
		if err := detectors[class].Fit(ctx, data); err != nil {
			return fmt.Errorf("class %d against the rest: %w", class, err)
		}
	}
	o.detectors = detectors
	return nil
}

// countClasses counts the rows of each class and checks that two have some.
func countClasses(labels []int32, rows, classes int) ([]int, error) {
	if len(labels) != rows {
		return nil, fmt.Errorf("classes of %d rows for %d rows", len(labels), rows)
	}
	counts, filled := make([]int, max(classes, 0)), 0
	for i, label := range labels {
		if label < 0 || int(label) >= classes {
			return nil, fmt.Errorf("row %d has class %d, but there are %d classes", i, label, classes)
		}
		if counts[label]++; counts[label] == 1 {
			filled++
		}
	}
	if filled < 2 {
		return nil, fmt.Errorf("rows of %d classes only: two are needed", filled)
	}
	return counts, nil
}

// Score writes rows × classes scores, row-major, to dst. A class that was left
// out scores the lowest float32 everywhere.
func (o *OneVsRest) Score(x []float32, dst []float32) error {
	k := len(o.detectors)
	if k == 0 {
		return fmt.Errorf("%s: %w", o.Name(), ErrNotFitted)
	}
	if len(dst)%k != 0 {
		return fmt.Errorf("%s: %d scores are not rows of %d classes", o.Name(), len(dst), k)
	}
	scores := make([]float64, len(dst)/k)
	for class, d := range o.detectors {
		if d == nil {
			for i := class; i < len(dst); i += k {
				dst[i] = -math.MaxFloat32
			}
			continue
		}
		if err := d.Score(x, scores); err != nil {
			return fmt.Errorf("class %d against the rest: %w", class, err)
		}
		for i, s := range scores {
			dst[i*k+class] = float32(s)
		}
	}
	return nil
}
