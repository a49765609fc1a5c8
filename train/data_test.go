package train

import (
	"math"
	"strings"
	"testing"
)

func TestClassWeights(t *testing.T) {
	classes := []string{"BENIGN", "Infiltration"}
	counts := []int{990, 10}
	given := ClassWeight{Scheme: "given", Weights: map[string]float64{"BENIGN": 1, "Infiltration": 500}}
	// Effective numbers at β = 0.999: (1-0.999^990)/0.001 = 628.6, (1-0.999^10)/0.001 = 9.955;
	// their inverses scaled to sum to 2.
	e0, e1 := 1/((1-math.Pow(0.999, 990))/0.001), 1/((1-math.Pow(0.999, 10))/0.001)
	cases := []struct {
		loss LossConfig
		want []float64
	}{
		{LossConfig{ClassWeight: ClassWeight{Scheme: "balanced"}}, []float64{1000. / 1980, 50}},
		{LossConfig{ClassWeight: ClassWeight{Scheme: "effective"}, Beta: 0.999}, []float64{2 * e0 / (e0 + e1), 2 * e1 / (e0 + e1)}},
		{LossConfig{ClassWeight: given}, []float64{1, 500}},
	}
	for _, c := range cases {
		got, err := classWeights(c.loss, counts, classes)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.want {
			if !(math.Abs(float64(got[i])-want) <= 1e-6*want) {
				t.Errorf("%s: weight of %s is %v, want %v", c.loss.ClassWeight.Scheme, classes[i], got[i], want)
			}
		}
	}
	if w, err := classWeights(LossConfig{ClassWeight: ClassWeight{Scheme: "none"}}, counts, classes); w != nil || err != nil {
		t.Errorf("none: %v, %v, want no weights", w, err)
	}
	delete(given.Weights, "Infiltration")
	if _, err := classWeights(LossConfig{ClassWeight: given}, counts, classes); err == nil || !strings.Contains(err.Error(), "Infiltration") {
		t.Errorf("missing weight: %v, want an error that names the class", err)
	}
}

func TestCheckNamesTheClassWithoutTrainRows(t *testing.T) {
	d := &Data{
		X: make([]float32, 4), Rows: 4, Cols: 1, Columns: []string{"a"},
		Class: []int32{0, 0, 1, 0}, Classes: []string{"BENIGN", "Bot"},
		Label: []int32{0, 0, 1, 0}, Labels: []string{"BENIGN", "Bot"},
		Train: []int32{0, 1}, Test: []int32{2, 3},
	}
	if err := d.Check(); err == nil || !strings.Contains(err.Error(), `"Bot"`) {
		t.Errorf("error %v, want one that names Bot", err)
	}
	d.Train = []int32{0, 2}
	if err := d.Check(); err != nil {
		t.Error(err)
	}
}
