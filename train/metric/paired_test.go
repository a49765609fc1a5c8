package metric

import (
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
)

// pairedExample scores rows twice: positives rise by gap in A and each pair shares
// a common part, as detectors do that see the same flows.
func pairedExample(random *rand.Rand, positives, negatives int, gap float64) PairedScores {
	p := PairedScores{}
	for i := range positives + negatives {
		common, is := random.NormFloat64(), i < positives
		a, b := common+random.NormFloat64(), common+random.NormFloat64()
		if is {
			a, b = a+2+gap, b+2
		}
		p.A, p.B = append(p.A, a), append(p.B, b)
		p.Positive, p.Unit = append(p.Positive, is), append(p.Unit, int32(i))
	}
	return p
}

func TestPairedDifferenceIsThatOfTheAveragePrecisions(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	p, q := pairedExample(random, 9, 300, 0.5), pairedExample(random, 20, 100, 0)
	for i := range q.A {
		q.A[i], q.B[i] = math.Round(q.A[i]), math.Round(q.B[i]) // ties
	}
	got, reason := PairedBootstrapAP([]PairedScores{p, q}, 200, 0.95, 3)
	want := 0.0
	for _, r := range []PairedScores{p, q} {
		a, _ := AveragePrecision(r.A, r.Positive)
		b, _ := AveragePrecision(r.B, r.Positive)
		want += (a.V - b.V) / 2
	}
	if !(math.Abs(got.Difference-want) <= 1e-12) || reason != "" {
		t.Errorf("difference %v, want %v (%s)", got.Difference, want, reason)
	}
	if !(got.Low < got.Difference && got.Difference < got.High) || !(got.P > 0 && got.P <= 1) {
		t.Errorf("%+v", got)
	}
}

// TestPairedDrawsAreThoseOfRows: drawing by patterns is drawing rows one by one.
func TestPairedDrawsAreThoseOfRows(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	p := pairedExample(random, 8, 60, 0.4)
	var slow []float64
	for range 4000 {
		drawn := PairedScores{}
		for i := range p.A {
			from := random.IntN(8)
			if i >= 8 {
				from = 8 + random.IntN(60)
			}
			drawn.A, drawn.B = append(drawn.A, p.A[from]), append(drawn.B, p.B[from])
			drawn.Positive = append(drawn.Positive, p.Positive[from])
		}
		a, _ := AveragePrecision(drawn.A, drawn.Positive)
		b, _ := AveragePrecision(drawn.B, drawn.Positive)
		slow = append(slow, a.V-b.V)
	}
	fast := newPaired([]PairedScores{p}).draws(4000, 9)
	mean, sd := moments(slow)
	gotMean, gotSD := moments(fast)
	// The standard error of a mean of 4,000 is sd/63, of the sd about sd/89; both
	// sides have one: 4.5 of theirs.
	if !(math.Abs(gotMean-mean) <= 0.1*sd) || !(math.Abs(gotSD/sd-1) <= 0.08) {
		t.Errorf("mean %v and deviation %v, row by row %v and %v", gotMean, gotSD, mean, sd)
	}
}

func moments(v []float64) (mean, sd float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		sd += (x - mean) * (x - mean) / float64(len(v)-1)
	}
	return mean, math.Sqrt(sd)
}

func TestPairedBootstrapIsTheSameForAnyNumberOfThreads(t *testing.T) {
	p := pairedExample(rand.New(rand.NewPCG(1, 2)), 9, 300, 0.5)
	want, _ := PairedBootstrapAP([]PairedScores{p}, 100, 0.95, 3)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	if got, _ := PairedBootstrapAP([]PairedScores{p}, 100, 0.95, 3); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestPairedUnits: rows of one connection are drawn together, so that thirty rows
// of two connections know as little as two.
func TestPairedUnits(t *testing.T) {
	p := pairedExample(rand.New(rand.NewPCG(1, 2)), 30, 300, 2)
	rows, _ := PairedBootstrapAP([]PairedScores{p}, 500, 0.95, 3)
	for i := range 30 {
		p.Unit[i] = int32(i % 2)
	}
	units, reason := PairedBootstrapAP([]PairedScores{p}, 500, 0.95, 3)
	if !(rows.P < 0.05 && units.P > 0.05) || units.PositiveUnits != 2 || units.NegativeUnits != 300 || reason != "" {
		t.Errorf("rows %+v, connections %+v (%s)", rows, units, reason)
	}
	for i := range 30 {
		p.Unit[i] = 0
	}
	if _, reason := PairedBootstrapAP([]PairedScores{p}, 500, 0.95, 3); reason == "" {
		t.Error("one connection is resampled")
	}
	if _, reason := PairedBootstrapAP([]PairedScores{{A: []float64{1}, B: []float64{1}, Positive: []bool{false}, Unit: []int32{0}}}, 500, 0.95, 3); reason != noPositives {
		t.Errorf("no positives: %q", reason)
	}
}

// simulations is a tenth of the full number, unless FULL_SIMULATIONS is set.
func simulations() int {
	if os.Getenv("FULL_SIMULATIONS") != "" {
		return 2000
	}
	return 200
}

// TestPairedBootstrapOnEqualDetectors: with equal detectors at most 5 % of the
// simulations may be called different, and 2.6 standard errors of the share that
// so many simulations give more (one test in 200 would fail by chance at 5 %).
func TestPairedBootstrapOnEqualDetectors(t *testing.T) {
	for _, positives := range []int{4, 12, 40} {
		random := rand.New(rand.NewPCG(11, uint64(positives)))
		n, cries := simulations(), 0
		for i := range n {
			p := pairedExample(random, positives, 400, 0)
			if got, _ := PairedBootstrapAP([]PairedScores{p}, 400, 0.95, uint64(i)); got.P < 0.05 {
				cries++
			}
		}
		share := float64(cries) / float64(n)
		t.Logf("%d positives: %d of %d simulations of equal detectors are called different (%.2f %%)", positives, cries, n, 100*share)
		if limit := 0.05 + 2.6*math.Sqrt(0.05*0.95/float64(n)); !(share <= limit) {
			t.Errorf("%d positives: %.3f of the simulations, at most %.3f", positives, share, limit)
		}
	}
}
