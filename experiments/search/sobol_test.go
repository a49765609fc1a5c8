package search

import (
	"math"
	"slices"
	"testing"

	"flowbench/experiments/spec"
)

// real is a coordinate as a number in [0, 1).
func real(x uint32) float64 { return float64(x) / (1 << sobolBits) }

// TestSobolPoints holds points of the sequence as it is, not scrambled, against
// those of scipy 1.10.1, stats.qmc.Sobol(scramble=False), which uses the same
// direction numbers: the first 16 in 5 dimensions, and point 777 of 128.
func TestSobolPoints(t *testing.T) {
	for i, want := range [][5]float64{
		{0, 0, 0, 0, 0}, {0.5, 0.5, 0.5, 0.5, 0.5}, {0.75, 0.25, 0.25, 0.25, 0.75}, {0.25, 0.75, 0.75, 0.75, 0.25},
		{0.375, 0.375, 0.625, 0.875, 0.375}, {0.875, 0.875, 0.125, 0.375, 0.875}, {0.625, 0.125, 0.875, 0.625, 0.625}, {0.125, 0.625, 0.375, 0.125, 0.125},
		{0.1875, 0.3125, 0.9375, 0.4375, 0.5625}, {0.6875, 0.8125, 0.4375, 0.9375, 0.0625}, {0.9375, 0.0625, 0.6875, 0.1875, 0.3125}, {0.4375, 0.5625, 0.1875, 0.6875, 0.8125},
		{0.3125, 0.1875, 0.3125, 0.5625, 0.9375}, {0.8125, 0.6875, 0.8125, 0.0625, 0.4375}, {0.5625, 0.4375, 0.0625, 0.8125, 0.1875}, {0.0625, 0.9375, 0.5625, 0.3125, 0.6875},
	} {
		for d, w := range want {
			if got := real(sobolPoint(uint32(i), d)); got != w {
				t.Errorf("point %d, dimension %d is %v, want %v", i, d, got, w)
			}
		}
	}
	for d, want := range map[int]float64{0: 0.6923828125, 1: 0.9365234375, 2: 0.1630859375, 30: 0.5419921875, 63: 0.4267578125, 100: 0.8427734375, 127: 0.1181640625} {
		if got := real(sobolPoint(777, d)); got != want {
			t.Errorf("point 777, dimension %d is %v, want %v", d, got, want)
		}
	}
}

// TestScrambledPointsStayEven: of the first 2^k points, scrambled, each dimension
// has one in every interval of length 2^-k, and the first two dimensions together
// one in every box of area 2^-k (a (0, 2)-sequence).
func TestScrambledPointsStayEven(t *testing.T) {
	if len(directions()) != sobolDimensions {
		t.Fatalf("%d dimensions", len(directions()))
	}
	const k = 8
	at := func(i uint32, d int) uint32 {
		return scramble(sobolPoint(i, d), uint32(draw(9, 0, 0, string(rune('a'+d)))>>32))
	}
	for d := range sobolDimensions {
		hit := map[uint32]bool{}
		for i := range uint32(1 << k) {
			hit[at(i, d)>>(sobolBits-k)] = true
		}
		if len(hit) != 1<<k {
			t.Errorf("dimension %d: %d of %d intervals have a point", d, len(hit), 1<<k)
		}
	}
	for wide := range k + 1 {
		hit := map[[2]uint32]bool{}
		for i := range uint32(1 << k) {
			hit[[2]uint32{uint32(uint64(at(i, 0)) >> (sobolBits - wide)), uint32(uint64(at(i, 1)) >> (sobolBits - k + wide))}] = true
		}
		if len(hit) != 1<<k {
			t.Errorf("boxes of 2^-%d by 2^-%d: %d of %d have a point", wide, k-wide, len(hit), 1<<k)
		}
	}
	if at(0, 0) == 0 || at(0, 0) == at(0, 1) {
		t.Error("the first point is not scrambled, or all its coordinates in one way")
	}
}

// starDiscrepancy is the L2 star discrepancy of points, by the formula of Warnock
// 1972.
func starDiscrepancy(points [][]float64) float64 {
	n, d := float64(len(points)), len(points[0])
	single, pairs := 0.0, 0.0
	for _, x := range points {
		product := 1.0
		for _, v := range x {
			product *= 1 - v*v
		}
		single += product
		for _, y := range points {
			product := 1.0
			for j := range d {
				product *= 1 - max(x[j], y[j])
			}
			pairs += product
		}
	}
	return math.Sqrt(math.Pow(3, -float64(d)) - math.Pow(2, 1-float64(d))/n*single + pairs/(n*n))
}

// TestSobolIsMoreEvenThanDraws compares what a study gets: configurations of a
// sweep over 2 and 5 parameters, by either method, for 20 seeds.
func TestSobolIsMoreEvenThanDraws(t *testing.T) {
	var raw [][]float64
	for i := range uint32(32) {
		raw = append(raw, []float64{real(sobolPoint(i, 0)), real(sobolPoint(i, 1)), real(sobolPoint(i, 2))})
	}
	if got := starDiscrepancy(raw); math.Abs(got-0.02697863216177002) > 1e-12 { // scipy.stats.qmc.discrepancy(method="L2-star")
		t.Errorf("discrepancy of 32 points in 3 dimensions is %v", got)
	}
	for _, dimensions := range []int{2, 5} {
		var even, drawn []float64
		for seed := range uint64(20) {
			o := objective{parameters: box(dimensions, 0, 1)}
			b := newBuilder()
			if err := b.sobol(o.sweep("sobol", 64, seed)); err != nil {
				t.Fatal(err)
			}
			c := newBuilder()
			if err := c.random(o.sweep("random", 64, seed)); err != nil {
				t.Fatal(err)
			}
			even, drawn = append(even, starDiscrepancy(points(b.all))), append(drawn, starDiscrepancy(points(c.all)))
		}
		if worst, best := slices.Max(even), slices.Min(drawn); dimensions == 2 && !(worst < best) {
			t.Errorf("%d dimensions: the worst of Sobol is %v, the best of random draws %v", dimensions, worst, best)
		}
		t.Logf("%d dimensions: discrepancy %.4f on average, %.4f of random draws", dimensions, sum(even)/20, sum(drawn)/20)
		if p := mannWhitney(even, drawn); !(p < 1e-6) {
			t.Errorf("%d dimensions: p = %v", dimensions, p)
		}
	}
}

func points(configurations []spec.Params) [][]float64 {
	var all [][]float64
	for _, p := range configurations {
		all = append(all, point(p))
	}
	return all
}

// TestSobolHasADimensionForEachField: no spec varies more than the table holds.
func TestSobolHasADimensionForEachField(t *testing.T) {
	if n := len(spec.Sweepable()); n > sobolDimensions {
		t.Errorf("%d fields for %d dimensions", n, sobolDimensions)
	}
	s := objective{parameters: box(sobolDimensions+1, 0, 1)}.sweep("sobol", 2, 1)
	if err := newBuilder().sobol(s); err == nil {
		t.Error("129 parameters were taken")
	}
	if _, err := Suggest(objective{parameters: box(sobolDimensions+1, 0, 1)}.sweep("tpe", 2, 1), 0, nil, nil); err != nil {
		t.Errorf("tpe needs no Sobol sequence: %v", err)
	}
}

// TestAddedParameterLeavesSobolAlone: a parameter behind the others takes a new
// dimension, theirs stay.
func TestAddedParameterLeavesSobolAlone(t *testing.T) {
	sweep := "  method: sobol\n  trials: 20\n  parameters:\n    optimizer.learning_rate: {distribution: log_uniform, min: 1e-4, max: 1e-2}\n    model.hidden: {values: [[64, 32], [128]]}\n"
	before := mustPlan(t, mustSpec(t, sweep))
	after := mustPlan(t, mustSpec(t, sweep+"    model.dropout: {distribution: uniform, min: 0, max: 0.5}\n"))
	other := mustPlan(t, mustSpec(t, sweep, "sweep.seed=2"))
	for i, params := range before.Configurations {
		if got := after.Configurations[i][:2].String(); got != params.String() {
			t.Errorf("configuration %d was %s, is %s", i, params, got)
		}
	}
	if before.Configurations[0].String() == other.Configurations[0].String() {
		t.Error("two seeds make one plan")
	}
}
