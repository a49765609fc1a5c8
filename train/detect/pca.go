package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"flowbench/train/checkpoint"
)

// PCAOptions is what decides a PCA beside its data.
type PCAOptions struct {
	// Components is how many components are kept; with 0, Variance decides.
	Components int `json:"components"`
	// Variance is the share of the variance, in (0, 1), that the kept components
	// exceed together; as few as do are kept.
	Variance float64 `json:"variance"`
	// Whiten divides the coordinates that Transform writes by their standard
	// deviations.
	Whiten bool `json:"whiten"`
	// Score is Reconstruction, or Mahalanobis in the space of the kept components.
	// "" is the first.
	Score string `json:"score"`
}

// Scores of a PCA.
const (
	// Reconstruction is the squared distance to the nearest point of the space of
	// the kept components.
	Reconstruction = "reconstruction"
	// Mahalanobis is the sum of the squared coordinates, each over its variance.
	Mahalanobis = "mahalanobis"
)

// PCA learns the directions in which rows vary most, the eigenvectors of their
// covariance, and scores a row by how far off it is from where they vary.
// scikit-learn's PCA has the same components up to sign. Rows are read once:
// rows·cols² multiply-adds, and cols³ for the eigenvectors.
type PCA struct {
	options PCAOptions
	shape   shape
	mean    []float64
	// components are the eigenvectors, one a row, by falling variance, each with
	// its largest entry positive; all of them, of which the first kept count.
	components, variance []float64
	kept                 int
	coordinates, scoring *projection
}

// NewPCA returns an unfitted PCA.
func NewPCA(o PCAOptions) *PCA { return &PCA{options: o} }

// Name is "pca", and after Fit how many components it keeps: "pca (16 of 77 components)".
func (p *PCA) Name() string {
	if p.shape.cols == 0 {
		return "pca"
	}
	return fmt.Sprintf("pca (%d of %d components)", p.kept, p.shape.cols)
}

// Fit finds the components. It needs two rows that differ.
func (p *PCA) Fit(ctx context.Context, data Data) error {
	*p = PCA{options: p.options}
	if err := firstError(ctx.Err(), data.check(), p.options.check(data)); err != nil {
		return fmt.Errorf("pca: %w", err)
	}
	moments, err := scatterOf(ctx, data, "covariance")
	if err != nil {
		return fmt.Errorf("pca: %w", err)
	}
	if err := p.decompose(moments.covariance(float64(data.Rows - 1))); err != nil {
		return fmt.Errorf("pca: %w", err)
	}
	p.mean = moments.mean()
	p.kept = p.options.choose(p.variance)
	p.shape = data.shape()
	p.project()
	return nil
}

func (o PCAOptions) check(data Data) error {
	switch {
	case data.Rows < 2:
		return errors.New("one row has no variance: at least two are needed")
	case o.Components < 0 || o.Components > data.Cols:
		return fmt.Errorf("%d components of %d columns: write 1 to %d, or the variance to keep", o.Components, data.Cols, data.Cols)
	case o.Components == 0 && !(o.Variance > 0 && o.Variance < 1):
		return fmt.Errorf("neither components nor a variance between 0 and 1 is given, but %v", o.Variance)
	case o.Score != "" && o.Score != Reconstruction && o.Score != Mahalanobis:
		return fmt.Errorf("score %q is neither %s nor %s", o.Score, Reconstruction, Mahalanobis)
	}
	return nil
}

// decompose sets components and variance.
func (p *PCA) decompose(covariance *mat.SymDense) error {
	n := covariance.SymmetricDim()
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return errors.New("the covariance has no eigenvectors that can be found: scale the features before")
	}
	values := eigen.Values(nil)
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	p.variance, p.components = make([]float64, n), make([]float64, 0, n*n)
	for c := range n {
		from := n - 1 - c // gonum's order rises
		p.variance[c] = math.Max(values[from], 0)
		p.components = append(p.components, upright(mat.Col(nil, from, &vectors))...)
	}
	if p.variance[0] == 0 {
		return errors.New("all rows are equal: no direction has variance")
	}
	return nil
}

// upright turns a vector so that its largest entry, the first of equals, is
// positive.
func upright(v []float64) []float64 {
	largest := 0
	for j := range v {
		if math.Abs(v[j]) > math.Abs(v[largest]) {
			largest = j
		}
	}
	if v[largest] < 0 {
		for j := range v {
			v[j] = -v[j]
		}
	}
	return v
}

func (o PCAOptions) choose(variance []float64) int {
	if o.Components > 0 {
		return o.Components
	}
	total, sum := 0.0, 0.0
	for _, v := range variance {
		total += v
	}
	for c, v := range variance {
		if sum += v; sum > o.Variance*total {
			return c + 1
		}
	}
	return len(variance)
}

// noiseFloor is the share of the largest variance below which a component's own
// may be rounding of float32 products: such a component is not divided by it,
// but left out. Sums of 256 products are off by some 1e-7 of the largest.
const noiseFloor = 1e-6

// inverseDeviations is 1 over the standard deviation of each kept component, or 0.
func (p *PCA) inverseDeviations() []float64 {
	inverse := make([]float64, p.kept)
	for c := range inverse {
		if v := p.variance[c]; v > noiseFloor*p.variance[0] {
			inverse[c] = 1 / math.Sqrt(v)
		}
	}
	return inverse
}

// project makes what Transform and Score multiply by.
func (p *PCA) project() {
	cols := p.shape.cols
	whitened := slices.Clone(p.components[:p.kept*cols])
	for c, by := range p.inverseDeviations() {
		for j := range cols {
			whitened[c*cols+j] *= by
		}
	}
	kept := p.components[:p.kept*cols]
	if p.options.Whiten {
		kept = whitened
	}
	p.coordinates = &projection{p.mean, kept, p.kept}
	if p.options.Score == Mahalanobis {
		p.scoring = &projection{p.mean, whitened, p.kept}
	} else {
		// What the kept components do not hold lies along the others.
		p.scoring = &projection{p.mean, p.components[p.kept*cols:], cols - p.kept}
	}
}

// Score writes the squared length of what Score of the options says.
func (p *PCA) Score(x []float32, dst []float64) error {
	if err := p.shape.checkScore(x, dst); err != nil {
		return fmt.Errorf("pca: %w", err)
	}
	p.scoring.each(x, func(row int, at []float64) {
		sum := 0.0
		for _, v := range at {
			sum += float64(v * v)
		}
		dst[row] = bounded(sum)
	})
	return nil
}

// Warnings says where nothing is left to score.
func (p *PCA) Warnings() []string {
	if p.kept < p.shape.cols || p.kept == 0 || p.options.Score == Mahalanobis {
		return nil
	}
	return []string{"all components are kept: every row is reconstructed, and all scores are 0; keep fewer, or score by " + Mahalanobis}
}

// Components are the kept components, kept×cols, one a row, with the variance
// along each; ok is false before Fit. ratio is the share of all variance.
func (p *PCA) Components() (components, variance, ratio []float64, ok bool) {
	if p.shape.cols == 0 {
		return nil, nil, nil, false
	}
	total := 0.0
	for _, v := range p.variance {
		total += v
	}
	for _, v := range p.variance[:p.kept] {
		ratio = append(ratio, v/total)
	}
	return slices.Clone(p.components[:p.kept*p.shape.cols]), slices.Clone(p.variance[:p.kept]), ratio, true
}

// Kept is how many components Fit kept, 0 before.
func (p *PCA) Kept() int { return p.kept }

// Transform returns the coordinates of the rows of x along the kept components,
// row-major, whitened where the options say so.
func (p *PCA) Transform(x []float32) ([]float32, error) {
	if p.shape.cols == 0 {
		return nil, fmt.Errorf("pca: %w", ErrNotFitted)
	}
	rows := len(x) / p.shape.cols
	if err := p.shape.checkScore(x, make([]float64, rows)); err != nil {
		return nil, fmt.Errorf("pca: %w", err)
	}
	dst := make([]float32, rows*p.kept)
	p.coordinates.each(x, func(row int, at []float64) {
		for c, v := range at {
			dst[row*p.kept+c] = float32(v)
		}
	})
	return dst, nil
}

// Save keeps all components.
func (p *PCA) Save() (*checkpoint.File, error) {
	f, err := newState("pca", p.shape, p.options)
	if err != nil {
		return nil, err
	}
	cols := p.shape.cols
	f.Metadata["kept"] = fmt.Sprint(p.kept)
	f.Tensors = []checkpoint.Tensor{
		wide("mean", p.mean, cols), wide("components", p.components, cols, cols), wide("variance", p.variance, cols),
	}
	return f, nil
}

// Load takes saved components.
func (p *PCA) Load(f *checkpoint.File) error {
	*p = PCA{options: p.options}
	loaded := PCA{}
	if err := loaded.load(f); err != nil {
		return err
	}
	*p = loaded
	return nil
}

func (p *PCA) load(f *checkpoint.File) (err error) {
	if p.shape, err = readState(f, "pca", &p.options); err != nil {
		return err
	}
	cols := p.shape.cols
	if _, err := fmt.Sscan(f.Metadata["kept"], &p.kept); err != nil || p.kept < 0 || p.kept > cols {
		return fmt.Errorf("pca: the file keeps %q of %d components", f.Metadata["kept"], cols)
	}
	var errs [3]error
	p.mean, _, errs[0] = readWide(f, "mean", cols)
	p.components, _, errs[1] = readWide(f, "components", cols, cols)
	p.variance, _, errs[2] = readWide(f, "variance", cols)
	if err := firstError(errs[:]...); err != nil {
		return fmt.Errorf("pca: %w", err)
	}
	p.project()
	return nil
}
