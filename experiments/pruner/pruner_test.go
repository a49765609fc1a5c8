package pruner

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"flowbench/experiments/spec"
)

var (
	asha   = spec.EarlyTerminate{Type: spec.ASHA, MinEpochs: 1, Eta: 3}
	median = spec.EarlyTerminate{Type: spec.Median, MinEpochs: 2, Every: 2, Startup: 3}
)

func hyperbandOf(minEpochs, eta int) spec.EarlyTerminate {
	return spec.EarlyTerminate{Type: spec.Hyperband, MinEpochs: minEpochs, Eta: eta}
}

// TestHyperbandBrackets holds the brackets against table 1 of Li et al. 2018: R =
// 81, eta = 3, where n_0 and r_0 of s = 4, 3, 2, 1, 0 are 81, 34, 15, 8, 5 and 1,
// 3, 9, 27, 81.
func TestHyperbandBrackets(t *testing.T) {
	p := New(hyperbandOf(1, 3), 81, true)
	want := []Bracket{{1, 81}, {3, 34}, {9, 15}, {27, 8}, {81, 5}}
	if diff := cmp.Diff(want, p.Brackets()); diff != "" {
		t.Error(diff)
	}
	counts := make([]int, len(want))
	for c := range 143 {
		counts[p.Bracket(c)]++
		for i, b := range want {
			share := float64(c+1) * float64(b.Configurations) / 143
			if !(math.Abs(float64(counts[i])-share) <= 2) {
				t.Errorf("after %d configurations bracket %d has %d, its share is %.2f", c+1, i, counts[i], share)
			}
		}
	}
	for i, b := range want {
		if counts[i] != b.Configurations {
			t.Errorf("bracket %d got %d configurations of a round, want %d", i, counts[i], b.Configurations)
		}
	}
	if p.Bracket(0) != p.Bracket(143) || !p.Peers(0, 143) {
		t.Error("the second round differs from the first")
	}
	for c := range 143 {
		if diff := cmp.Diff([]int{1, 3, 9, 27}[p.Bracket(c):], p.Rungs(c, 81)); diff != "" && p.Bracket(c) < 4 {
			t.Errorf("configuration %d of bracket %d: %s", c, p.Bracket(c), diff)
		}
	}
	if last := slices.Index(p.deal, 4); p.Rungs(last, 81) != nil {
		t.Error("the last bracket has rungs")
	}
}

func TestRungs(t *testing.T) {
	for _, tc := range []struct {
		p         *Pruner
		maxEpochs int
		want      []int
	}{
		{New(asha, 100, true), 28, []int{1, 3, 9, 27}},
		{New(asha, 100, true), 27, []int{1, 3, 9}}, // the last epoch is no rung
		{New(asha, 100, true), 1, nil},
		{New(spec.EarlyTerminate{Type: spec.ASHA, MinEpochs: 2, Eta: 4}, 100, true), 40, []int{2, 8, 32}},
		{New(median, 100, true), 9, []int{2, 4, 6, 8}},
		{New(hyperbandOf(5, 3), 9, true), 9, []int{5}}, // too short for two brackets
		{New(asha, 100, true), math.MaxInt, nil},
	} {
		got := tc.p.Rungs(0, tc.maxEpochs)
		if tc.maxEpochs == math.MaxInt {
			if len(got) != 40 { // 3^39 is the largest power of 3 below 2^63
				t.Errorf("%d rungs below the largest number", len(got))
			}
			continue
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%d epochs: %s", tc.maxEpochs, diff)
		}
	}
}

// TestASHA goes by hand through the rule of Optuna's SuccessiveHalvingPruner: of
// n values the best max(1, n/3) go on.
func TestASHA(t *testing.T) {
	p := New(asha, 27, true)
	var earlier [][]float64
	for c, step := range []struct {
		value float64
		goes  bool
	}{
		{0.5, true},  // alone
		{0.4, false}, // 2 of 2, one goes on
		{0.6, true},  // 1 of 3
		{0.5, false}, // 2 of 4
		{0.6, true},  // 1 of 5: as good as the best
		{0.6, true},  // 1 of 6
		{0.55, false},
		{math.NaN(), false},
		{0.55, false}, // 4 of 9, three go on
		{0.7, true},
	} {
		d := p.Decide(c, 0, []float64{step.value}, earlier)
		if d.Continue != step.goes || len(d.Against) != c {
			t.Errorf("configuration %d with %v: %+v", c, step.value, d)
		}
		earlier = append(earlier, []float64{step.value})
	}
	d := p.Decide(8, 0, []float64{0.55}, earlier[:8])
	if want := "rank 4 of 9 after 1 epoch, of which the first 3 go on: 0.55, where the best before it have 0.6, 0.6, 0.6"; d.Reason != want {
		t.Errorf("reason %q, want %q", d.Reason, want)
	}
	if d := p.Decide(1, 0, []float64{math.NaN()}, earlier); d.Reason != "has no value after 1 epoch" {
		t.Errorf("%+v", d)
	}
	if least := New(asha, 27, false); !least.Decide(1, 0, []float64{0.4}, earlier).Continue || least.Decide(2, 0, []float64{0.6}, earlier).Continue {
		t.Error("a loss is judged as a score")
	}
}

// TestOnlyThoseWhoCameSoFarCount: a rung above the first compares with its own alone.
func TestOnlyThoseWhoCameSoFarCount(t *testing.T) {
	p := New(asha, 27, true)
	earlier := [][]float64{{0.9, 0.1}, {0.8}, nil, {0.95, math.NaN()}}
	d := p.Decide(4, 1, []float64{0.96, 0.2}, earlier)
	if !d.Continue || len(d.Against) != 2 || d.Against[0] != (Peer{0, 0.1}) || d.Against[1].Configuration != 3 {
		t.Errorf("%+v", d)
	}
	text, err := json.Marshal(d.Against)
	if want := `[{"configuration":0,"value":0.1},{"configuration":3,"value":null}]`; err != nil || string(text) != want {
		t.Errorf("%s (%v), want %s", text, err, want)
	}
	if d := p.Decide(1, 0, []float64{0.1}, earlier[:2]); d.Continue || len(d.Against) != 1 {
		t.Errorf("judged against itself or a later one: %+v", d)
	}
}

// TestHyperbandJudgesWithinBrackets: what is better in another bracket does not count.
func TestHyperbandJudgesWithinBrackets(t *testing.T) {
	p := New(hyperbandOf(1, 3), 9, true)
	earlier := make([][]float64, 30)
	for j := range earlier {
		earlier[j] = []float64{0.9}
		if p.Peers(j, 30) {
			earlier[j] = []float64{0.1}
		}
	}
	d := p.Decide(30, 0, []float64{0.2}, earlier)
	if !d.Continue || len(d.Against) == 0 || len(d.Against) == 30 {
		t.Errorf("%+v", d)
	}
}

// TestMedian: the rule of Golovin et al. 2017 by hand. At the second rung (epoch
// 4) the means of the three before are 0.375, 0.5 and 0.1875, their median 0.375.
func TestMedian(t *testing.T) {
	p := New(median, 20, true)
	earlier := [][]float64{{0.25, 0.5}, {0.5, math.NaN()}, {0.125, 0.25}, {0.9}}
	for _, tc := range []struct {
		own  []float64
		goes bool
	}{
		{[]float64{0.1, 0.25}, false},
		{[]float64{0.4, 0.25}, true},  // its best counts, not its last
		{[]float64{0.1, 0.375}, true}, // as good as the median
		{[]float64{math.NaN(), 0.25}, false},
		{[]float64{0.9, math.NaN()}, false},
	} {
		if d := p.Decide(4, 1, tc.own, earlier); d.Continue != tc.goes {
			t.Errorf("%v: %+v", tc.own, d)
		}
	}
	d := p.Decide(4, 1, []float64{0.1, 0.25}, earlier)
	if want := "its best up to epoch 4, 0.25, is worse than 0.375, the median of the means of 3 others"; d.Reason != want {
		t.Errorf("reason %q, want %q", d.Reason, want)
	}
	if d := p.Decide(2, 1, []float64{0, 0}, earlier); !d.Continue || !strings.HasPrefix(d.Reason, "only 2 others") {
		t.Errorf("too few to judge: %+v", d)
	}
}

func TestProgrammersErrorsPanic(t *testing.T) {
	p := New(asha, 27, true)
	for name, wrong := range map[string]func(){
		"own too short":    func() { p.Decide(3, 1, []float64{1}, nil) },
		"negative rung":    func() { p.Decide(3, -1, nil, nil) },
		"no first rung":    func() { New(spec.EarlyTerminate{Type: spec.ASHA, Eta: 3}, 9, true) },
		"eta 1":            func() { New(spec.EarlyTerminate{Type: spec.ASHA, MinEpochs: 1, Eta: 1}, 9, true) },
		"every 0":          func() { New(spec.EarlyTerminate{Type: spec.Median, MinEpochs: 1}, 9, true) },
		"no such rule":     func() { New(spec.EarlyTerminate{Type: "best", MinEpochs: 1, Eta: 3}, 9, true) },
		"hyperband, eta 1": func() { New(hyperbandOf(1, 1), 9, true) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			wrong()
		}()
	}
}

// study is what arrives of a study's trials, in any order.
type study struct {
	p       *Pruner
	curves  [][]float64 // the value of each configuration at each of its rungs
	reached [][]float64 // those that were reported
	waits   []bool      // for the decision at the last rung reported
	ended   []bool
	log     map[string]Decision
}

// due reports whether all that the decision on c is made from is there: each peer
// before it has reported the rung or ended before it.
func (s *study) due(c int) bool {
	for j := range c {
		if s.p.Peers(j, c) && !s.ended[j] && len(s.reached[j]) < len(s.reached[c]) {
			return false
		}
	}
	return true
}

// step lets configuration c do what it can: be judged, or train to its next rung.
// It reports whether there was anything to do.
func (s *study) step(c int) bool {
	switch {
	case s.ended[c], s.waits[c] && !s.due(c):
		return false
	case s.waits[c]:
		rung := len(s.reached[c]) - 1
		d := s.p.Decide(c, rung, s.reached[c], s.reached)
		s.log[fmt.Sprint(c, "/", rung)] = d
		s.waits[c], s.ended[c] = false, !d.Continue
	case len(s.reached[c]) == len(s.curves[c]):
		s.ended[c] = true
	default:
		s.reached[c] = append(s.reached[c], s.curves[c][len(s.reached[c])])
		s.waits[c] = true
	}
	return true
}

func (s *study) start() {
	n := len(s.curves)
	s.reached, s.waits, s.ended, s.log = make([][]float64, n), make([]bool, n), make([]bool, n), map[string]Decision{}
}

// TestOrderOfReportsDoesNotMatter trains random studies in plan order and then in
// random orders: every decision, with its words and what it was made against, is
// the same, and no order stands still.
func TestOrderOfReportsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := rapid.SampledFrom([]spec.EarlyTerminate{asha, median, hyperbandOf(1, 2)}).Draw(t, "options")
		s := &study{p: New(o, 16, rapid.Bool().Draw(t, "maximize"))}
		for c := range rapid.IntRange(1, 24).Draw(t, "configurations") {
			rungs := s.p.Rungs(c, rapid.IntRange(1, 16).Draw(t, "epochs"))
			value := rapid.OneOf(rapid.Float64Range(0, 1), rapid.Just(math.NaN()), rapid.SampledFrom([]float64{0.25, 0.5}))
			s.curves = append(s.curves, rapid.SliceOfN(value, len(rungs), len(rungs)).Draw(t, "curve"))
		}
		s.start()
		for c := range s.curves {
			for s.step(c) {
			}
		}
		first := s.log
		s.start()
		for live := len(s.curves) * 40; live > 0; live-- {
			s.step(rapid.IntRange(0, len(s.curves)-1).Draw(t, "next"))
		}
		for moved := true; moved; {
			moved = false
			for c := len(s.curves) - 1; c >= 0; c-- {
				moved = s.step(c) || moved
			}
		}
		if slices.Contains(s.ended, false) {
			t.Fatal("the study stands still")
		}
		if diff := cmp.Diff(first, s.log, cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })); diff != "" {
			t.Fatalf("(-plan order +random order)\n%s", diff)
		}
	})
}
