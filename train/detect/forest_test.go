package detect_test

import (
	"testing"

	"flowbench/train/detect"
	"flowbench/train/detect/detecttest"
)

func TestIsolationForestConforms(t *testing.T) {
	detecttest.Run(t, detecttest.Case{
		New:      func() detect.Detector { return detect.NewIsolationForest(detect.IsolationForestOptions{Seed: 1}) },
		OneClass: true, Unlabelled: true,
	})
}
