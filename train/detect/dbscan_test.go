package detect_test

import (
	"testing"

	"flowbench/train/detect"
	"flowbench/train/detect/detecttest"
)

func TestDBSCANConforms(t *testing.T) {
	detecttest.Run(t, detecttest.Case{
		New:      func() detect.Detector { return detect.NewDBSCAN(detect.DBSCANOptions{MinPoints: 3}) },
		OneClass: true, Unlabelled: true,
	})
}
