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

// GMMOptions is what decides a GMM beside its data.
type GMMOptions struct {
	// Components is how many Gaussians there are.
	Components int `json:"components"`
	// Covariance is Full, Tied, Diagonal or Spherical; "" is the first.
	Covariance string `json:"covariance"`
	Seed       uint64 `json:"seed"`
	// Iterations is how many steps of expectation and maximisation there are at the
	// most.
	Iterations int `json:"iterations"`
	// Tolerance ends a fit whose mean log-likelihood changes by less.
	Tolerance float64 `json:"tolerance"`
	// Floor is added to every variance, so that no component shrinks to a point.
	Floor float64 `json:"floor"`
	// Restarts is how many starts compete by their likelihood; 0 is 1.
	Restarts int `json:"restarts"`
}

// GMM learns a Gaussian mixture by expectation and maximisation from the clusters
// of K-Means, and scores a row by its negative log-likelihood. A step costs
// rows·components·cols² multiply-adds, twice for rows that several components
// share.
type GMM struct {
	options  GMMOptions
	shape    shape
	mixture  *mixture
	figures  Figures
	warnings []string
}

// NewGMM returns an unfitted GMM.
func NewGMM(o GMMOptions) *GMM { return &GMM{options: o} }

// Name is "gmm", and after Fit with its size and kind: "gmm (8 full components)".
func (g *GMM) Name() string {
	if g.mixture == nil {
		return "gmm"
	}
	return fmt.Sprintf("gmm (%d %s components)", g.mixture.k, g.mixture.covariance)
}

// Figures are log_likelihood (the mean over the rows), bic, aic, iterations,
// converged (0 or 1) and degenerate, the number of components that warnings name.
func (g *GMM) Figures() Figures { return g.figures }

// Warnings says whether the fit did not converge, and which components are
// degenerate: those of so few rows that the floor alone gives them extent in some
// direction.
func (g *GMM) Warnings() []string { return slices.Clone(g.warnings) }

// Fit finds the mixture. It needs as many distinct rows as components.
func (g *GMM) Fit(ctx context.Context, data Data) error { return g.FitFrom(ctx, data, nil, nil) }

// FitFrom is Fit from where an earlier one was interrupted: between two steps, of
// K-Means at its start or of its own, or two restarts.
func (g *GMM) FitFrom(ctx context.Context, data Data, from *checkpoint.File, between Between) error {
	*g = GMM{options: g.options}
	if err := g.fit(ctx, data, from, between); err != nil {
		*g = GMM{options: g.options}
		return fmt.Errorf("gmm: %w", err)
	}
	return nil
}

func (g *GMM) fit(ctx context.Context, data Data, from *checkpoint.File, between Between) error {
	if err := firstError(ctx.Err(), data.check()); err != nil {
		return err
	}
	if err := g.options.check(data); err != nil {
		return err
	}
	f := &gmmFit{options: g.options, data: data, between: between}
	if from != nil {
		if err := f.restore(from); err != nil {
			return err
		}
	}
	if err := f.run(ctx); err != nil {
		return err
	}
	g.take(f.chosen, data)
	return nil
}

func (o GMMOptions) check(data Data) error {
	switch {
	case o.Components < 1:
		return fmt.Errorf("%d components: at least one is needed", o.Components)
	case o.Iterations < 1:
		return fmt.Errorf("%d iterations: at least one is needed", o.Iterations)
	case !(o.Tolerance >= 0):
		return fmt.Errorf("a tolerance of %v: write 0 or more", o.Tolerance)
	case !(o.Floor >= 0) || math.IsInf(o.Floor, 0):
		return fmt.Errorf("a floor of %v: write 0 or more", o.Floor)
	case o.Restarts < 0:
		return errors.New("restarts are not negative")
	case !slices.Contains([]string{"", Full, Tied, Diagonal, Spherical}, o.Covariance):
		return fmt.Errorf("covariance %q is none of %s, %s, %s, %s", o.Covariance, Full, Tied, Diagonal, Spherical)
	}
	each := int64(data.Cols) * 8
	if o.Covariance != Diagonal && o.Covariance != Spherical {
		each *= int64(data.Cols)
	}
	k := int64(o.Components)
	return affordable(each*k*(emStrips+k+2)+int64(data.Rows)*20, nil)
}

// take keeps what a run found.
func (g *GMM) take(e *em, data Data) {
	g.mixture, g.shape = e.mixture, data.shape()
	rows := float64(data.Rows)
	free := float64(e.parameters())
	g.figures = Figures{
		"log_likelihood": e.likelihood, "iterations": float64(e.iterations), "converged": 0, "degenerate": 0,
		"bic": -2*rows*e.likelihood + free*math.Log(rows), "aic": -2*rows*e.likelihood + 2*free,
	}
	if e.converged {
		g.figures["converged"] = 1
	} else {
		g.warnings = append(g.warnings, fmt.Sprintf("the mixture still changes after %d iterations", e.iterations))
	}
	for c, n := range e.effective {
		// A covariance of cols dimensions needs one row more than these.
		if needs := e.needs(); n < needs {
			g.figures["degenerate"]++
			g.warnings = append(g.warnings, fmt.Sprintf("component %d is degenerate: it holds %.1f rows, and its covariance needs %.0f", c, n, needs))
		}
	}
}

// needs is how many rows a component must hold for a covariance of its own.
func (e *em) needs() float64 {
	if e.covariance == Full {
		return float64(e.cols + 1)
	}
	return 2
}

// Score writes the negative logarithm of the density. One too far off for any
// number is math.MaxFloat64.
func (g *GMM) Score(x []float32, dst []float64) error {
	if err := g.shape.checkScore(x, dst); err != nil {
		return fmt.Errorf("gmm: %w", err)
	}
	m := g.mixture
	parallel.Blocks(len(dst), chunkRows, func(from, to int) {
		look := m.newLook()
		for lo := from; lo < to; lo += lookRows {
			hi := min(lo+lookRows, to)
			m.exactDensities(look, x, lo, hi)
			for i := lo; i < hi; i++ {
				sum, _ := logSumExp(look.density[(i-lo)*m.k : (i-lo+1)*m.k])
				dst[i] = bounded(-sum)
			}
		}
	})
	return nil
}

// nearestComponents finds the likeliest component of rows lo to hi, as seen from
// the first.
func (m *mixture) nearestComponents(look *look, x []float32, lo, hi int, near [][]int32) {
	rows := make([]int32, 0, lookRows)
	for i := lo; i < hi; i++ {
		rows = append(rows, int32(i))
	}
	if m.k == 1 {
		near[0] = rows
		return
	}
	m.densities(look, x, rows, 0)
	for i, r := range rows {
		_, largest := logSumExp(look.density[i*m.k : (i+1)*m.k])
		near[largest] = append(near[largest], r)
	}
}

// Save keeps the weights, the means and the scales.
func (g *GMM) Save() (*checkpoint.File, error) {
	f, err := newState("gmm", g.shape, g.options)
	if err != nil {
		return nil, err
	}
	m := g.mixture
	f.Metadata["covariance"] = m.covariance
	f.Tensors = []checkpoint.Tensor{
		wide("weight", m.weight, m.k), wide("mean", m.mean, m.k, m.cols), wide("scale", m.scale, m.scaleShape()...),
	}
	return f, g.figures.save(f)
}

func (m *mixture) scaleShape() []int {
	switch m.covariance {
	case Full:
		return []int{m.k, m.cols, m.cols}
	case Tied:
		return []int{m.cols, m.cols}
	}
	return []int{m.k, m.cols}
}

// Load takes a saved mixture. Warnings are not kept.
func (g *GMM) Load(f *checkpoint.File) error {
	*g = GMM{options: g.options}
	loaded := GMM{}
	s, err := readState(f, "gmm", &loaded.options)
	if err != nil {
		return err
	}
	m := &mixture{covariance: f.Metadata["covariance"], cols: s.cols}
	if !slices.Contains([]string{Full, Tied, Diagonal, Spherical}, m.covariance) {
		return fmt.Errorf("gmm: the file's covariance is %q", m.covariance)
	}
	var errs [4]error
	m.weight, _, errs[0] = readWide(f, "weight", anySize)
	m.k = len(m.weight)
	m.mean, _, errs[1] = readWide(f, "mean", m.k, m.cols)
	m.scale, _, errs[2] = readWide(f, "scale", m.scaleShape()...)
	errs[3] = loaded.figures.load(f)
	if err := firstError(errs[:]...); err != nil {
		return fmt.Errorf("gmm: %w", err)
	}
	if m.k == 0 {
		return errors.New("gmm: the file has no components")
	}
	m.prepare()
	loaded.mixture, loaded.shape = m, s
	*g = loaded
	return nil
}
