package export

import (
	"fmt"
	"math"

	"flowbench/train/checkpoint"
	"flowbench/train/detect"
	"flowbench/train/export/onnx"
)

// detector adds a fitted one, by float64: what cancels in float32 differs from
// machine to machine.
func (b *builder) detector(weights *checkpoint.File, x onnx.Value) (onnx.Value, error) {
	d, err := detect.Open(weights)
	if err != nil {
		return "", err
	}
	if p, ok := d.(*detect.Projected); ok {
		x, d = b.Cast(b.affine(p.Before().Coordinates(), x), onnx.Float32), p.Then()
	}
	switch d := d.(type) {
	case *detect.LogisticRegression:
		return b.logistic(d, x), nil
	case *detect.PCA:
		a := d.Scoring()
		if a.Count == 0 { // all is kept, and nothing left to score
			return b.Constant(x, 0), nil
		}
		return b.SumRows(b.square(b.affine(a, x))), nil
	case *detect.KMeans:
		return b.kmeans(d, x), nil
	case *detect.GMM:
		return b.mixture(d.Mixture(), x), nil
	case *detect.DBSCAN:
		rows, cols, eps := d.Cores()
		found, err := b.neighbour(rows, cols, 1, x)
		return b.Binary("Div", b.Unary("Sqrt", found.square), b.Double("eps", eps)), err
	case *detect.Nearest:
		return b.nearest(d, x)
	case *detect.IsolationForest:
		return b.forest(d, x), nil
	case *detect.Majority:
		return b.Constant(x, d.Share()), nil
	case *detect.BestSingleFeature:
		feature, _ := d.Chosen()
		column := b.Cast(b.Columns(x, feature.Column, feature.Column+1), onnx.Float64)
		return b.Binary("Mul", column, b.Double("sign", feature.Sign)), nil
	}
	panic(fmt.Sprintf("export: no graph for %T", d))
}

// affine adds what a does to rows.
func (b *builder) affine(a detect.Affine, x onnx.Value) onnx.Value {
	cols := len(a.Origin)
	moved := b.Binary("Sub", b.Cast(x, onnx.Float64), b.Doubles("origin", a.Origin, 1, cols))
	return b.Binary("MatMul", moved, b.Doubles("vectors", transposed(a.Vectors, a.Count, cols), cols, a.Count))
}

// logistic adds w·x + b.
func (b *builder) logistic(l *detect.LogisticRegression, x onnx.Value) onnx.Value {
	weight, intercept, _ := l.Coefficients()
	product := b.Binary("MatMul", b.Cast(x, onnx.Float64), b.Doubles("weight", weight, len(weight), 1))
	return b.Binary("Add", product, b.Double("intercept", intercept))
}

// kmeans adds the distance to the nearest centroid. Which is nearest is asked of
// |c|² - 2·x·c, as seen from the centroids' mean; the distance itself is taken of
// the differences, so that a small one keeps its digits.
func (b *builder) kmeans(k *detect.KMeans, x onnx.Value) onnx.Value {
	centroids, clusters := k.Centroids(), k.Clusters()
	cols := len(centroids) / clusters
	origin := make([]float64, cols)
	for i, v := range centroids {
		origin[i%cols] += v / float64(clusters)
	}
	doubled, squares := make([]float64, len(centroids)), make([]float64, clusters)
	for i, v := range centroids {
		v -= origin[i%cols]
		doubled[i] = -2 * v
		squares[i/cols] += v * v
	}
	wide := b.Cast(x, onnx.Float64)
	moved := b.Binary("Sub", wide, b.Doubles("origin", origin, 1, cols))
	products := b.Binary("MatMul", moved, b.Doubles("doubled", transposed(doubled, clusters, cols), cols, clusters))
	nearest := b.Least(b.Binary("Add", products, b.Doubles("squares", squares, 1, clusters)))
	centroid := b.Op("Gather", []onnx.Value{b.Doubles("centroids", centroids, clusters, cols), nearest}, onnx.Attribute{Name: "axis", Value: 0})
	distance := b.Unary("Sqrt", b.SumRows(b.square(b.Binary("Sub", wide, centroid))))
	spreads := k.Spreads()
	if spreads == nil {
		return distance
	}
	spread := b.Op("Gather", []onnx.Value{b.Doubles("spread", spreads, clusters, 1), nearest}, onnx.Attribute{Name: "axis", Value: 0})
	return b.Binary("Div", distance, spread)
}

// mixture adds the negative logarithm of the density.
func (b *builder) mixture(m detect.Mixture, x onnx.Value) onnx.Value {
	var densities []onnx.Value
	for c := range m.Components {
		z := b.Binary("Sub", b.Cast(x, onnx.Float64), b.Doubles("mean", m.Mean[c], 1, m.Cols))
		if m.Triangular {
			z = b.Binary("MatMul", z, b.Doubles("scale", transposed(m.Scale[c], m.Cols, m.Cols), m.Cols, m.Cols))
		} else {
			z = b.Binary("Mul", z, b.Doubles("scale", m.Scale[c], 1, m.Cols))
		}
		half := b.Binary("Mul", b.SumRows(b.square(z)), b.Double("half", 0.5))
		densities = append(densities, b.Binary("Sub", b.Double("constant", m.Constant[c]), half))
	}
	score := b.Unary("Neg", b.logSumExp(b.Op("Concat", densities, onnx.Attribute{Name: "axis", Value: 1})))
	// As train: what is too far off for any number.
	return b.Binary("Min", score, b.Double("bound", math.MaxFloat64))
}

// transposed is the cols×rows transpose of rows×cols values.
func transposed[T any](values []T, rows, cols int) []T {
	out := make([]T, len(values))
	for i := range rows {
		for j := range cols {
			out[j*rows+i] = values[i*cols+j]
		}
	}
	return out
}
