package train

import (
	"fmt"
	"math"
)

// Data is what a trial trains and is judged on: scaled features and the rows of
// each part. The caller owns it; trials only read it and may share it.
type Data struct {
	X          []float32 // Rows×Cols, scaled, row-major, finite
	Rows, Cols int
	Columns    []string // Cols names

	Class   []int32  // row to index into Classes
	Classes []string // what is told apart; 0 is the negative class

	Label  []int32 // row to index into Labels: what the source called it
	Labels []string

	Train, Validation, Test []int32 // disjoint ascending row indices

	Source []int32 // row to ascending row of the flows it came from; nil: the row itself
	Group  []int32 // row to its connection; nil where the flows have no addresses
	Flows  string  // names those flows: equal flows share one

	FlowsPerDay float64 // for alerts a day; 0 where unknown
	Fingerprint string  // names the content: equal data, columns, split and scaling share one

	// Preparation is how X came from raw flows; nil where there were none.
	Preparation *Preparation
}

// Check reports the first inconsistency, which is a fault of the caller, and
// the one fault users can cause: a train part without rows of a class.
func (d *Data) Check() error {
	if len(d.X) != d.Rows*d.Cols || len(d.Class) != d.Rows || len(d.Label) != d.Rows || len(d.Columns) != d.Cols ||
		d.Source != nil && len(d.Source) != d.Rows || d.Group != nil && len(d.Group) != d.Rows {
		panic("train: Data's slices do not match its sizes")
	}
	if len(d.Classes) < 2 {
		return fmt.Errorf("data.positive: only class %q is there; a detector needs at least two", d.Classes)
	}
	counts := d.classCounts(d.Train)
	for c, n := range counts {
		if n == 0 {
			return fmt.Errorf("data.split: the train part has no row of class %q; give it a larger share or another split.seed", d.Classes[c])
		}
	}
	return nil
}

// Multiclass says whether more than two classes are told apart.
func (d *Data) Multiclass() bool { return len(d.Classes) > 2 }

func (d *Data) row(i int32) []float32 { return d.X[int(i)*d.Cols : (int(i)+1)*d.Cols] }

func (d *Data) classCounts(rows []int32) []int {
	counts := make([]int, len(d.Classes))
	for _, r := range rows {
		counts[d.Class[r]]++
	}
	return counts
}

// negatives returns the rows of the negative class, in order.
func (d *Data) negatives(rows []int32) []int32 {
	var n []int32
	for _, r := range rows {
		if d.Class[r] == 0 {
			n = append(n, r)
		}
	}
	return n
}

// targets returns Class as the float32 column that kernels.Data.Y wants.
func (d *Data) targets() []float32 {
	y := make([]float32, d.Rows)
	for i, c := range d.Class {
		y[i] = float32(c)
	}
	return y
}

// classWeights resolves a scheme on the train part's class counts.
//
//   - none: nil, all ones.
//   - balanced: n / (classes·n_c), so that every class weighs the same in sum.
//   - effective: (1-β)/(1-β^n_c), scaled to sum to the number of classes
//     (Cui et al., Class-Balanced Loss Based on Effective Number of Samples, 2019).
//   - given: Weights by class name; a class without one is an error.
func classWeights(c LossConfig, counts []int, classes []string) ([]float32, error) {
	weights := make([]float32, len(counts))
	switch c.ClassWeight.Scheme {
	case "none":
		return nil, nil
	case "balanced":
		n := 0
		for _, k := range counts {
			n += k
		}
		for i, k := range counts {
			weights[i] = float32(float64(n) / (float64(len(counts)) * float64(k)))
		}
	case "effective":
		raw, sum := make([]float64, len(counts)), 0.0
		for i, k := range counts {
			raw[i] = (1 - c.Beta) / (1 - math.Pow(c.Beta, float64(k)))
			sum += raw[i]
		}
		for i := range raw {
			weights[i] = float32(raw[i] * float64(len(counts)) / sum)
		}
	case Given:
		for i, name := range classes {
			w, ok := c.ClassWeight.Weights[name]
			if !ok {
				return nil, fmt.Errorf("loss.class_weight: no weight for class %q (the classes are %q)", name, classes)
			}
			weights[i] = float32(w)
		}
	default:
		panic("train: class weight scheme " + c.ClassWeight.Scheme)
	}
	return weights, nil
}
