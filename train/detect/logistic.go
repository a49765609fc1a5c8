package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"flowbench/data/parallel"
	"flowbench/train/checkpoint"
)

// LogisticRegression is the linear model of the log-odds with an L2 penalty and
// balanced classes: it minimises
//
//	½·|w|² + C·Σ s_i·log(1 + exp(-y_i·(w·x_i + b))),  C = 1,  y_i = ±1,
//
// s_i = n/(2·n_class), which is scikit-learn's LogisticRegression(
// class_weight='balanced'); the intercept b is not penalised. The function is
// strictly convex where both classes are there: there is one answer, and no
// seed. Fit finds it by Newton's method with a line search, in float64.
type LogisticRegression struct {
	shape  shape
	weight []float64 // w, then b
}

const (
	logisticC = 1
	// The last steps of Newton's method square the error. 38,076 real flows take
	// 14 in all, 818,520 flows 18.
	maxNewtonSteps = 200
)

// NewLogisticRegression returns an unfitted LogisticRegression.
func NewLogisticRegression() *LogisticRegression { return &LogisticRegression{} }

// Name is "logistic_regression".
func (l *LogisticRegression) Name() string { return "logistic_regression" }

// Coefficients are the weights of the columns and the intercept; ok is false
// before Fit.
func (l *LogisticRegression) Coefficients() (weight []float64, intercept float64, ok bool) {
	if l.shape.cols == 0 {
		return nil, 0, false
	}
	return slices.Clone(l.weight[:l.shape.cols]), l.weight[l.shape.cols], true
}

// Fit minimises the penalised loss. It needs both classes. A step costs
// rows·(cols+1)²/2 multiply-adds.
func (l *LogisticRegression) Fit(ctx context.Context, data Data) error {
	return l.FitFrom(ctx, data, nil, nil)
}

// newtonAt is where a fit stands: the stage, and how many steps of it are
// finished. The weights, those of centred columns, are its tensor.
type newtonAt struct {
	Stage int `json:"stage"`
	Steps int `json:"steps"`
}

// FitFrom is Fit from where an earlier one was interrupted, between two steps.
func (l *LogisticRegression) FitFrom(ctx context.Context, data Data, from *checkpoint.File, between Between) error {
	*l = LogisticRegression{}
	if err := firstError(ctx.Err(), data.check(), data.checkBoth()); err != nil {
		return fmt.Errorf("logistic_regression: %w", err)
	}
	var at newtonAt
	weight, centred := make([]float64, data.Cols+1), []float64(nil)
	if from != nil {
		err := readProgress(from, "logistic_regression", nil, &at)
		if err == nil {
			centred, _, err = readWide(from, "at", data.Cols+1)
		}
		if err != nil {
			return fmt.Errorf("logistic_regression: %w", err)
		}
	}
	for stage, rows := range stages(data) {
		if stage < at.Stage {
			continue
		}
		p := newLogisticProblem(rows, data.Rows)
		if stage > at.Stage || centred == nil {
			at, centred = newtonAt{Stage: stage}, p.moved(weight, 1)
		}
		var err error
		if weight, err = p.minimize(ctx, centred, at, between); err != nil {
			return fmt.Errorf("logistic_regression: %w", err)
		}
	}
	l.weight, l.shape = weight, data.shape()
	return nil
}

// sampleRows is how many rows of a class the first stage of a fit is content
// with. From its minimum that of 818,520 rows is 5 steps away instead of 18: 9 s
// of one core instead of 25.
const sampleRows = 1 << 15

// stages are the data to minimise on in turn, each from the minimum before. The
// minimum of the last, which is all of data, does not depend on where it starts.
func stages(data Data) []Data {
	counts := [2]int{data.Rows - data.positives(), data.positives()}
	var every, seen [2]int
	rows := 0
	for class, n := range counts {
		every[class] = n/sampleRows + 1
		rows += (n + every[class] - 1) / every[class]
	}
	if rows > data.Rows/4 {
		return []Data{data}
	}
	sample := Data{Cols: data.Cols, Rows: rows, X: make([]float32, 0, rows*data.Cols), Positive: make([]bool, 0, rows)}
	for i, is := range data.Positive {
		class := 0
		if is {
			class = 1
		}
		if seen[class]%every[class] == 0 {
			sample.X = append(sample.X, data.X[i*data.Cols:(i+1)*data.Cols]...)
			sample.Positive = append(sample.Positive, is)
		}
		seen[class]++
	}
	return []Data{sample, data}
}

// Score writes the log-odds w·x + b.
func (l *LogisticRegression) Score(x []float32, dst []float64) error {
	if err := l.shape.checkScore(x, dst); err != nil {
		return fmt.Errorf("logistic_regression: %w", err)
	}
	const rows = 4096
	parallel.Blocks(len(dst), rows, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			dst[i] = logOdds(l.weight, x[i*l.shape.cols:(i+1)*l.shape.cols])
		}
	})
	return nil
}

// Save keeps the weights and the intercept.
func (l *LogisticRegression) Save() (*checkpoint.File, error) {
	f, err := newState("logistic_regression", l.shape, nil)
	if err != nil {
		return nil, err
	}
	cols := l.shape.cols
	f.Tensors = []checkpoint.Tensor{wide("weight", l.weight[:cols], cols), wide("intercept", l.weight[cols:], 1)}
	return f, nil
}

// Load takes saved weights.
func (l *LogisticRegression) Load(f *checkpoint.File) error {
	*l = LogisticRegression{}
	s, err := readState(f, "logistic_regression", nil)
	if err != nil {
		return err
	}
	weight, _, err := readWide(f, "weight", s.cols)
	if err != nil {
		return fmt.Errorf("logistic_regression: %w", err)
	}
	intercept, _, err := readWide(f, "intercept", 1)
	if err != nil {
		return fmt.Errorf("logistic_regression: %w", err)
	}
	l.shape, l.weight = s, append(weight, intercept...)
	return nil
}

// logOdds is w·x + b, summed in the order of the columns. The conversions keep
// machines that could from fusing, for equal bits everywhere.
func logOdds(weight []float64, x []float32) float64 {
	sum := weight[len(x)]
	for j, v := range x {
		sum += float64(weight[j] * float64(v))
	}
	return sum
}

// minimize is Newton's method from the given weights of centred columns, as many
// steps after its beginning as from says. It stops after the step whose predicted
// gain is lost in the rounding of the loss; that step squares the error once more.
func (p *logisticProblem) minimize(ctx context.Context, at []float64, from newtonAt, between Between) ([]float64, error) {
	loss := p.evaluate(at)
	for n := from.Steps; n < maxNewtonSteps; n++ {
		err := between.offer(func() *checkpoint.File {
			file := newProgress("logistic_regression", nil, newtonAt{from.Stage, n})
			file.Tensors = []checkpoint.Tensor{wide("at", at, len(at))}
			return file
		})
		if err := firstError(err, ctx.Err()); err != nil {
			return nil, err
		}
		step := slices.Clone(p.gradient)
		if !solvePositive(p.curvature(at), step) {
			return nil, errors.New("the curvature is not positive: scale the features before")
		}
		gain := 0.0 // the squared Newton decrement, twice the predicted fall of the loss
		for j, g := range p.gradient {
			gain += float64(g * step[j])
		}
		if at, loss = p.search(at, step, loss, gain); at == nil {
			return nil, errors.New("no step lowers the loss: scale the features before")
		}
		if gain <= 1e-10*loss {
			return p.moved(at, -1), nil
		}
	}
	return nil, fmt.Errorf("no minimum after %d Newton steps: scale the features before", maxNewtonSteps)
}

// search halves the step until the loss falls by a ten-thousandth of what its
// slope promises (Armijo). It leaves the gradient of the place it returns, which
// is nil where the loss does not fall.
func (p *logisticProblem) search(at, step []float64, loss, gain float64) ([]float64, float64) {
	for scale := 1.0; scale > 0x1p-40; scale /= 2 {
		next := make([]float64, len(at))
		for j := range at {
			next[j] = at[j] - float64(scale*step[j])
		}
		// NaN and infinities fail the comparison.
		if value := p.evaluate(next); value <= loss-float64(1e-4*scale*gain) && !math.IsInf(value, 0) {
			return next, value
		}
	}
	return nil, 0
}
