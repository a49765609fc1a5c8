package train

import (
	"fmt"
	"slices"
	"strings"

	"flowbench/train/detect"
)

// Networks are the kinds of model that are trained in epochs.
func Networks() []string { return []string{"dnn", "autoencoder"} }

// Detectors are the kinds of model that train/detect fits at once.
func Detectors() []string {
	return []string{"pca", "kmeans", "gmm", "dbscan", "isolation_forest", "nearest_neighbour", "logistic"}
}

// IsDetector says whether a ModelConfig.Kind is one of Detectors.
func IsDetector(kind string) bool { return slices.Contains(Detectors(), kind) }

// scores lists the words for ModelConfig.Score by kind, the default first.
var scores = map[string][]string{
	"autoencoder":       {"variance", "squared", "log_median", "log_median_squared"},
	"pca":               {detect.Reconstruction, detect.Mahalanobis},
	"kmeans":            {detect.Distance, "spread"},
	"nearest_neighbour": {detect.Distance, detect.Residual},
}

// allScores lists each word once.
func allScores() []string {
	var all []string
	for _, kind := range sortedKeys(scores) {
		for _, word := range scores[kind] {
			if !slices.Contains(all, word) {
				all = append(all, word)
			}
		}
	}
	return all
}

func detectorRules() []Rule {
	before := slices.DeleteFunc(Detectors(), func(kind string) bool { return kind == "pca" })
	iterated := ofKind("kmeans", "gmm")
	return []Rule{
		{Field: "model.pca", Range: Between(1, 1<<16), Optional: true, When: ofKind(before...), Doc: "principal components that the detector sees in place of the columns"},
		{Field: "model.whiten", When: ofKind(before...), Doc: "gives each of these components the variance 1"},
		{Field: "model.components", Range: Between(1, 1<<16), Optional: true, When: ofKind("pca", "gmm"), Doc: "components that a PCA keeps or a mixture has"},
		{Field: "model.variance", Range: &Range{Max: 1, OpenMin: true, OpenMax: true}, Optional: true, When: ofKind("pca"), Doc: "share of the variance that a PCA keeps, in place of a number of components"},
		{Field: "model.clusters", Range: Between(1, 1<<20), When: ofKind("kmeans"), Doc: "centroids"},
		{Field: "model.start", OneOf: []string{detect.PlusPlus, detect.Scalable}, Optional: true, When: ofKind("kmeans"), Doc: "how the first centroids are chosen; without it k-means++ up to 256, else k-means||"},
		{Field: "model.mini_batch", Range: Between(1, 1<<30), Optional: true, When: ofKind("kmeans"), Doc: "rows of a step of mini-batch K-Means; without it every step goes over all"},
		{Field: "model.silhouette", Range: Between(1, 1<<16), Optional: true, When: ofKind("kmeans"), Doc: "rows that the silhouette is taken of; without it there is none"},
		{Field: "model.covariance", OneOf: []string{detect.Full, detect.Tied, detect.Diagonal, detect.Spherical}, When: ofKind("gmm"), Doc: "kind of the components' covariance"},
		{Field: "model.floor", Range: FromZero(), When: ofKind("gmm"), Doc: "added to every variance of a component"},
		{Field: "model.iterations", Range: Between(1, 1<<20), When: iterated, Doc: "steps at the most"},
		{Field: "model.tolerance", Range: FromZero(), When: iterated, Doc: "smallest change that goes on: of centroids over the variance, of the mean log-likelihood"},
		{Field: "model.restarts", Range: Between(1, 1<<16), When: iterated, Doc: "starts of which the best is kept"},
		{Field: "model.eps", Range: Positive(), Optional: true, When: ofKind("dbscan"), Doc: "radius within which rows are neighbours; without it the knee of the k-distance curve"},
		{Field: "model.min_points", Range: Between(1, 1<<30), When: ofKind("dbscan"), Doc: "rows within the radius, itself and copies included, that make a row a core"},
		{Field: "model.neighbours", Range: Between(1, 1<<16), When: ofKind("nearest_neighbour"), Doc: "which of the nearest distinct training rows counts"},
		{Field: "model.trees", Range: Between(1, 1<<20), When: ofKind("isolation_forest"), Doc: "trees"},
		{Field: "model.samples", Range: Between(2, 1<<30), When: ofKind("isolation_forest"), Doc: "rows that a tree is grown from"},
	}
}

func fitRules() []Rule {
	return []Rule{
		{Field: "fit.max_rows", Range: Between(2, 1<<40), Optional: true, When: ofKind(Detectors()...), Doc: "training rows that a detector is fitted on, drawn with the trial's seed; without it all"},
	}
}

// completeDetector gives what was not given its default, as complete does.
func (m *ModelConfig) completeDetector(f filler) {
	if words := scores[m.Kind]; words != nil {
		f.text("model.score", &m.Score, words[0])
	}
	switch m.Kind {
	case "pca":
		if !f.given("model.components") {
			f.real("model.variance", &m.Variance, 0.95)
		}
	case "kmeans":
		f.whole("model.clusters", &m.Clusters, 64)
		m.completeIterations(f, 1e-4) // scikit-learn's
	case "gmm":
		f.whole("model.components", &m.Components, 8)
		f.text("model.covariance", &m.Covariance, detect.Full)
		// Of scaled flows many columns are constant or repeat others: a thousandth of
		// a column's variance gives such directions an extent.
		f.real("model.floor", &m.Floor, 1e-3)
		m.completeIterations(f, 1e-3) // scikit-learn's
	case "dbscan":
		f.whole("model.min_points", &m.MinPoints, 10)
	case "isolation_forest":
		f.whole("model.trees", &m.Trees, 100) // both Liu et al. 2008, section 5
		f.whole("model.samples", &m.Samples, 256)
	case "nearest_neighbour":
		f.whole("model.neighbours", &m.Neighbours, 1)
	}
}

func (m *ModelConfig) completeIterations(f filler, tolerance float64) {
	f.whole("model.iterations", &m.Iterations, 100)
	f.real("model.tolerance", &m.Tolerance, tolerance)
	f.whole("model.restarts", &m.Restarts, 1)
}

// checkScore holds the score against the kind.
func (c Config) checkScore() *FieldError {
	words := scores[c.Model.Kind]
	if words == nil || slices.Contains(words, c.Model.Score) {
		return nil
	}
	return &FieldError{Field: "model.score", Problem: fmt.Sprintf("%q is no score of a model of kind %s: write %s",
		c.Model.Score, c.Model.Kind, strings.Join(words, " or ")), Got: c.Model.Score, OneOf: words}
}

// checkDetector holds the fields of a detector together.
func (c Config) checkDetector() *FieldError {
	m := c.Model
	switch {
	case m.Kind == "pca" && m.Components == 0 && m.Variance == 0:
		return &FieldError{Field: "model.components", Problem: "is missing: write components or variance"}
	case m.Kind == "pca" && m.Components != 0 && m.Variance != 0:
		return &FieldError{Field: "model.variance", Problem: "and components both say how many are kept: leave out one"}
	case m.Kind == "gmm" && m.Components == 0:
		return &FieldError{Field: "model.components", Problem: "is missing: write how many Gaussians the mixture has"}
	case m.Whiten && m.PCA == 0:
		return &FieldError{Field: "model.whiten", Problem: "is of the components of a PCA: write pca, how many there are"}
	}
	return nil
}
