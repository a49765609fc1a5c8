package detect

import (
	"context"
	"fmt"
	"math"

	"flowbench/train/checkpoint"
)

// gmmFit is a fit of a GMM: restarts one after another, each from the clusters of
// K-Means to where its likelihood stays.
type gmmFit struct {
	options GMMOptions
	data    Data
	between Between

	restart int              // which is being run
	chosen  *em              // the best of those before; nil for none
	start   *checkpoint.File // where its K-Means was interrupted; nil elsewhere
	running *em              // nil before the clusters are there
	before  float64          // likelihood before its last step
}

// run runs the restarts that are left, and chooses.
func (f *gmmFit) run(ctx context.Context) error {
	for ; f.restart < max(f.options.Restarts, 1); f.restart++ {
		progress := f.data.Progress.part(f.restart, max(f.options.Restarts, 1))
		if f.running == nil {
			e, err := f.clustered(ctx, progress)
			if err != nil {
				return err
			}
			f.running, f.before, f.start = e, math.Inf(-1), nil
		}
		if err := f.steps(ctx, progress); err != nil {
			return err
		}
		if f.chosen == nil || f.running.likelihood > f.chosen.likelihood {
			f.chosen = f.running
		}
		f.running = nil
	}
	return nil
}

// startIterations is how often the centroids that a mixture starts from move at
// the most; scikit-learn's do 300 times, and hardly ever have to.
const startIterations = 100

// clustered begins with the clusters of K-Means as the components.
func (f *gmmFit) clustered(ctx context.Context, progress Progress) (*em, error) {
	o, data := f.options, f.data
	k := NewKMeans(KMeansOptions{Clusters: o.Components, Seed: o.Seed + uint64(f.restart), Iterations: startIterations, Tolerance: 1e-4})
	data.Progress = progress
	if err := k.FitFrom(ctx, data, f.start, f.between.inside(startPrefix, f.state)); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	label := make([]int32, data.Rows)
	if err := k.Assign(data.X, label); err != nil {
		return nil, err
	}
	return o.from(ctx, data, label, k.Centroids())
}

// from begins with the given component of each row; means are near theirs.
func (o GMMOptions) from(ctx context.Context, data Data, label []int32, means []float64) (*em, error) {
	m := &mixture{covariance: o.covariance(), k: o.Components, cols: data.Cols, mean: means, weight: make([]float64, o.Components)}
	e := &em{mixture: m, data: data, floor: o.Floor, label: label}
	return e, e.start(ctx)
}

func (o GMMOptions) covariance() string {
	if o.Covariance == "" {
		return Full
	}
	return o.Covariance
}

// steps steps until the likelihood stays. The last likelihood, labels and weights
// are those of the last parameters.
func (f *gmmFit) steps(ctx context.Context, progress Progress) error {
	e := f.running
	for e.iterations < f.options.Iterations && !e.converged {
		if err := f.between.offer(f.state); err != nil {
			return err
		}
		if err := e.step(ctx, nil, true); err != nil {
			return err
		}
		e.iterations++
		progress.report("expectation and maximisation", e.iterations, f.options.Iterations)
		e.converged = math.Abs(e.likelihood-f.before) < f.options.Tolerance
		f.before = e.likelihood
	}
	return e.step(ctx, nil, false)
}

// What begins the names of parts of a state.
const (
	startPrefix  = "start."  // of K-Means
	chosenPrefix = "chosen." // the best mixture so far
	stepsPrefix  = "steps."  // the one that is being fitted
)

// gmmAt is the figures of a state.
type gmmAt struct {
	Restart int    `json:"restart"`
	Steps   *int   `json:"steps,omitempty"` // finished; nil before there are clusters
	Chosen  *ended `json:"chosen,omitempty"`
}

func (f *gmmFit) state() *checkpoint.File {
	at := gmmAt{Restart: f.restart}
	if f.chosen != nil {
		at.Chosen = &ended{f.chosen.iterations, f.chosen.converged}
	}
	if f.running != nil {
		at.Steps = &f.running.iterations
	}
	file := newProgress("gmm", f.options, at)
	if f.chosen != nil {
		put(file, chosenPrefix, f.chosen.state())
	}
	if f.running != nil {
		running := f.running.state()
		running.Tensors = append(running.Tensors, labels("label", f.running.label), wide("before", []float64{f.before}, 1))
		put(file, stepsPrefix, running)
	}
	return file
}

// state is all but the labels.
func (e *em) state() *checkpoint.File {
	m := e.mixture
	return &checkpoint.File{Tensors: []checkpoint.Tensor{
		wide("weight", m.weight, m.k), wide("mean", m.mean, m.k, m.cols),
		wide("scale", m.scale, m.scaleShape()...), wide("lower", m.lower, m.scaleShape()...),
		wide("effective", e.effective, m.k), wide("likelihood", []float64{e.likelihood}, 1),
	}}
}

// restore takes up a state.
func (f *gmmFit) restore(file *checkpoint.File) error {
	var at gmmAt
	if err := readProgress(file, "gmm", f.options, &at); err != nil {
		return err
	}
	f.restart = at.Restart
	var err error
	if at.Chosen != nil {
		chosen, _ := take(file, chosenPrefix)
		if f.chosen, err = f.emOf(chosen); err != nil {
			return fmt.Errorf("the best restart so far: %w", err)
		}
		f.chosen.iterations, f.chosen.converged = at.Chosen.Iterations, at.Chosen.Converged
	}
	if at.Steps == nil {
		if start, _ := take(file, startPrefix); len(start.Metadata) > 0 {
			f.start = start
		}
		return nil
	}
	steps, _ := take(file, stepsPrefix)
	if f.running, err = f.emOf(steps); err != nil {
		return err
	}
	f.running.iterations = *at.Steps
	if f.running.label, err = readLabels(steps, "label", f.data.Rows, f.options.Components); err != nil {
		return err
	}
	before, _, err := readWide(steps, "before", 1)
	if err == nil {
		f.before = before[0]
	}
	return err
}

// emOf is the one that was saved, without labels.
func (f *gmmFit) emOf(file *checkpoint.File) (*em, error) {
	m := &mixture{covariance: f.options.covariance(), k: f.options.Components, cols: f.data.Cols}
	e := &em{mixture: m, data: f.data, floor: f.options.Floor}
	var errs [6]error
	var likelihood []float64
	m.weight, _, errs[0] = readWide(file, "weight", m.k)
	m.mean, _, errs[1] = readWide(file, "mean", m.k, m.cols)
	m.scale, _, errs[2] = readWide(file, "scale", m.scaleShape()...)
	m.lower, _, errs[3] = readWide(file, "lower", m.scaleShape()...)
	e.effective, _, errs[4] = readWide(file, "effective", m.k)
	likelihood, _, errs[5] = readWide(file, "likelihood", 1)
	if err := firstError(errs[:]...); err != nil {
		return nil, err
	}
	e.likelihood = likelihood[0]
	m.prepare()
	return e, nil
}
