package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"flowbench/data/parallel"
	"flowbench/train/checkpoint"
)

// Boosted trees are missing here. What Go has of them either only evaluates
// models that were trained elsewhere (dmitryikh/leaves, maxpoletaev/go-catboost)
// or trains from text files without histograms and is not kept (qm1004/gbdt);
// a library to be pinned would have to train from memory, by seed, and be kept.

// IsolationForestOptions is what decides an IsolationForest beside its data.
type IsolationForestOptions struct {
	// Trees is how many trees are grown; 0 is 100.
	Trees int `json:"trees"`
	// Samples is how many rows a tree is grown from, drawn without replacement;
	// 0 is 256. Of fewer rows it takes all.
	Samples int `json:"samples"`
	// Seed is what the draws are a function of.
	Seed uint64 `json:"seed"`
}

// The figures of the paper, with which it finds that more change little.
const (
	defaultTrees   = 100
	defaultSamples = 256
)

// IsolationForest scores a row by how few random cuts set it apart from the
// training rows (Liu, Ting, Zhou, "Isolation Forest", ICDM 2008): 2^(-E/c), where
// E is the mean over the trees of the depth that the row comes to, that of the
// mean unsuccessful search among the rows of its leaf included, and c that of
// the rows of a tree. Scores are in (0, 1); 0.5 is usual. There is no threshold
// and no share of outliers to be told: see the threshold of a spec.
//
// A node cuts a column that is not constant in it, drawn evenly, at a place drawn
// evenly between its ends, until a row is alone or the depth is log2 of the
// sample. The truth is not read.
type IsolationForest struct {
	options IsolationForestOptions
	shape   shape
	trees   forestTrees
	usual   float64 // c of a tree's rows
}

// NewIsolationForest returns an unfitted IsolationForest.
func NewIsolationForest(o IsolationForestOptions) *IsolationForest {
	return &IsolationForest{options: o}
}

// Name is "isolation_forest", and after Fit its size: "isolation_forest (100 trees of 256 rows)".
func (f *IsolationForest) Name() string {
	if f.shape.cols == 0 {
		return "isolation_forest"
	}
	return fmt.Sprintf("isolation_forest (%d trees of %d rows)", len(f.trees.roots), f.trees.sample)
}

// Fit grows the trees: Trees·Samples·log2 Samples comparisons, whatever the
// number of rows. That no two rows differ is an error.
func (f *IsolationForest) Fit(ctx context.Context, data Data) error {
	return f.FitFrom(ctx, data, nil, nil)
}

// forestParts is how many parts the trees are grown in. A state holds all trees
// so far, so that many states of many trees would cost more than the trees.
const forestParts = 16

// FitFrom is Fit from where an earlier one was interrupted, between two parts of
// the trees.
func (f *IsolationForest) FitFrom(ctx context.Context, data Data, from *checkpoint.File, between Between) error {
	*f = IsolationForest{options: f.options}
	if err := firstError(ctx.Err(), data.check(), f.options.check(data)); err != nil {
		return fmt.Errorf("isolation_forest: %w", err)
	}
	forest := forestTrees{sample: min(cmp.Or(f.options.Samples, defaultSamples), data.Rows)}
	if from != nil {
		err := readProgress(from, "isolation_forest", f.options, new(int))
		if err == nil {
			err = forest.read(from, data.Cols)
		}
		if err != nil {
			return fmt.Errorf("isolation_forest: %w", err)
		}
	}
	if err := f.options.grow(ctx, data, &forest, between); err != nil {
		return fmt.Errorf("isolation_forest: %w", err)
	}
	if len(forest.nodes) == len(forest.roots) {
		return errors.New("isolation_forest: no tree found two rows that differ: there is nothing to cut")
	}
	f.trees, f.usual, f.shape = forest, searchDepth(forest.sample), data.shape()
	return nil
}

// grow adds the trees that are missing.
func (o IsolationForestOptions) grow(ctx context.Context, data Data, forest *forestTrees, between Between) error {
	total := cmp.Or(o.Trees, defaultTrees)
	watch := newWatch(data.Progress, "trees", total)
	watch.count = len(forest.roots)
	for part := (total + forestParts - 1) / forestParts; len(forest.roots) < total; {
		first := len(forest.roots)
		trees := make([][]forestNode, min(part, total-first))
		parallel.Each(len(trees), func(i int) {
			if ctx.Err() == nil {
				trees[i] = growTree(data, o.Seed, uint64(first+i), forest.sample)
				watch.done()
			}
		})
		if err := ctx.Err(); err != nil {
			return err
		}
		forest.join(trees)
		err := between.offer(func() *checkpoint.File {
			file := newProgress("isolation_forest", o, len(forest.roots))
			file.Tensors = forest.tensors()
			return file
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (o IsolationForestOptions) check(data Data) error {
	switch {
	case data.Rows < 2:
		return errors.New("one row cannot be set apart from others: at least two are needed")
	case o.Trees < 0:
		return fmt.Errorf("trees is %d: write 1 or more", o.Trees)
	case o.Samples < 0 || o.Samples == 1:
		return fmt.Errorf("samples is %d: write 2 or more", o.Samples)
	}
	return nil
}

// Score takes each row down every tree.
func (f *IsolationForest) Score(x []float32, dst []float64) error {
	if err := f.shape.checkScore(x, dst); err != nil {
		return fmt.Errorf("isolation_forest: %w", err)
	}
	cols := f.shape.cols
	parallel.Blocks(len(dst), 256, func(lo, hi int) {
		clear(dst[lo:hi])
		for _, root := range f.trees.roots { // a tree stays in cache for the block
			for i := lo; i < hi; i++ {
				dst[i] += f.trees.depth(root, x[i*cols:][:cols])
			}
		}
		for i := lo; i < hi; i++ {
			dst[i] = math.Exp2(-dst[i] / (float64(len(f.trees.roots)) * f.usual))
		}
	})
	return nil
}

// Save keeps the trees.
func (f *IsolationForest) Save() (*checkpoint.File, error) {
	file, err := newState("isolation_forest", f.shape, f.options)
	if err != nil {
		return nil, err
	}
	file.Metadata["sample"] = fmt.Sprint(f.trees.sample)
	file.Tensors = f.trees.tensors()
	return file, nil
}

// Load takes saved trees.
func (f *IsolationForest) Load(file *checkpoint.File) error {
	loaded := IsolationForest{}
	if err := loaded.load(file); err != nil {
		*f = IsolationForest{options: f.options}
		return fmt.Errorf("isolation_forest: %w", err)
	}
	*f = loaded
	return nil
}

func (f *IsolationForest) load(file *checkpoint.File) (err error) {
	if f.shape, err = readState(file, "isolation_forest", &f.options); err != nil {
		return err
	}
	if _, err := fmt.Sscan(file.Metadata["sample"], &f.trees.sample); err != nil || f.trees.sample < 2 {
		return fmt.Errorf("the file's trees have %q rows", file.Metadata["sample"])
	}
	f.usual = searchDepth(f.trees.sample)
	return f.trees.read(file, f.shape.cols)
}
