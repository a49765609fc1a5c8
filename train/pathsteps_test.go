package train

import (
	"context"
	"math"
	"testing"
)

// What pathSteps leaves of the difference of two scores is small where networks
// are as wide as in use.
func TestStepsOfAPathAreEnough(t *testing.T) {
	tr := prepared(trial(t, "dnn", func(c *Config) { c.Model.Hidden, c.Train.Epochs = []int{64, 32}, 20 }))
	run(t, tr)
	f, s := opened(t, tr)
	x := tr.Data.gather(tr.Data.Test)
	parts := make([]float32, len(x))
	if err := s.Explain(context.Background(), x, parts); err != nil {
		t.Fatal(err)
	}
	at, start := memberMean(t, s, x), memberMean(t, s, f.Model.Reference)[0]
	off, all := 0.0, 0.0
	for i, score := range at {
		sum := 0.0
		for _, v := range parts[i*tr.Data.Cols : (i+1)*tr.Data.Cols] {
			sum += float64(v)
		}
		off += math.Abs(sum - (score - start))
		all += math.Abs(score - start)
	}
	t.Logf("off by %.4f of the differences", off/all)
	if !(off <= 0.01*all) {
		t.Errorf("the parts are off by %.3f of the differences that they explain", off/all)
	}
}
