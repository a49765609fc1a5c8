package bench

import (
	"context"

	"flowbench/train/detect"
)

// DetectorLevel is the instruction set that the detectors compute with: they
// take no backend and choose none.
const DetectorLevel = "plain"

// gmmFloor is what scikit-learn adds to variances by default (reg_covar), and
// what the ruler so runs with.
const gmmFloor = 1e-6

// Detectors are the classical detectors that flowbench has.
func Detectors() Fits {
	return Fits{
		"pca": fitting(func(c ClassicCase) detect.Detector {
			components := c.K
			if components == 0 {
				components = Cols
			}
			return detect.NewPCA(detect.PCAOptions{Components: components})
		}),
		"kmeans": fitting(func(c ClassicCase) detect.Detector {
			return detect.NewKMeans(detect.KMeansOptions{Clusters: c.K, Iterations: c.Iterations, Seed: seed})
		}),
		"gmm": fitting(func(c ClassicCase) detect.Detector {
			return detect.NewGMM(detect.GMMOptions{Components: c.K, Iterations: c.Iterations, Floor: gmmFloor, Seed: seed})
		}),
		"dbscan": func(ctx context.Context, c ClassicCase, x []float32, rows int) error {
			_, err := detect.Cluster(ctx, detect.Data{X: x, Rows: rows, Cols: Cols}, detect.DBSCANOptions{Eps: &c.Radius, MinPoints: c.MinPoints})
			return err
		},
	}
}

// fitting is the Fit of what a constructor makes for a case.
func fitting(detector func(ClassicCase) detect.Detector) Fit {
	return func(ctx context.Context, c ClassicCase, x []float32, rows int) error {
		return detector(c).Fit(ctx, detect.Data{X: x, Rows: rows, Cols: Cols})
	}
}
