package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"flowbench/kernels"
)

// drawCase is a run of elements of one stream.
type drawCase struct {
	seed, step uint64
	stream     uint32
	first      int
	rate       float32
	v          []float32
}

func (c drawCase) draws(purpose uint32) draws {
	return (&step{seed: c.seed, number: c.step}).draws(purpose, c.stream)
}

// checkDropout holds every level to kernels.Keep, to the bit.
func (c drawCase) checkDropout(t testing.TB, l level) {
	t.Helper()
	what := fmt.Sprintf("%v: dropout of %d from %d at %v", l, len(c.v), c.first, c.rate)
	got, want, scale := fencedCopy(c.v), append([]float32(nil), c.v...), 1/(1-c.rate)
	for i := range want {
		want[i] *= scale
		if !kernels.Keep(c.seed, c.step, c.stream, uint64(c.first+i), c.rate) {
			want[i] = 0
		}
	}
	ok := l.dropout(got.v, c.first, c.draws(keepDraw), c.rate, scale)
	sameBits(t, what, got.v, want)
	if ok != allFinite(want) {
		t.Fatalf("%s: finite is %v, want %v", what, ok, !ok)
	}
	got.check(t, what)
}

// checkNoise holds every level to kernels.Normal within the tolerance that the
// contract of level.noise gives, and the assembly to its twin to the bit.
func (c drawCase) checkNoise(t testing.TB, l level) {
	t.Helper()
	what := fmt.Sprintf("%v: noise on %d from %d", l, len(c.v), c.first)
	got, want := fencedCopy(c.v), append([]float32(nil), c.v...)
	for i := range want {
		normal := kernels.Normal(c.seed, c.step, c.stream, uint64(c.first+i))
		if l != plain {
			twin := c.twinNormal(uint64(c.first + i))
			if d := math.Abs(float64(twin) - float64(normal)); !(d <= 4e-7*(1+math.Abs(float64(normal)))) {
				t.Fatalf("%s: the number of element %d is %v, want %v", what, i, twin, normal)
			}
			normal = twin
		}
		want[i] += float32(c.rate * normal)
	}
	ok := l.noise(got.v, c.first, c.draws(normalDraw), c.rate)
	sameBits(t, what, got.v, want)
	if ok != allFinite(want) {
		t.Fatalf("%s: finite is %v, want %v", what, ok, !ok)
	}
	got.check(t, what)
}

func (c drawCase) twinNormal(element uint64) float32 {
	w := kernels.Philox([4]uint32{uint32(element / 4), uint32(c.step), uint32(c.step>>32)&0xFFFF | normalDraw<<16, c.stream},
		[2]uint32{uint32(c.seed), uint32(c.seed >> 32)})
	pair := w[element%4/2*2:]
	radius := float32(math.Sqrt(float64(twinLog(float32(pair[0]>>8+1)*0x1p-24) * -2)))
	cos, sin := twinTurns(float32(pair[1]>>8) * 0x1p-24)
	if element%2 == 0 {
		return cos * radius
	}
	return sin * radius
}

func TestDrawsAreThoseOfPhilox(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	for l := plain; l <= highest(); l++ {
		for i, n := range runLengths {
			c := drawCase{seed: rng.Uint64(), step: rng.Uint64() >> 16, stream: rng.Uint32(), first: 4 * rng.IntN(1<<20), v: normals(rng, n)}
			if i%3 == 0 {
				c.first = 1<<34 - 64 // blocks count in 32 bits
			}
			for _, c.rate = range []float32{0, 0x1p-24, 0.1, 0.5, 0.9, 1 - 0x1p-24} {
				c.checkDropout(t, l)
				c.checkNoise(t, l)
			}
			c.v[n/2] = float32(math.Inf(1))
			c.rate = 0.5
			c.checkDropout(t, l)
			c.checkNoise(t, l)
		}
	}
}

// The rarest draws: a number of the smallest and the largest radius.
func TestNormalTwinAtItsEnds(t *testing.T) {
	for a := range uint32(1 << 12) {
		for _, m := range []uint32{a + 1, 1<<24 - a} {
			u := float64(m) * 0x1p-24
			radius, want := math.Sqrt(float64(twinLog(float32(u))*-2)), math.Sqrt(-2*math.Log(u))
			if d := math.Abs(radius - want); !(d <= 1e-7*want) {
				t.Fatalf("the radius of %v is %v, want %v", u, radius, want)
			}
		}
	}
}

func FuzzDraws(f *testing.F) {
	f.Add(uint64(7), uint64(1), uint32(3), uint32(64), float32(0.5), uint8(17), []byte{0, 0, 128, 63, 0, 0, 0, 192})
	f.Fuzz(func(t *testing.T, seed, step uint64, stream, first uint32, rate float32, n uint8, data []byte) {
		if !(rate >= 0 && rate < 1) {
			t.Skip()
		}
		c := drawCase{seed: seed, step: step & (1<<48 - 1), stream: stream, first: int(first) * 4, rate: rate, v: numbers(data)(int(n) + 1)}
		for l := plain; l <= highest(); l++ {
			c.checkDropout(t, l)
			c.checkNoise(t, l)
		}
	})
}
