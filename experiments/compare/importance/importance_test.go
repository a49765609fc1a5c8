package importance

import (
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// drawn is n observations of numbers a to f, uniform in [0, 1), and their values.
func drawn(n int, seed uint64, value func(p map[string]any, random *rand.Rand) float64) []Observation {
	random := rand.New(rand.NewPCG(seed, 9))
	all := make([]Observation, n)
	for i := range all {
		p := map[string]any{}
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			p[name] = random.Float64()
		}
		all[i] = Observation{p, value(p, random)}
	}
	return all
}

func x(p map[string]any, name string) float64 { return p[name].(float64) }

// additive has four fifths of its variance from a and the others from b:
// (2² : 1²) times the variance of a uniform number.
func additive(p map[string]any, _ *rand.Rand) float64 { return 2*x(p, "a") + x(p, "b") }

// shareOf is the share of a parameter, or of a pair with a space between.
func shareOf(t *testing.T, i *Importance, name string) float64 {
	t.Helper()
	if i.Reason != "" {
		t.Fatalf("no verdict: %s", i.Reason)
	}
	for _, s := range append(i.Parameters, i.Pairs...) {
		if strings.Join(s.Parameters, " ") == name {
			return s.Share
		}
	}
	t.Fatalf("no share of %s in %+v", name, i)
	return 0
}

// want fails where a share is further than within from its known answer.
func want(t *testing.T, i *Importance, name string, share, within float64) {
	t.Helper()
	if got := shareOf(t, i, name); !(math.Abs(got-share) <= within) {
		t.Errorf("%s has a share of %.3f, want %.3f within %.3f", name, got, share, within)
	}
}

func TestAdditiveFunction(t *testing.T) {
	i := Of(drawn(200, 1, additive), nil, 1)
	want(t, i, "a", 0.8, 0.05)
	want(t, i, "b", 0.2, 0.06)
	for _, name := range []string{"c", "d", "e", "f"} {
		want(t, i, name, 0, 0.005)
	}
	if !(i.Explained > 0.95) || i.Configurations != 200 || i.Trees != trees || i.Parameters[0].Parameters[0] != "a" {
		t.Errorf("%+v", i)
	}
	sum := i.Rest
	for _, s := range append(i.Parameters, i.Pairs...) {
		if sum += s.Share; s.Low > s.High || s.Share > 0.1 && !(s.Low < s.Share && s.Share < s.High) {
			t.Errorf("%v: %v lies outside %v to %v", s.Parameters, s.Share, s.Low, s.High)
		}
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("the shares sum to %v", sum)
	}
}

func TestSharesMoveLittleFromSeedToSeed(t *testing.T) {
	low, high := 1.0, 0.0
	for seed := range uint64(5) {
		share := shareOf(t, Of(drawn(200, 1, additive), nil, seed), "a")
		low, high = min(low, share), max(high, share)
	}
	if high-low > 0.03 || high == low {
		t.Errorf("shares of a from %v to %v", low, high)
	}
}

// TestInteraction: neither parameter does anything alone.
func TestInteraction(t *testing.T) {
	i := Of(drawn(1000, 1, func(p map[string]any, _ *rand.Rand) float64 { return (x(p, "a") - 0.5) * (x(p, "b") - 0.5) }), nil, 1)
	want(t, i, "a b", 1, 0.3) // a greedy tree finds the first cut by luck
	want(t, i, "a", 0, 0.05)
	want(t, i, "b", 0, 0.05)
	want(t, i, "c", 0, 0.01)
}

// TestCategoriesAndLists: of 3 · 4 values, each 10 times, one category has all of
// the variance, whatever stands in its name.
func TestCategoriesAndLists(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	var all []Observation
	for range 120 {
		weight, hidden := []any{"none", "balanced", map[string]any{"Bot": 3}}[random.IntN(3)], random.IntN(4)
		value := 0.0
		if weight == "balanced" {
			value = 1
		}
		all = append(all, Observation{map[string]any{
			"loss.class_weight": weight, "model.hidden": [][]any{{int64(64)}, {int64(64), int64(32)}, {int64(8)}, {}}[hidden], "fixed": 1.0,
		}, value})
	}
	i := Of(all, nil, 1)
	want(t, i, "loss.class_weight", 1, 0.001)
	want(t, i, "model.hidden", 0, 0.001)
	if len(i.Parameters) != 2 {
		t.Errorf("a parameter that does not vary has a share: %+v", i.Parameters)
	}
}

// TestMeasures: of numbers that crowd at one end, half of the space is cut off at
// 10 where it is logarithmic over 1 to 100, and less than a tenth where it is not.
func TestMeasures(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	var all []Observation
	for range 400 {
		rate, other := math.Pow(100, random.Float64()), random.Float64()
		value := other
		if rate < 10 {
			value++
		}
		all = append(all, Observation{map[string]any{"rate": rate, "other": other}, value})
	}
	// The variance of a step of 1 at share p is p(1-p); that of other is 1/12.
	linear, even := 9.0/99*(1-9.0/99), 0.25
	want(t, Of(all, map[string]Measure{"rate": Linear, "other": Linear}, 1), "rate", linear/(linear+1.0/12), 0.05)
	want(t, Of(all, map[string]Measure{"rate": Log, "other": Linear}, 1), "rate", even/(even+1.0/12), 0.05)
	want(t, Of(all, nil, 1), "rate", even/(even+1.0/12), 0.05) // as it was drawn
}

// conditional draws an optimizer, and a momentum where it is sgd.
func conditional(value func(sgd bool, momentum float64) float64) []Observation {
	random := rand.New(rand.NewPCG(7, 7))
	var all []Observation
	for range 400 {
		p := map[string]any{"kind": "adam", "other": random.Float64()}
		momentum := random.Float64()
		if random.IntN(2) == 0 {
			p["kind"], p["momentum"] = "sgd", momentum
		}
		all = append(all, Observation{p, value(p["kind"] == "sgd", momentum)})
	}
	return all
}

// TestConditionalParameters: that momentum is there says sgd; what sgd does is the kind's all the same.
func TestConditionalParameters(t *testing.T) {
	i := Of(conditional(func(sgd bool, _ float64) float64 {
		if sgd {
			return 1
		}
		return 0
	}), nil, 1)
	want(t, i, "kind", 1, 0.001)
	want(t, i, "momentum", 0, 0.001)

	// m under sgd and 1/2 under adam: the means under both kinds are equal; of m's
	// variance, 1/12, half is there, a quarter of it as (E[value | m] - 1/2)².
	i = Of(conditional(func(sgd bool, momentum float64) float64 {
		if sgd {
			return momentum
		}
		return 0.5
	}), nil, 1)
	want(t, i, "kind", 0, 0.03)
	want(t, i, "momentum", 0.5, 0.06)
	want(t, i, "kind momentum", 0.5, 0.06)
}

func TestNoVerdict(t *testing.T) {
	nothing := func(map[string]any, *rand.Rand) float64 { return 0.5 }
	luck := func(_ map[string]any, random *rand.Rand) float64 { return random.NormFloat64() }
	same := drawn(30, 1, additive)
	for i := range same {
		same[i].Params = map[string]any{"a": 1.0}
	}
	for reason, i := range map[string]*Importance{
		"came to the same":                          Of(drawn(50, 1, nothing), nil, 1),
		"9 configurations cannot tell":              Of(append(drawn(9, 1, additive), drawn(9, 1, additive)...), nil, 1),
		"cannot be told from 100 configurations":    Of(drawn(100, 1, luck), nil, 1),
		"the configurations differ in no parameter": Of(same, nil, 1),
	} {
		if !strings.Contains(i.Reason, reason) || len(i.Parameters) > 0 {
			t.Errorf("%q in place of %q; %+v", i.Reason, reason, i.Parameters)
		}
	}
	if i := Of(nil, nil, 1); i.Reason == "" {
		t.Error("a verdict of nothing")
	}
}

// TestNoiseIsNoVerdict: where values are luck, few sets of 10 get a verdict.
func TestNoiseIsNoVerdict(t *testing.T) {
	told := 0
	for seed := range uint64(200) {
		if Of(drawn(fewest, seed, func(_ map[string]any, r *rand.Rand) float64 { return r.NormFloat64() }), nil, seed).Reason == "" {
			told++
		}
	}
	if told > 16 { // 4 % of 200 and two standard deviations
		t.Errorf("%d of 200 sets without an effect got a verdict", told)
	}
}

func TestEqualOnAnyNumberOfThreads(t *testing.T) {
	all := drawn(100, 1, additive)
	before := Of(all, nil, 7)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if !reflect.DeepEqual(before, Of(all, nil, 7)) {
		t.Error("two threads and one differ")
	}
}

// slowly is decompose as its comment has it: every point of the space, one by one.
func slowly(s *space, leaves []leaf) variance {
	d := len(s.axes)
	v := variance{alone: make([]float64, d), pairs: make([]float64, d*(d-1)/2)}
	each := func(visit func(at []int, weight, value float64)) {
		at := make([]int, d)
		var walk func(j int, weight float64)
		walk = func(j int, weight float64) {
			if j < d {
				for x, w := range s.axes[j].weights {
					at[j] = x
					walk(j+1, weight*w)
				}
				return
			}
			for _, l := range leaves {
				inside := true
				for k, x := range at {
					inside = inside && l.sets[k]>>x&1 == 1
				}
				if inside {
					visit(at, weight, l.value)
				}
			}
		}
		walk(0, 1)
	}
	mean := 0.0
	each(func(_ []int, w, value float64) { mean += w * value })
	each(func(_ []int, w, value float64) { v.total += w * (value - mean) * (value - mean) })
	ofMeans := func(axes ...int) float64 {
		sum, weight := map[[2]int]float64{}, map[[2]int]float64{}
		each(func(at []int, w, value float64) {
			var key [2]int
			for i, j := range axes {
				key[i] = at[j]
			}
			sum[key] += w * value
			weight[key] += w
		})
		out := 0.0
		for key, w := range weight {
			out += w * (sum[key]/w - mean) * (sum[key]/w - mean)
		}
		return out
	}
	for j := range d {
		v.alone[j] = ofMeans(j)
		for k := range j {
			v.pairs[j*(j-1)/2+k] = ofMeans(k, j) - v.alone[k] - v.alone[j]
		}
	}
	return v
}

func TestDecomposeEqualsTheSlowLoop(t *testing.T) {
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-12 }
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 11))
		var all []Observation
		for range 60 {
			p := map[string]any{"n": math.Round(7 * random.Float64()), "c": string(rune('a' + random.IntN(4))), "r": math.Exp(random.Float64())}
			p["r"] = math.Round(4*x(p, "r")) / 4
			if random.IntN(3) > 0 {
				p["m"] = float64(random.IntN(3))
			}
			all = append(all, Observation{p, random.NormFloat64()})
		}
		s := newSpace(all, map[string]Measure{"n": Linear, "r": Log})
		leaves := grow(s, seed, 0).leaves
		got, want := decompose(s, leaves), slowly(s, leaves)
		if len(leaves) < 5 || !near(got.total, want.total) {
			t.Errorf("seed %d: %d leaves, variance %v, want %v", seed, len(leaves), got.total, want.total)
		}
		for j := range got.alone {
			if !near(got.alone[j], want.alone[j]) {
				t.Errorf("seed %d, axis %d: %v, want %v", seed, j, got.alone[j], want.alone[j])
			}
		}
		for j := range got.pairs {
			if !near(got.pairs[j], want.pairs[j]) {
				t.Errorf("seed %d, pair %d: %v, want %v", seed, j, got.pairs[j], want.pairs[j])
			}
		}
	}
}

// TestManyLevels: more values than an axis has levels, and a space of many axes.
func TestManyLevels(t *testing.T) {
	start := time.Now()
	i := Of(drawn(5000, 1, additive), map[string]Measure{"a": Linear}, 1)
	t.Logf("5,000 observations in %v", time.Since(start))
	want(t, i, "a", 0.8, 0.02)
	random := rand.New(rand.NewPCG(1, 2))
	var all []Observation
	for range 300 {
		word := random.IntN(100)
		all = append(all, Observation{map[string]any{"word": string(rune('A' + word)), "b": random.Float64()}, float64(word % 2)})
	}
	if a := newSpace(all, nil).axes[1]; len(a.weights) != maxLevels || math.Abs(a.weight(a.all())-1) > 1e-12 {
		t.Errorf("%d levels of words, of weight %v", len(a.weights), a.weight(a.all()))
	}
}
