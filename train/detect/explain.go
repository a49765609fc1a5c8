package detect

import (
	"fmt"
	"math"

	"flowbench/data/parallel"
)

// Explainer is a detector that can say what each column adds to a score.
type Explainer interface {
	// Explain writes each column's part in the score of each row of x, rows×cols, in
	// float64 rounded to float32. It may be called from several goroutines at once.
	Explain(x, dst []float32) error
	// Parts says in words what Explain writes.
	Parts() string
}

// checkExplain says why the parts of x cannot be written to dst.
func (s shape) checkExplain(x, dst []float32) error {
	if s.cols > 0 && len(dst) != len(x) {
		return fmt.Errorf("room for %d parts of %d values", len(dst), len(x))
	}
	rows := 0
	if s.cols > 0 {
		rows = len(x) / s.cols
	}
	return s.checkScore(x, make([]float64, rows))
}

// eachRow calls do for every row, its parts and its number.
func (s shape) eachRow(x, dst []float32, do func(row, parts []float32, i int)) {
	const rows = 64
	parallel.Blocks(len(x)/s.cols, rows, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			do(x[i*s.cols:(i+1)*s.cols], dst[i*s.cols:(i+1)*s.cols], i)
		}
	})
}

// Explain writes weight times value: with the intercept they sum to the score.
func (l *LogisticRegression) Explain(x, dst []float32) error {
	if err := l.shape.checkExplain(x, dst); err != nil {
		return fmt.Errorf("logistic_regression: %w", err)
	}
	l.shape.eachRow(x, dst, func(row, parts []float32, _ int) {
		for j, v := range row {
			parts[j] = float32(l.weight[j] * float64(v))
		}
	})
	return nil
}

// Parts is what Explain writes.
func (l *LogisticRegression) Parts() string { return "weight times scaled value" }

// Explain gives the chosen column the whole score.
func (b *BestSingleFeature) Explain(x, dst []float32) error {
	if err := b.shape.checkExplain(x, dst); err != nil {
		return fmt.Errorf("best_single_feature: %w", err)
	}
	clear(dst)
	b.shape.eachRow(x, dst, func(row, parts []float32, _ int) {
		parts[b.feature.Column] = float32(b.feature.Sign) * row[b.feature.Column]
	})
	return nil
}

// Parts is what Explain writes.
func (b *BestSingleFeature) Parts() string { return "the one column that the score is" }

// Explain writes the squared residual of each column for Reconstruction, and for
// Mahalanobis the column's deviation times its row of the inverse covariance times
// all deviations. Either sums to the score.
func (p *PCA) Explain(x, dst []float32) error {
	if err := p.shape.checkExplain(x, dst); err != nil {
		return fmt.Errorf("pca: %w", err)
	}
	cols := p.shape.cols
	vectors, by := p.components[p.kept*cols:], []float64(nil)
	if p.options.Score == Mahalanobis {
		vectors, by = p.components[:p.kept*cols], p.inverseDeviations()
	}
	p.shape.eachRow(x, dst, func(row, parts []float32, _ int) {
		deviation, image := make([]float64, cols), make([]float64, cols)
		for j, v := range row {
			deviation[j] = float64(v) - p.mean[j]
		}
		for c := range len(vectors) / cols {
			addImage(image, vectors[c*cols:(c+1)*cols], deviation, by, c)
		}
		for j := range parts {
			part := image[j] * image[j]
			if by != nil {
				part = deviation[j] * image[j]
			}
			parts[j] = float32(part)
		}
	})
	return nil
}

// addImage adds the part of deviation along a vector to image, times the square of
// by where there is one.
func addImage(image, vector, deviation, by []float64, c int) {
	along := 0.0
	for j, v := range vector {
		along += float64(v * deviation[j])
	}
	if by != nil {
		along *= by[c] * by[c]
	}
	for j, v := range vector {
		image[j] += float64(v * along)
	}
}

// Parts is what Explain writes.
func (p *PCA) Parts() string {
	if p.options.Score == Mahalanobis {
		return "deviation from the mean times the inverse covariance's share"
	}
	return "squared residual"
}

// Explain writes the squared difference of each column from the nearest centroid.
func (k *KMeans) Explain(x, dst []float32) error {
	if err := k.shape.checkExplain(x, dst); err != nil {
		return fmt.Errorf("kmeans: %w", err)
	}
	cols := k.shape.cols
	k.eachNearest(x, func(row int, cluster int32) {
		for j, c := range k.centroids[int(cluster)*cols : (int(cluster)+1)*cols] {
			d := float64(x[row*cols+j]) - c
			dst[row*cols+j] = float32(d * d)
		}
	})
	return nil
}

// Parts is what Explain writes.
func (k *KMeans) Parts() string { return "squared difference from the nearest centroid" }

// Explain writes for each column its deviation from the mean of the likeliest
// component times its row of that component's inverse covariance times all
// deviations: the parts of the squared Mahalanobis distance, which they sum to.
func (g *GMM) Explain(x, dst []float32) error {
	if err := g.shape.checkExplain(x, dst); err != nil {
		return fmt.Errorf("gmm: %w", err)
	}
	m := g.mixture
	parallel.Blocks(len(x)/m.cols, lookRows, func(lo, hi int) {
		near := make([][]int32, m.k)
		m.nearestComponents(m.newLook(), x, lo, hi, near)
		for component, rows := range near {
			for _, r := range rows {
				m.explainRow(x[int(r)*m.cols:(int(r)+1)*m.cols], dst[int(r)*m.cols:(int(r)+1)*m.cols], component)
			}
		}
	})
	return nil
}

func (m *mixture) explainRow(row, parts []float32, component int) {
	scale, mean := m.scaleOf(component), m.mean[component*m.cols:(component+1)*m.cols]
	deviation := make([]float64, m.cols)
	for j, v := range row {
		deviation[j] = float64(v) - mean[j]
	}
	if !m.dense() {
		for j, d := range deviation {
			y := d * scale[j]
			parts[j] = float32(y * y)
		}
		return
	}
	image := make([]float64, m.cols)
	for i := range m.cols {
		line := scale[i*m.cols : i*m.cols+i+1] // the inverse of a lower triangle is one
		along := 0.0
		for j, v := range line {
			along += float64(v * deviation[j])
		}
		for j, v := range line {
			image[j] += float64(v * along)
		}
	}
	for j, d := range deviation {
		parts[j] = float32(d * image[j])
	}
}

// Parts is what Explain writes.
func (g *GMM) Parts() string {
	return "part in the squared Mahalanobis distance from the likeliest component"
}

// Explain writes the squared difference of each column from the row that the score
// is taken from, or its term of the Residual.
func (n *Nearest) Explain(x, dst []float32) error {
	if err := n.shape.checkExplain(x, dst); err != nil {
		return fmt.Errorf("nearest: %w", err)
	}
	cols := n.shape.cols
	n.kept.nearest(x, n.options.k(), func(row int, found []neighbour, kept func(int32) []float32) {
		other := kept(found[len(found)-1].place)
		for j, v := range x[row*cols : (row+1)*cols] {
			d := math.Abs(float64(v) - float64(other[j]))
			if n.usual != nil {
				d = math.Log1p(d / n.usual[j])
			}
			dst[row*cols+j] = float32(d * d)
		}
	})
	return nil
}

// Parts is what Explain writes.
func (n *Nearest) Parts() string {
	if n.usual != nil {
		return "term of the residual from the nearest training row"
	}
	return "squared difference from the nearest training row"
}

// Explain writes the squared difference of each column from the nearest core.
func (d *DBSCAN) Explain(x, dst []float32) error {
	if err := d.shape.checkExplain(x, dst); err != nil {
		return fmt.Errorf("dbscan: %w", err)
	}
	cols := d.shape.cols
	d.cores.nearest(x, 1, func(row int, found []neighbour, kept func(int32) []float32) {
		for j, v := range kept(found[0].place) {
			difference := float64(x[row*cols+j]) - float64(v)
			dst[row*cols+j] = float32(difference * difference)
		}
	})
	return nil
}

// Parts is what Explain writes.
func (d *DBSCAN) Parts() string { return "squared difference from the nearest core" }
