package page

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"flowbench/train/metric"
)

type segment struct{ x0, y0, x1, y1 float64 }

// staircase is the lines that a chart draws through points: across first, or up first.
func staircase(x, y []float64, upFirst bool) []segment {
	var lines []segment
	for i := 1; i < len(x); i++ {
		if upFirst {
			lines = append(lines, segment{x[i-1], y[i-1], x[i-1], y[i]}, segment{x[i-1], y[i], x[i], y[i]})
		} else {
			lines = append(lines, segment{x[i-1], y[i-1], x[i], y[i-1]}, segment{x[i], y[i-1], x[i], y[i]})
		}
	}
	return lines
}

// distance is how far a point is from the nearest line, along the axis on which it
// is further.
func distance(px, py float64, lines []segment) float64 {
	best := math.Inf(1)
	for _, l := range lines {
		dx := max(min(l.x0, l.x1)-px, px-max(l.x0, l.x1), 0)
		dy := max(min(l.y0, l.y1)-py, py-max(l.y0, l.y1), 0)
		best = min(best, max(dx, dy))
	}
	return best
}

// furthest is the distance of the points of some lines from others, looked at in
// nine places of each line.
func furthest(of, from []segment) float64 {
	worst := 0.0
	for _, l := range of {
		for k := range 9 {
			f := float64(k) / 8
			worst = max(worst, distance(l.x0+f*(l.x1-l.x0), l.y0+f*(l.y1-l.y0), from))
		}
	}
	return worst
}

// scored draws scores whose positives are higher by gap, with ties.
func scored(seed uint64, rows int, gap float64) TestScores {
	random := rand.New(rand.NewPCG(seed, 0))
	s := TestScores{Threshold: metric.Of(2)}
	for i := range rows {
		positive := i%23 == 0
		v := random.NormFloat64()
		if positive {
			v += gap
		}
		s.Scores, s.Positive = append(s.Scores, math.Round(v*50)/50), append(s.Positive, positive)
	}
	return s
}

// TestThinnedCurvesStayWithinTheBound holds what a page draws against the whole
// curve, both ways, for curves of every kind.
func TestThinnedCurvesStayWithinTheBound(t *testing.T) {
	const bound = 0.01 // coarse, so that something is left out of short curves
	for seed := range uint64(12) {
		s := scored(seed, 400+int(seed)*60, float64(seed)/4)
		r, err := metric.Rank(s.Scores, s.Positive)
		if err != nil {
			t.Fatal(err)
		}
		pr, _ := r.PR(0)
		roc, _ := r.ROC(0)
		floor := 0.5 / float64(r.Negatives())
		places := make([]float64, len(roc.FalsePositiveRate))
		for i, rate := range roc.FalsePositiveRate {
			places[i] = axisPlace(rate, floor)
		}
		for _, c := range []struct {
			name    string
			x, y    []float64
			upFirst bool
		}{{"ROC", places, roc.Recall, false}, {"PR", pr.Recall, pr.Precision, true}} {
			kept := thin(c.x, c.y, bound, map[int]bool{len(c.x) / 2: true})
			if !slices.IsSorted(kept) || kept[0] != 0 || kept[len(kept)-1] != len(c.x)-1 || !slices.Contains(kept, len(c.x)/2) {
				t.Fatalf("%s, seed %d: kept %v of %d", c.name, seed, kept, len(c.x))
			}
			if len(kept) == len(c.x) {
				t.Errorf("%s, seed %d: nothing is left out of %d points", c.name, seed, len(c.x))
			}
			whole, drawn := staircase(c.x, c.y, c.upFirst), staircase(pick(c.x, kept), pick(c.y, kept), c.upFirst)
			if d := max(furthest(whole, drawn), furthest(drawn, whole)); !(d <= bound*1.0001) {
				t.Errorf("%s, seed %d: %d of %d points, the curves are %v apart", c.name, seed, len(kept), len(c.x), d)
			}
		}
	}
}

func TestThinKeepsShortCurves(t *testing.T) {
	if got := thin(nil, nil, Bound, nil); got != nil {
		t.Errorf("of nothing: %v", got)
	}
	if got := thin([]float64{1}, []float64{1}, Bound, nil); !slices.Equal(got, []int{0}) {
		t.Errorf("of one point: %v", got)
	}
	if got := thin([]float64{0, 0.5, 1}, []float64{0, 1, 0}, Bound, nil); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("of a peak: %v", got)
	}
}

// TestOperatingPoints reads a curve of ten flows by hand: attacks score 9, 7 and 2.
func TestOperatingPoints(t *testing.T) {
	s := TestScores{
		Scores:   []float64{9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
		Positive: []bool{true, false, true, false, false, false, false, true, false, false}, Threshold: metric.Of(6.5),
	}
	c, err := curveOf(7, s)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][3]float64{ // recall, precision, false-positive rate
		"validation threshold": {2. / 3, 2. / 3, 1. / 7},
		"FPR 1 %":              {1. / 3, 1, 0},
		"FPR 0.1 %":            {1. / 3, 1, 0},
	}
	for _, p := range c.Points {
		if got := [3]float64{float64(p.Recall), float64(p.Precision), float64(p.FPR)}; got != want[p.Name] {
			t.Errorf("%s: %v, want %v", p.Name, got, want[p.Name])
		}
		delete(want, p.Name)
	}
	if len(want) > 0 || c.Seed != 7 {
		t.Errorf("points %v are missing, seed %d", want, c.Seed)
	}
	s.Threshold = metric.Of(100) // nothing alerts
	if c, _ = curveOf(7, s); float64(c.Points[0].Recall) != 0 || !math.IsNaN(float64(c.Points[0].Precision)) {
		t.Errorf("above every score: %+v", c.Points[0])
	}
	s.Threshold = metric.NotEvaluable("no negatives")
	if c, _ = curveOf(7, s); len(c.Points) != 2 {
		t.Errorf("without a threshold: %+v", c.Points)
	}
}

func TestCurvesNeedBothKinds(t *testing.T) {
	c, err := curveOf(1, TestScores{Scores: []float64{1, 2}, Positive: []bool{false, false}})
	if c != nil || err != nil {
		t.Errorf("without attacks: %+v, %v", c, err)
	}
	if _, err := curveOf(1, TestScores{Scores: []float64{math.NaN()}, Positive: []bool{true}}); err == nil {
		t.Error("a score of NaN passes")
	}
}

func TestScoresAreCountedOnce(t *testing.T) {
	for name, s := range map[string]TestScores{
		"linear":      scored(1, 500, 2),
		"equal":       {Scores: []float64{3, 3, 3}, Positive: []bool{true, false, false}},
		"heavy tail":  {Scores: []float64{1e-6, 1e-3, 1, 1e6, 0}, Positive: []bool{false, false, true, true, false}},
		"an infinity": {Scores: []float64{1, 2, math.Inf(1)}, Positive: []bool{false, false, true}},
	} {
		h := scoresOf(1, s)
		benign, attack := 0, 0
		for i := range bins {
			benign, attack = benign+h.Benign[i], attack+h.Attack[i]
		}
		wantAttack := 0
		for _, p := range s.Positive {
			if p {
				wantAttack++
			}
		}
		if attack != wantAttack || benign != len(s.Scores)-wantAttack || len(h.Edges) != bins+1 || !slices.IsSorted(h.Edges) {
			t.Errorf("%s: %d benign and %d attacks in %d bins", name, benign, attack, len(h.Edges)-1)
		}
		if h.Log != (name == "heavy tail") {
			t.Errorf("%s: logarithmic is %v", name, h.Log)
		}
	}
	if scoresOf(1, TestScores{}) != nil {
		t.Error("no scores are spread somehow")
	}
}

func TestNumbersInJSON(t *testing.T) {
	raw, err := json.Marshal(Numbers{0.123456789, 1e-9, 12, -3, 1e300, math.NaN(), math.Inf(1), math.Inf(-1), 1234567.5})
	if err != nil {
		t.Fatal(err)
	}
	if want := `[0.123457,1e-09,12,-3,1e+300,null,null,null,1.23457e+06]`; string(raw) != want {
		t.Errorf("%s, want %s", raw, want)
	}
	if raw, _ = json.Marshal(Numbers(nil)); string(raw) != "[]" {
		t.Errorf("no numbers are %s", raw)
	}
}

// TestScriptEndsNowhere: the built page lies in a script element of the file.
func TestScriptEndsNowhere(t *testing.T) {
	for _, end := range []string{"</script", "<!--"} {
		if strings.Contains(strings.ToLower(script), end) {
			t.Errorf("the built page holds %q, which ends or hides its element", end)
		}
	}
	if len(script) < 100_000 || len(style) < 5_000 {
		t.Errorf("script of %d and style of %d bytes: npm run build in web/ makes them", len(script), len(style))
	}
}
