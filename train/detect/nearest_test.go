package detect_test

import (
	"testing"

	"flowbench/train/detect"
	"flowbench/train/detect/detecttest"
)

func TestNearestConforms(t *testing.T) {
	for name, o := range map[string]detect.NearestOptions{
		"distance": {}, "residual of the third": {K: 3, Score: detect.Residual},
	} {
		t.Run(name, func(t *testing.T) {
			detecttest.Run(t, detecttest.Case{
				New: func() detect.Detector { return detect.NewNearest(o) }, OneClass: true, Unlabelled: true, Blind: true, // a training row is its own nearest
			})
		})
	}
}
