package pruner

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"flowbench/experiments/spec"
)

// curve is a learning curve of the family pow3, an error of floor + span·e^-rate
// after e epochs with noise (Domhan et al., Speeding Up Automatic Hyperparameter
// Optimization of Deep Neural Networks by Extrapolation of Learning Curves, IJCAI
// 2015, table 1). Curves cross: what learns fast does not always end low.
type curve struct{ floor, span, rate, noise float64 }

func draw(r *rand.Rand) curve {
	return curve{
		floor: 0.05 + 0.5*math.Pow(r.Float64(), 1.5),
		span:  0.2 + 0.4*r.Float64(),
		rate:  0.3 + 1.2*r.Float64(),
		noise: 0.01,
	}
}

// errors are those after each epoch.
func (c curve) errors(r *rand.Rand, epochs int) []float64 {
	all := make([]float64, epochs)
	for e := range all {
		all[e] = c.floor + c.span*math.Pow(float64(e+1), -c.rate) + c.noise*r.NormFloat64()
	}
	return all
}

// Random search trains each of its configurations for all epochs.
const configurations, epochs, seeds = 64, 81, 30

// reach runs a study over curves in plan order, and returns after how many epochs
// it had trained a configuration to the end that is at least as good as goal;
// false where none is.
func reach(p *Pruner, curves [][]float64, goal float64) (int, bool) {
	spent := 0
	var earlier [][]float64
	for c, errors := range curves {
		goes := true
		var own []float64
		for k, rung := range p.Rungs(c, len(errors)) {
			own = append(own, errors[rung-1])
			if goes = p.Decide(c, k, own, earlier).Continue; !goes {
				spent += rung
				break
			}
		}
		earlier = append(earlier, own)
		if !goes {
			continue
		}
		spent += len(errors)
		if errors[len(errors)-1] <= goal {
			return spent, true
		}
	}
	return spent, false
}

// TestReachesRandomsBest lets each rule end configurations of the stream that
// random search takes its first 64 from, until it has one that is as good as the
// best of those. asha needs at most a third of the epochs of random search: the
// sign test over 30 seeds says so at p < 0.01. The other rules are listed.
func TestReachesRandomsBest(t *testing.T) {
	for _, o := range []spec.EarlyTerminate{asha, hyperbandOf(1, 3), {Type: spec.Median, MinEpochs: 1, Every: 4, Startup: 5}} {
		p := New(o, epochs, false)
		var shares []float64
		within := 0
		for seed := range seeds {
			share, ok := shareOfRandom(p, uint64(seed))
			if ok && share <= 1.0/3 {
				within++
			}
			shares = append(shares, share)
		}
		slices.Sort(shares)
		chance := distuv.Binomial{N: seeds, P: 0.5}.Survival(float64(within) - 0.5)
		t.Logf("%s: median %.3f of the epochs of random search (quartiles %.3f, %.3f); at most a third for %d of %d seeds, p = %.2g",
			o.Type, shares[seeds/2], shares[seeds/4], shares[3*seeds/4], within, seeds, chance)
		if o.Type == spec.ASHA && !(chance < 0.01 && shares[seeds/2] <= 1.0/3) {
			t.Errorf("asha needs too many epochs: %v", shares)
		}
	}
}

// shareOfRandom is the epochs that p needs over those of random search, and
// whether it found what that found among four times as many configurations.
func shareOfRandom(p *Pruner, seed uint64) (float64, bool) {
	r := rand.New(rand.NewPCG(1, seed))
	var curves [][]float64
	for range 4 * configurations {
		curves = append(curves, draw(r).errors(r, epochs))
	}
	best := math.Inf(1)
	for _, errors := range curves[:configurations] {
		best = min(best, errors[epochs-1])
	}
	spent, ok := reach(p, curves, best)
	return float64(spent) / (configurations * epochs), ok
}
