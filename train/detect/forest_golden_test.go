package detect

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"flowbench/train/checkpoint"
)

// forestCase is one of testdata/forest.json, which scripts/golden/forest.py writes.
type forestCase struct {
	dbscanCase
	Trees, Samples int
	Scores         []float64
}

// TestGoldenIsolationForest compares means of 2,000 trees, which have other random
// numbers: their standard error is about 0.002.
func TestGoldenIsolationForest(t *testing.T) {
	text, err := os.ReadFile("testdata/forest.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct{ Cases []forestCase }
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) != 3 {
		t.Fatalf("forest.json has %d cases, want 3", len(g.Cases))
	}
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			f := NewIsolationForest(IsolationForestOptions{Trees: c.Trees, Samples: c.Samples, Seed: 9})
			data := c.data()
			if err := f.Fit(t.Context(), data); err != nil {
				t.Fatal(err)
			}
			scores := make([]float64, len(c.Scores))
			if err := f.Score(data.X[:len(scores)*c.Cols], scores); err != nil {
				t.Fatal(err)
			}
			bias := 0.0
			for i, want := range c.Scores {
				if !(math.Abs(scores[i]-want) < 0.01) {
					t.Errorf("row %d scores %v, want %v", i, scores[i], want)
				}
				bias += (scores[i] - want) / float64(len(scores))
			}
			if !(math.Abs(bias) < 0.002) {
				t.Errorf("scores are off by %v in the mean", bias)
			}
		})
	}
}

func TestSearchDepth(t *testing.T) {
	for n, want := range map[int]float64{0: 0, 1: 0, 2: 1, 3: 1.2073923, 256: 10.2447709} {
		if got := searchDepth(n); !(math.Abs(got-want) < 1e-6) {
			t.Errorf("c(%d) is %v, want %v", n, got, want)
		}
	}
}

func TestForestOfTwoRows(t *testing.T) {
	f := NewIsolationForest(IsolationForestOptions{})
	if err := f.Fit(t.Context(), Data{X: []float32{0, 1}, Rows: 2, Cols: 1}); err != nil {
		t.Fatal(err)
	}
	score := make([]float64, 3)
	if err := f.Score([]float32{-5, 0.5, 9}, score); err != nil {
		t.Fatal(err)
	}
	// Every row is alone at depth 1, which is c(2).
	if !slices.Equal(score, []float64{0.5, 0.5, 0.5}) {
		t.Errorf("scores %v, want 0.5", score)
	}
}

func TestForestSeeds(t *testing.T) {
	data := readDBSCAN(t)[4].data()
	score := func(seed uint64) []float64 {
		f := NewIsolationForest(IsolationForestOptions{Seed: seed, Trees: 10})
		return fitScores(t, f, data)
	}
	if !slices.Equal(score(1), score(1)) || slices.Equal(score(1), score(2)) {
		t.Error("scores are not a function of the seed")
	}
}

func TestDrawsAreWithoutReplacement(t *testing.T) {
	for _, n := range []int{1, 5, 256} {
		d := draws{seed: 1, tree: uint64(n)}
		got := d.choose(256, n)
		slices.Sort(got)
		if len(slices.Compact(got)) != n || got[0] < 0 || got[len(got)-1] > 255 {
			t.Errorf("%d of 256 rows: %v", n, got)
		}
	}
}

func TestForestRefuses(t *testing.T) {
	two := Data{X: []float32{0, 1}, Rows: 2, Cols: 1}
	for _, c := range []struct {
		o    IsolationForestOptions
		data Data
		want string
	}{
		{IsolationForestOptions{Trees: -1}, two, "trees is -1"},
		{IsolationForestOptions{Samples: 1}, two, "samples is 1: write 2 or more"},
		{IsolationForestOptions{}, Data{X: make([]float32, 40), Rows: 20, Cols: 2}, "no tree found two rows that differ"},
		{IsolationForestOptions{}, Data{X: []float32{1}, Rows: 1, Cols: 1}, "one row"},
	} {
		if err := NewIsolationForest(c.o).Fit(t.Context(), c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.o, err, c.want)
		}
	}
}

// TestForestLoadsNoLoops changes a good file so that walks would not end.
func TestForestLoadsNoLoops(t *testing.T) {
	f := NewIsolationForest(IsolationForestOptions{Trees: 3})
	if err := f.Fit(t.Context(), readDBSCAN(t)[4].data()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(roots, nodes []float64){
		"a branch back":       func(_, nodes []float64) { nodes[1] = 0 },
		"a branch out":        func(_, nodes []float64) { nodes[1] = 1e6 },
		"no such column":      func(_, nodes []float64) { nodes[0] = 17 },
		"a root out":          func(roots, _ []float64) { roots[1] = 1e6 },
		"half a root":         func(roots, _ []float64) { roots[1] = 0.5 },
		"NaN":                 func(_, nodes []float64) { nodes[2] = math.NaN() },
		"a cut at the end":    func(_, nodes []float64) { nodes[len(nodes)-4] = 1 },
		"a leaf that is deep": func(_, nodes []float64) { nodes[len(nodes)-1] = math.Inf(1) },
	} {
		file, err := f.Save()
		if err != nil {
			t.Fatal(err)
		}
		change(wideOf(t, file, "roots"), wideOf(t, file, "nodes"))
		if err := NewIsolationForest(IsolationForestOptions{}).Load(file); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func wideOf(t *testing.T, f *checkpoint.File, name string) []float64 {
	t.Helper()
	tensor, err := f.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return tensor.Wide
}
