package cpu

import (
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"testing"
)

// twoRoundings is a·b+c as plain Go computes it.
func twoRoundings(a, b, c float32) float32 { return float32(a*b) + c }

// oneRounding is a·b+c as a fused multiply-add computes it. The product is exact
// in float64; the sum is rounded to odd there, which the rounding to float32
// that follows cannot tell from the exact sum (Boldo, Melquiond 2008).
func oneRounding(a, b, c float32) float32 {
	p, q := float64(a)*float64(b), float64(c)
	sum := p + q
	if math.IsInf(sum, 0) || math.IsNaN(sum) {
		return float32(sum)
	}
	part := sum - p
	lost := (p - (sum - part)) + (q - part) // Knuth's TwoSum
	if bits := math.Float64bits(sum); lost != 0 && bits&1 == 0 {
		if (lost > 0) == (sum > 0) {
			sum = math.Float64frombits(bits + 1)
		} else {
			sum = math.Float64frombits(bits - 1)
		}
	}
	return float32(sum)
}

func TestOneRounding(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	differ := 0
	for range 200_000 {
		a, b, c := hard(rng), hard(rng), hard(rng)
		if rng.IntN(2) == 0 { // a sum that cancels almost all
			c = -float32(a*b) * (1 + float32(rng.IntN(3)-1)*0x1p-23)
		}
		if !finite([]float32{a, b, c}) {
			continue
		}
		got := oneRounding(a, b, c)
		exact := new(big.Float).SetPrec(2000).Mul(big.NewFloat(float64(a)), big.NewFloat(float64(b)))
		exact.Add(exact, big.NewFloat(float64(c)))
		want, _ := exact.Float32()
		if got != want {
			t.Fatalf("%v·%v+%v gives %v, want %v", a, b, c, got, want)
		}
		if got != twoRoundings(a, b, c) {
			differ++
		}
	}
	if differ < 1000 {
		t.Errorf("one rounding and two differ in %d cases only: they are not told apart", differ)
	}
}

// hard is a finite float32 of any size: around one most often, else from its
// whole range, zeros and denormals too.
func hard(rng *rand.Rand) float32 {
	switch rng.IntN(8) {
	case 0:
		v := math.Float32frombits(rng.Uint32())
		if v-v != 0 {
			return 0
		}
		return v
	case 1:
		return []float32{0, float32(math.Copysign(0, -1)), 1e9, 1e-9, -1e9, math.SmallestNonzeroFloat32, 1, -1}[rng.IntN(8)]
	}
	return float32(rng.NormFloat64())
}

func normals(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// sentinel is a NaN that no arithmetic produces.
var sentinel = math.Float32frombits(0x7fc0beef)

// fence is how many sentinels stand before and behind what a routine may write.
const fence = 64

// fenced is n elements, zero, between sentinels; check finds one that was written.
type fenced struct{ room, v []float32 }

func newFenced(n int) fenced {
	f := fenced{room: make([]float32, n+2*fence)}
	for i := range f.room {
		f.room[i] = sentinel
	}
	f.v = f.room[fence : fence+n : fence+n]
	clear(f.v)
	return f
}

func fencedCopy(v []float32) fenced {
	f := newFenced(len(v))
	copy(f.v, v)
	return f
}

func (f fenced) check(t testing.TB, what string) {
	t.Helper()
	for i, v := range f.room {
		outside := i < fence || i >= len(f.room)-fence
		if outside && math.Float32bits(v) != math.Float32bits(sentinel) {
			t.Fatalf("%s: element %d beside %d was written: %v", what, i-fence, len(f.v), v)
		}
	}
}

// sameBits wants the bits of the plain loop. Which NaN it is does not matter.
func sameBits(t testing.TB, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if g := got[i]; math.Float32bits(g) != math.Float32bits(w) && !(g != g && w != w) {
			t.Fatalf("%s: element %d of %d is %v (%#08x), the plain loop gives %v (%#08x)",
				what, i, len(want), g, math.Float32bits(g), w, math.Float32bits(w))
		}
	}
}

// vectorLevels are the levels with assembly on this processor.
func vectorLevels(t testing.TB) []level {
	var list []level
	for l := avx2; l <= highest(); l++ {
		list = append(list, l)
	}
	if len(list) == 0 {
		if os.Getenv("REQUIRE_SIMD") != "" {
			t.Fatal("no assembly: this processor has no AVX2, or the build leaves it out")
		}
		t.Skip("no assembly: this processor has no AVX2, or the build leaves it out")
	}
	return list
}
