package train

import (
	"context"
	"math"
	"slices"
	"testing"
)

func TestEnsembleOfDNNsAveragesProbabilities(t *testing.T) {
	logits := [][]float64{{2, -3, 40, -800}, {-1, -5, 50, -900}}
	e := newEnsemble(4, true)
	for _, member := range logits {
		copy(e.last, member)
		e.take()
	}
	got := e.scores()
	for i := range got[:3] {
		p := 0.0
		for _, member := range logits {
			p += 1 / (1 + math.Exp(-member[i])) / 2
		}
		if back := 1 / (1 + math.Exp(-got[i])); !(math.Abs(back-p) <= 1e-12) {
			t.Errorf("row %d: probability %v, want the mean %v", i, back, p)
		}
	}
	if math.IsInf(got[3], 0) || math.IsNaN(got[3]) || !(got[2] > 40 && got[2] < 50) {
		t.Errorf("scores of certain rows are lost: %v", got)
	}
}

func TestEnsembleOfAutoencodersAveragesScores(t *testing.T) {
	e := newEnsemble(2, false)
	for _, member := range [][]float64{{1, 4}, {2, 8}} {
		copy(e.last, member)
		e.take()
	}
	if got := e.scores(); got[0] != 1.5 || got[1] != 6 {
		t.Errorf("scores %v, want [1.5 6]", got)
	}
}

func TestEnsembleOfOneKeepsItsScores(t *testing.T) {
	e := newEnsemble(2, true)
	copy(e.last, []float64{1234.5, -0.25})
	e.take()
	if got := e.scores(); got[0] != 1234.5 || got[1] != -0.25 {
		t.Errorf("scores %v", got)
	}
}

func TestResidualScores(t *testing.T) {
	out, x := []float32{1, 2}, []float32{4, 1} // residuals 3 and 1
	cases := map[string]float64{
		"squared":            (9. + 1) / 2,
		"variance":           (9./2 + 1./4) / 2,
		"log_median":         (math.Log1p(3./2) + math.Log1p(1./4)) / 2,
		"log_median_squared": (math.Pow(math.Log1p(3./2), 2) + math.Pow(math.Log1p(1./4), 2)) / 2,
	}
	for kind, want := range cases {
		s := scorer{kind: kind, scale: []float64{2, 4}}
		if got := s.residual(out, x); !(math.Abs(got-want) <= 1e-12) {
			t.Errorf("%s: %v, want %v", kind, got, want)
		}
	}
}

// TestPassesFeedTheReconstructionBack holds two passes against predicting the
// outputs of one as if they were the data.
func TestPassesFeedTheReconstructionBack(t *testing.T) {
	tr := trial(t, "autoencoder", nil)
	m := newTestMember(t, tr)
	rows := tr.Data.Test
	once := outputs(t, m.network, rows, 1)
	fed := *tr.Data
	fed.X = make([]float32, len(fed.X))
	for i, r := range rows {
		copy(fed.row(r), once[i*fed.Cols:(i+1)*fed.Cols])
	}
	other := *tr
	other.Data = &fed
	want := outputs(t, newTestMember(t, &other).network, rows, 1)
	if got := outputs(t, m.network, rows, 2); !slices.Equal(got, want) {
		t.Error("the second pass is not the reconstruction of the first")
	}
	if got := outputs(t, m.network, rows, 1); !slices.Equal(got, once) {
		t.Error("two passes leave the network bound to other data")
	}
}

func newTestMember(t *testing.T, tr *Trial) *member {
	t.Helper()
	metrics, err := openMetricsLog(tr.disk(), tr.metricsPath())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { metrics.Close() })
	m, err := tr.newMember(0, tr.Data.targets(), metrics)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.network.Close() })
	return m
}

func outputs(t *testing.T, n *network, rows []int32, passes int) []float32 {
	t.Helper()
	var all []float32
	err := n.reconstruct(context.Background(), rows, passes, func(_ []int32, out []float32) error {
		all = append(all, out...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
