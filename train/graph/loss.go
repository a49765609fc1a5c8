package graph

import (
	"fmt"
	"math"
	"strings"

	"flowbench/kernels"

	"gorgonia.org/gorgonia"
)

// rowLoss is the loss of one row of pred; the loss of a batch is the mean of
// its rows'. Operand 0 is pred and operand 1 is target.
type rowLoss interface {
	label() string
	operands() []string
	// check says which operand does not fit pred.
	check(in []extent) error
	// row is the loss of row i; the row's gradient in pred is written to grad,
	// as wide as pred.
	row(in []matrix, i int, grad []float64) (float64, error)
	// attributes are those of the fused instruction.
	attributes() kernels.Loss
}

// meanLoss makes a rowLoss an op with a scalar result.
type meanLoss struct{ rowLoss }

func (l meanLoss) scalar() ([]bool, bool) { return make([]bool, len(l.operands())), true }

func (l meanLoss) infer(in []extent) (extent, error) {
	return extent{1, 1}, l.check(in)
}

func (l meanLoss) compute(in []matrix, out matrix) error {
	sum, grad := 0.0, make([]float64, in[0].cols)
	for i := range in[0].rows {
		row, err := l.row(in, i, grad)
		if err != nil {
			return err
		}
		sum += row
	}
	out.data[0] = sum / float64(in[0].rows)
	return nil
}

// wrt: pred alone. A target is what is to be reached, also where it was computed.
func (l meanLoss) wrt() []bool {
	w := make([]bool, len(l.operands()))
	w[0] = true
	return w
}

func (l meanLoss) derive(in gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	derivatives := make(gorgonia.Nodes, len(in))
	operands := append(append(gorgonia.Nodes{}, in...), grad)
	var err error
	derivatives[0], err = apply(meanLossGrad{l.rowLoss}, operands...)
	return derivatives, err
}

// meanLossGrad is the gradient in pred, times the gradient d by the loss.
type meanLossGrad struct{ loss rowLoss }

func (g meanLossGrad) label() string      { return "gradient of " + g.loss.label() }
func (g meanLossGrad) operands() []string { return append(g.loss.operands(), "d") }

func (g meanLossGrad) scalar() ([]bool, bool) {
	operands := make([]bool, len(g.operands()))
	operands[len(operands)-1] = true
	return operands, false
}

func (g meanLossGrad) infer(in []extent) (extent, error) {
	return in[0], g.loss.check(in[:len(in)-1])
}

func (g meanLossGrad) compute(in []matrix, out matrix) error {
	scale := in[len(in)-1].data[0] / float64(out.rows)
	for i := range out.rows {
		row := out.row(i)
		if _, err := g.loss.row(in, i, row); err != nil {
			return err
		}
		for j := range row {
			row[j] *= scale
		}
	}
	return nil
}

// softplus is log(1+e^x) without overflow.
func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// classOf reads a target that must be one of n classes.
func classOf(target matrix, i, n int) (int, error) {
	v := target.data[i]
	if !(v >= 0 && v < float64(n)) || v != math.Trunc(v) {
		return 0, fmt.Errorf("target of row %d is %v: want a class, 0 to %d", i, v, n-1)
	}
	return int(v), nil
}

// weightOf is a class's weight; no weights are all ones.
func weightOf(weights []float32, class int) float64 {
	if weights == nil {
		return 1
	}
	return float64(weights[class])
}

// checkClasses validates the attributes that the two classification losses share.
func checkClasses(weights []float32, classes int, gamma float32) error {
	if weights != nil && len(weights) != classes {
		return fmt.Errorf("graph: %d class weights for %d classes", len(weights), classes)
	}
	for c, w := range weights {
		if !(w > 0) || math.IsInf(float64(w), 1) {
			return fmt.Errorf("graph: weight %v of class %d: want a finite number above 0", w, c)
		}
	}
	if !(gamma >= 0) || math.IsInf(float64(gamma), 1) {
		return fmt.Errorf("graph: focal gamma %v: want a finite number, 0 or more", gamma)
	}
	return nil
}

// classLabel names a classification loss with its attributes.
func classLabel(name string, weights []float32, gamma float32) string {
	var b strings.Builder
	b.WriteString(name)
	if gamma > 0 {
		fmt.Fprintf(&b, " (focal gamma %v)", gamma)
	}
	if weights != nil {
		fmt.Fprintf(&b, " (class weights %v)", weights)
	}
	return b.String()
}
