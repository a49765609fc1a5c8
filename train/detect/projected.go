package detect

import (
	"context"
	"fmt"

	"flowbench/train/checkpoint"
)

// Projected puts a PCA before another detector, which then learns from and
// scores coordinates along the kept components in place of the columns.
type Projected struct {
	pca  PCA
	then Detector
}

// NewProjected returns an unfitted Projected; the options' Score is not used.
func NewProjected(o PCAOptions, then Detector) *Projected {
	o.Score = ""
	return &Projected{pca: PCA{options: o}, then: then}
}

// Name is the detector's name and what comes before it:
// "gmm (4 components) after pca (16 of 77 components)".
func (p *Projected) Name() string { return p.then.Name() + " after " + p.pca.Name() }

// Then is the detector behind the PCA.
func (p *Projected) Then() Detector { return p.then }

// Fit fits the PCA, and the detector to the rows as it transforms them.
func (p *Projected) Fit(ctx context.Context, data Data) error { return p.FitFrom(ctx, data, nil, nil) }

// FitFrom is Fit from a state of the detector's fit; the PCA, which takes one
// look at the rows, is fitted again. Where the detector is not Resumable, nor is
// this.
func (p *Projected) FitFrom(ctx context.Context, data Data, from *checkpoint.File, between Between) error {
	if err := p.pca.Fit(ctx, data); err != nil {
		p.forget()
		return err
	}
	x, err := p.pca.Transform(data.X)
	if err == nil {
		data.X, data.Cols, data.Columns = x, p.pca.Kept(), nil
		err = FitFrom(ctx, p.then, data, from, between)
	}
	if err != nil {
		p.forget()
		return fmt.Errorf("after pca: %w", err)
	}
	return nil
}

// forget makes both unfitted: the file of no detector cannot be loaded.
func (p *Projected) forget() {
	p.pca.Load(&checkpoint.File{})
	p.then.Load(&checkpoint.File{})
}

// Score writes the detector's scores of the rows as the PCA transforms them.
func (p *Projected) Score(x []float32, dst []float64) error {
	if err := p.pca.shape.checkScore(x, dst); err != nil {
		return fmt.Errorf("pca: %w", err)
	}
	const most = 1 << 16 // rows that are transformed at once
	cols := p.pca.shape.cols
	for lo := 0; lo < len(dst); lo += most {
		hi := min(lo+most, len(dst))
		z, err := p.pca.Transform(x[lo*cols : hi*cols])
		if err != nil {
			return err
		}
		if err := p.then.Score(z, dst[lo:hi]); err != nil {
			return fmt.Errorf("after pca: %w", err)
		}
	}
	return nil
}

// pcaPrefix begins the names of what the PCA saves.
const pcaPrefix = "pca."

// Save keeps both: what the PCA saves has names that begin with "pca.".
func (p *Projected) Save() (*checkpoint.File, error) {
	first, err := p.pca.Save()
	if err != nil {
		return nil, err
	}
	f, err := p.then.Save()
	if err != nil {
		return nil, err
	}
	put(f, pcaPrefix, first)
	return f, nil
}

// Load takes both.
func (p *Projected) Load(f *checkpoint.File) error {
	first, then := take(f, pcaPrefix)
	err := firstError(p.pca.Load(first), p.then.Load(then))
	if err != nil {
		p.forget()
	}
	return err
}
