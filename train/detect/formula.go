package detect

import (
	"fmt"
	"slices"

	"flowbench/train/checkpoint"
)

// What a fitted detector computes, as numbers that another program can follow.
// All slices are copies. Each panics for a detector that is not fitted.

// Affine takes a row x to Vectors·(x - Origin), one value a vector.
type Affine struct {
	Origin  []float64 // cols
	Vectors []float64 // Count×cols
	Count   int
}

// Scoring is the projection whose squared length is the score.
func (p *PCA) Scoring() Affine {
	p.shape.mustBeFitted()
	return p.scoring.affine()
}

// Coordinates is the projection that Transform writes, rounded to float32.
func (p *PCA) Coordinates() Affine {
	p.shape.mustBeFitted()
	return p.coordinates.affine()
}

// Before is the PCA that stands before the detector.
func (p *Projected) Before() *PCA { return &p.pca }

// Clusters is how many centroids there are.
func (k *KMeans) Clusters() int {
	k.shape.mustBeFitted()
	return len(k.spread)
}

// Spreads are what the distances to the centroids are divided by, or nil where
// the score is the distance itself.
func (k *KMeans) Spreads() []float64 {
	k.shape.mustBeFitted()
	if !k.options.Spread {
		return nil
	}
	return slices.Clone(k.spread)
}

// Mixture is a Gaussian mixture: the logarithm of the weighted density of
// component c is Constant[c] - |z|²/2, where z is Scale·(x - Mean) of a lower
// triangular Scale[c], cols×cols, for a Full or Tied covariance, and their
// elementwise product for others, of cols.
type Mixture struct {
	Components, Cols int
	Constant         []float64   // Components
	Mean, Scale      [][]float64 // Components
	Triangular       bool        // what Scale is
}

// Mixture is the fitted one.
func (g *GMM) Mixture() Mixture {
	g.shape.mustBeFitted()
	m := g.mixture
	out := Mixture{Components: m.k, Cols: m.cols, Constant: slices.Clone(m.constant), Triangular: m.dense()}
	for c := range m.k {
		out.Mean = append(out.Mean, slices.Clone(m.mean[c*m.cols:(c+1)*m.cols]))
		out.Scale = append(out.Scale, slices.Clone(m.scaleOf(c)))
	}
	return out
}

// Cores are the core rows, rows×cols, and what distances to the nearest are
// divided by.
func (d *DBSCAN) Cores() (rows []float32, cols int, eps float64) {
	d.shape.mustBeFitted()
	return d.cores.tensor("").Data, d.shape.cols, d.clustering.Eps
}

// Neighbours are the rows that are kept, rows×cols, which of the nearest counts,
// of equally near ones the first first, and the usual differences of Residual,
// one a column, or nil for Distance.
func (n *Nearest) Neighbours() (rows []float32, cols, k int, usual []float64) {
	n.shape.mustBeFitted()
	return n.kept.tensor("").Data, n.shape.cols, n.options.k(), slices.Clone(n.usual)
}

// ForestNode is a cut: a row whose value in Column is at most Cut goes on at node
// Below, else at node Above; or with a negative Column a leaf at Depth.
type ForestNode struct {
	Column, Below, Above int
	Cut                  float32
	Depth                float64
}

// Trees are the nodes of each tree, the first of which is its root; Below and
// Above are places in the tree. A row's score is 2 to the power of its summed
// depths times power, which is negative.
func (f *IsolationForest) Trees() (trees [][]ForestNode, power float64) {
	f.shape.mustBeFitted()
	for t, root := range f.trees.roots {
		end := int32(len(f.trees.nodes))
		if t+1 < len(f.trees.roots) {
			end = f.trees.roots[t+1]
		}
		var tree []ForestNode
		for i, n := range f.trees.nodes[root:end] {
			tree = append(tree, ForestNode{int(n.column), i + 1, int(n.right - root), n.cut, n.depth})
		}
		trees = append(trees, tree)
	}
	return trees, -1 / (float64(len(f.trees.roots)) * f.usual)
}

// Share is the score of every row.
func (m *Majority) Share() float64 {
	m.shape.mustBeFitted()
	return m.share
}

func (s shape) mustBeFitted() {
	if s.cols == 0 {
		panic("detect: the detector is not fitted")
	}
}

func (p *projection) affine() Affine {
	return Affine{slices.Clone(p.origin), slices.Clone(p.vectors), p.count}
}

// Open makes the detector that a file of Save holds, whichever it is.
func Open(f *checkpoint.File) (Detector, error) {
	var d Detector
	switch kind := f.Metadata["detector"]; kind {
	case "pca":
		d = NewPCA(PCAOptions{})
	case "kmeans":
		d = NewKMeans(KMeansOptions{})
	case "gmm":
		d = NewGMM(GMMOptions{})
	case "dbscan":
		d = NewDBSCAN(DBSCANOptions{})
	case "nearest":
		d = NewNearest(NearestOptions{})
	case "isolation_forest":
		d = NewIsolationForest(IsolationForestOptions{})
	case "logistic_regression":
		d = NewLogisticRegression()
	case "majority":
		d = NewMajority()
	case "best_single_feature":
		d = NewBestSingleFeature()
	default:
		return nil, fmt.Errorf("detect: the file holds the detector %q, which is none of ours", kind)
	}
	if _, projected := f.Metadata[pcaPrefix+"detector"]; projected {
		d = NewProjected(PCAOptions{}, d)
	}
	return d, d.Load(f)
}
