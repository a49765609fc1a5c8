package detect

import (
	"context"
	"fmt"
	"math/rand/v2"

	"flowbench/train/checkpoint"
)

// kmeansFit is a fit of KMeans: restarts one after another, each from a start to
// where its centroids stay.
type kmeansFit struct {
	options  KMeansOptions
	points   *points
	between  Between
	progress Progress

	restart int    // which is being run
	chosen  *lloyd // the best of those before; nil for none
	// Of the restart that is being run, nil before its centroids are there:
	moving *lloyd
	limit  float64 // a way of less ends it
	// And of one in the mini-batch mode:
	batches *batches
	passes  int // finished
	random  *rand.PCG
}

// run runs the restarts that are left and returns the best of all.
func (f *kmeansFit) run(ctx context.Context) (*lloyd, error) {
	for ; f.restart < max(f.options.Restarts, 1); f.restart++ {
		if f.restart > 0 && f.moving == nil && f.batches == nil {
			if err := f.between.offer(f.state); err != nil {
				return nil, err
			}
		}
		l, err := f.runOne(ctx)
		if err != nil {
			return nil, err
		}
		if f.chosen == nil || l.inertia() < f.chosen.inertia() {
			f.chosen = l
		}
		f.moving, f.batches = nil, nil
	}
	return f.chosen, nil
}

// runOne runs one restart, or what is left of it.
func (f *kmeansFit) runOne(ctx context.Context) (*lloyd, error) {
	progress := f.progress.part(f.restart, max(f.options.Restarts, 1))
	if f.moving == nil && f.batches == nil {
		f.random = rand.NewPCG(f.options.Seed, uint64(f.restart))
		start, err := f.options.start(ctx, f.points, rand.New(f.random), progress)
		if err != nil {
			return nil, err
		}
		if f.options.Batch > 0 {
			f.batches, f.passes = newBatches(f.points, start), 0
		} else {
			f.moving = newLloyd(f.points, newCentres(start, f.points.cols))
		}
	}
	if f.options.Batch > 0 {
		return f.runBatches(ctx, progress)
	}
	return f.runLloyd(ctx, progress)
}

// runLloyd moves the centroids to where they stay.
func (f *kmeansFit) runLloyd(ctx context.Context, progress Progress) (*lloyd, error) {
	o, l := f.options, f.moving
	for l.iterations < o.Iterations {
		moved, err := l.assign(ctx)
		if err != nil {
			return nil, err
		}
		if l.iterations == 0 {
			f.limit = o.Tolerance * l.meanVariance()
		}
		if moved == 0 {
			l.converged = true
			return l, nil
		}
		l.iterations++
		progress.report("moving centroids", l.iterations, o.Iterations)
		if way := l.update(); way <= f.limit {
			l.converged = true
			break
		}
		if err := f.between.offer(f.state); err != nil {
			return nil, err
		}
	}
	_, err := l.assign(ctx) // the clusters of the last centroids
	return l, err
}

// kmeansAt is the figures of a state. Its tensors are the centroids and labels of
// the restart that is run, or what the mini-batch mode has of it, and those of
// the best restart before.
type kmeansAt struct {
	Restart    int    `json:"restart"`
	Iterations int    `json:"iterations"` // of it; 0 before its centroids are there
	Random     []byte `json:"random,omitempty"`
	Chosen     *ended `json:"chosen,omitempty"`
}

// ended is how a restart ended.
type ended struct {
	Iterations int  `json:"iterations"`
	Converged  bool `json:"converged"`
}

func (f *kmeansFit) state() *checkpoint.File {
	at := kmeansAt{Restart: f.restart}
	if f.chosen != nil {
		at.Chosen = &ended{f.chosen.iterations, f.chosen.converged}
	}
	switch {
	case f.moving != nil:
		at.Iterations = f.moving.iterations
	case f.batches != nil:
		at.Iterations = f.passes
		at.Random, _ = f.random.MarshalBinary() // which has no error to give
	}
	file := newProgress("kmeans", f.options, at)
	if f.chosen != nil {
		put(file, "chosen.", f.chosen.state())
	}
	switch {
	case f.moving != nil:
		put(file, "", f.moving.state())
		file.Tensors = append(file.Tensors, wide("limit", []float64{f.limit}, 1))
	case f.batches != nil:
		b := f.batches
		file.Tensors = append(file.Tensors, wide("at", b.at, len(b.seen), b.cols), wide("seen", b.seen, len(b.seen)))
	}
	return file
}

// state is the centroids, which hold less the points' pivot, and the labels.
func (l *lloyd) state() *checkpoint.File {
	return &checkpoint.File{Tensors: []checkpoint.Tensor{narrow("at", l.at, l.k, l.cols), labels("label", l.label)}}
}

// restore takes up a state.
func (f *kmeansFit) restore(file *checkpoint.File) error {
	var at kmeansAt
	if err := readProgress(file, "kmeans", f.options, &at); err != nil {
		return err
	}
	f.restart = at.Restart
	chosen, running := take(file, "chosen.")
	if at.Chosen != nil {
		l, err := f.lloydOf(chosen, *at.Chosen)
		if err != nil {
			return fmt.Errorf("the best restart so far: %w", err)
		}
		f.chosen = l
	}
	switch {
	case at.Iterations == 0:
		return nil
	case f.options.Batch > 0:
		return f.restoreBatches(running, at)
	}
	limit, _, err := readWide(running, "limit", 1)
	if err != nil {
		return err
	}
	f.limit = limit[0]
	f.moving, err = f.lloydOf(running, ended{Iterations: at.Iterations})
	return err
}

// lloydOf is the one that was saved. It has forgotten its bounds, which spare work
// and change no label.
func (f *kmeansFit) lloydOf(file *checkpoint.File, at ended) (*lloyd, error) {
	k, cols := f.options.Clusters, f.points.cols
	centroids, _, err := readNarrow(file, "at", k, cols)
	if err != nil {
		return nil, err
	}
	label, err := readLabels(file, "label", f.points.rows, k)
	if err != nil {
		return nil, err
	}
	l := newLloyd(f.points, newCentres(centroids, cols))
	l.iterations, l.converged = at.Iterations, at.Converged
	l.label = label
	l.recount()
	return l, nil
}

func (f *kmeansFit) restoreBatches(file *checkpoint.File, at kmeansAt) error {
	k, cols := f.options.Clusters, f.points.cols
	b := &batches{points: f.points}
	var errs [3]error
	b.at, _, errs[0] = readWide(file, "at", k, cols)
	b.seen, _, errs[1] = readWide(file, "seen", k)
	f.random = &rand.PCG{}
	errs[2] = f.random.UnmarshalBinary(at.Random)
	f.batches, f.passes = b, at.Iterations
	return firstError(errs[:]...)
}
