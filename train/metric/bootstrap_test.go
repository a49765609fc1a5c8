package metric

import (
	"math"
	"runtime"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/stat/distuv"
)

func TestBootstrapIgnoresThreads(t *testing.T) {
	scores, positive := generator{Rows: 5000, Seed: 9, PerMillion: 20000, Levels: 300}.make()
	r := mustRank(t, scores, positive)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := r.resampledAPs(101, 5)
	for _, threads := range []int{2, 3, 7} {
		runtime.GOMAXPROCS(threads)
		if diff := cmp.Diff(want, r.resampledAPs(101, 5)); diff != "" {
			t.Errorf("with %d threads:\n%s", threads, diff)
		}
	}
	if cmp.Equal(want, r.resampledAPs(101, 6)) {
		t.Error("another seed draws the same resamples")
	}
}

// The truth of resample: draw row numbers, write the rows down, rank them anew.
func TestResampleEqualsRankingTheRowsDrawn(t *testing.T) {
	for _, g := range []generator{
		{Rows: 700, Seed: 4, PerMillion: 50000},
		{Rows: 700, Seed: 4, PerMillion: 50000, Levels: 3},
		{Rows: 700, Seed: 4, PerMillion: 50000, Levels: 40},
		{Rows: 700, Seed: 4, PerMillion: 500000},
	} {
		scores, positive := g.make()
		steps := mustRank(t, scores, positive).steps()
		tp, fp, src := make([]int32, steps.count), make([]int32, steps.count+1), newSource(1, 2)
		got := steps.resample(tp, fp, &src)

		// A score that falls with the step ranks rows as their scores do.
		var drawn []float64
		var truth []bool
		for _, kind := range []struct {
			count []int32
			is    bool
		}{{fp, false}, {tp, true}} {
			for step, n := range kind.count {
				for range n {
					drawn, truth = append(drawn, -float64(step)), append(truth, kind.is)
				}
			}
		}
		if len(drawn) != g.Rows {
			t.Fatalf("%d rows drawn", len(drawn))
		}
		wantClose(t, "average precision of a resample", got, slowAP(drawn, truth), near)
	}
}

// Both ways to draw have the same distribution: means, variances and the
// covariance of neighbours of a multinomial.
func TestDrawsAreMultinomial(t *testing.T) {
	sizes := []int32{1, 0, 5, 300, 2, 9, 0, 31, 652}
	const n, rounds = 1000, 6000
	var group []int32
	for g, size := range sizes {
		for range size {
			group = append(group, int32(g))
		}
	}
	blocks := newStrata(sizes)
	for name, draw := range map[string]func([]int32, *source){
		"rows":   func(count []int32, src *source) { drawRows(count, group, n, src) },
		"blocks": func(count []int32, src *source) { blocks.draw(count, src) },
	} {
		sum, square, cross := make([]float64, len(sizes)), make([]float64, len(sizes)), make([]float64, len(sizes))
		count := make([]int32, len(sizes))
		for i := range rounds {
			src := newSource(1, i)
			draw(count, &src)
			total := 0
			for g, k := range count {
				d := float64(k - sizes[g])
				next := (g + 1) % len(sizes)
				sum[g] += d
				square[g] += d * d
				cross[g] += d * float64(count[next]-sizes[next])
				total += int(k)
			}
			if total != n {
				t.Fatalf("%s: %d rows drawn, want %d", name, total, n)
			}
		}
		for g, size := range sizes {
			p, q := float64(size)/n, float64(sizes[(g+1)%len(sizes)])/n
			variance, spread := n*p*(1-p), math.Sqrt(n*p*(1-p)*n*q*(1-q))
			// Five standard errors; a squared deviation varies by at most about
			// √(2 + 1/variance) times the variance.
			wantWithin(t, name+" mean", sum[g]/rounds, 0, 5*math.Sqrt(variance/rounds))
			wantWithin(t, name+" variance", square[g]/rounds, variance, 5*variance*math.Sqrt((2+1/max(variance, 1e-9))/rounds))
			wantWithin(t, name+" covariance", cross[g]/rounds, -n*p*q, 8*spread/math.Sqrt(rounds))
		}
	}
}

func TestStrataHoldEveryGroupOnce(t *testing.T) {
	for _, sizes := range [][]int32{{1}, {32}, {0, 0}, {0, 40, 0}, {31, 31, 32, 31}, ones(5000), {5000, 1, 1}} {
		s := newStrata(sizes)
		next, rows := 0, 0
		for _, b := range s.blocks {
			if b.first != next {
				t.Fatalf("%v: block starts at group %d, want %d", sizes, b.first, next)
			}
			next += b.groups
			rows += b.rows
			if b.group != nil && len(b.group) != b.rows {
				t.Fatalf("%v: block of %d rows lists %d", sizes, b.rows, len(b.group))
			}
		}
		if next != len(sizes) || rows != s.rows {
			t.Fatalf("%v: %d groups, %d rows", sizes, next, rows)
		}
	}
}

func ones(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = 1
	}
	return out
}

func wantWithin(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %v, want %v within %v", what, got, want, tolerance)
	}
}

// Draws against the distribution's own function, by Kolmogorov's distance.
func TestBinomialDraws(t *testing.T) {
	const draws = 40000
	for _, c := range []struct {
		n int
		p float64
	}{{1, 0.3}, {12, 1.0 / 12}, {12, 0.9}, {40, 0.25}, {41, 0.25}, {100, 0.5}, {30, 0.7}, {270000, 1e-6}, {270000, 3.8e-5}, {270000, 0.02}, {270000, 0.999}} {
		histogram := make([]int, c.n+1)
		src := newSource(9, c.n)
		for range draws {
			histogram[src.binomial(c.n, c.p)]++
		}
		truth := distuv.Binomial{N: float64(c.n), P: c.p}
		below, worst := 0, 0.0
		for k, n := range histogram {
			below += n
			if n > 0 {
				worst = max(worst, math.Abs(float64(below)/draws-truth.CDF(float64(k))))
			}
		}
		// The distance exceeds 2/√draws with a probability of 2·exp(-8).
		if !(worst <= 2/math.Sqrt(draws)) {
			t.Errorf("n = %d, p = %v: distance %v", c.n, c.p, worst)
		}
	}
}

func BenchmarkRank(b *testing.B) {
	scores, positive := generator{Rows: 270000, Seed: 1, PerMillion: 400}.make()
	for b.Loop() {
		mustRank(b, scores, positive)
	}
}

func BenchmarkSortScores(b *testing.B) {
	for _, n := range []int{1000, 2000, 4096, 100000} {
		scores, _ := generator{Rows: n, Seed: 1}.make()
		x := make([]float64, n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				copy(x, scores)
				sortScores(x)
			}
		})
	}
}

func BenchmarkBootstrapAP(b *testing.B) {
	for name, perMillion := range map[string]uint64{"rare": 400, "common": 200000} {
		scores, positive := generator{Rows: 270000, Seed: 1, PerMillion: perMillion}.make()
		r := mustRank(b, scores, positive)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r.BootstrapAP(1000, Level, 1)
			}
		})
	}
}
