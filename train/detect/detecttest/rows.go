package detecttest

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"flowbench/train/detect"
)

// rowOrder scores rows in another order: the scores move with them.
func rowOrder(t *testing.T, c Case) {
	data := Flows(1000, 7, 15)
	d := fit(t, c, data)
	want := scores(t, d, data.X, data.Rows)
	order := rand.New(rand.NewPCG(15, 1)).Perm(data.Rows)
	x, moved := make([]float32, 0, len(data.X)), make([]float64, data.Rows)
	for to, from := range order {
		x = append(x, data.X[from*7:(from+1)*7]...)
		moved[to] = want[from]
	}
	wantEqual(t, scores(t, d, x, data.Rows), moved)
}

// noTruth fits without truth, and with the contrary: neither changes anything.
func noTruth(t *testing.T, c Case) {
	if !c.Unlabelled {
		t.Skip("this detector learns from the truth")
	}
	data := Flows(500, 7, 16)
	want := fit(t, c, data)
	for i, is := range data.Positive {
		data.Positive[i] = !is
	}
	wantSameFile(t, fit(t, c, data), want)
	data.Positive = nil
	wantSameFile(t, fit(t, c, data), want)
}

// littleToLearn fits rows that hold next to nothing. A detector may refuse them,
// in words; what it accepts it must score with finite figures.
func littleToLearn(t *testing.T, c Case) {
	for name, size := range map[string][2]int{
		"one row": {1, 5}, "one value": {1, 1}, "two rows": {2, 5}, "equal rows": {50, 5}, "equal values": {50, 1},
		"many equal rows": {3000, 20},
	} {
		for _, value := range []float32{0, 0.1, -1e9, 1e-9} {
			data := detect.Data{Rows: size[0], Cols: size[1], X: make([]float32, size[0]*size[1]), Positive: make([]bool, size[0])}
			for i := range data.X {
				data.X[i] = value
			}
			if name == "two rows" {
				data.X[1] = 3
			}
			data.Positive[0] = true
			d := c.New()
			if err := d.Fit(t.Context(), data); err != nil {
				if err.Error() == "" {
					t.Errorf("%s of %v: an error without words", name, value)
				}
				continue
			}
			scores(t, d, data.X, data.Rows)
			far := make([]float32, size[1])
			for j := range far {
				far[j] = 1e9
			}
			scores(t, d, far, 1)
		}
	}
}

// progress listens to a fit: pieces done never exceed the total nor go back
// within a stage, are told by one goroutine at a time, and change no outcome.
func progress(t *testing.T, c Case) {
	data := Flows(5000, 7, 17)
	want := fit(t, c, data)
	var inside atomic.Int32
	last := map[string]int{}
	data.Progress = func(stage string, done, total int) {
		if inside.Add(1) != 1 {
			t.Error("two goroutines report at once")
		}
		if stage == "" || done < last[stage] || done > total || total <= 0 {
			t.Errorf("stage %q: %d of %d after %d", stage, done, total, last[stage])
		}
		last[stage] = done
		inside.Add(-1)
	}
	wantSameFile(t, fit(t, c, data), want)
}
