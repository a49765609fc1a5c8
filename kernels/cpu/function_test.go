package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"flowbench/kernels"
)

// The twins of the functions that the assembly computes in float32 (asm/function.go,
// asm/activation.go): the same operations in the same order, so the same bits.

func twinPolynomial(x float32, coefficients ...float32) float32 {
	v := coefficients[0]
	for _, c := range coefficients[1:] {
		v = oneRounding(v, x, c)
	}
	return v
}

func twinPower(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// twinRound rounds to the nearest integer, as the conversion of a register does.
func twinRound(x float32) int32 {
	if x != x {
		return math.MinInt32
	}
	return int32(math.RoundToEven(float64(x)))
}

func twinExp(x float32) float32 {
	if x < -104 {
		x = -104
	}
	n := twinRound(x * 1.44269504)
	f := float32(n)
	r := oneRounding(f, 2.12194440e-4, oneRounding(f, -0.693359375, x))
	p := twinPolynomial(r, 0.00138146267, 0.00836871006, 0.0416683853, 0.166665211, 0.49999994)
	p = oneRounding(float32(r*r), p, r) + 1
	return float32(p*twinPower(n>>1)) * twinPower(n-n>>1)
}

func twinAtanh2(q float32, coefficients ...float32) float32 {
	z := q * q
	return oneRounding(q, float32(twinPolynomial(z, coefficients...)*z), q+q)
}

func twinLog1p(u float32) float32 {
	return twinAtanh2(u/(u+2), 0.243009493, 0.214276537, 0.286168844, 0.39998877, 0.666666746)
}

func twinLog(u float32) float32 {
	k := int32(math.Float32bits(u)-0x3F3504F3) >> 23
	f := math.Float32frombits(math.Float32bits(u) - uint32(k)<<23)
	l := twinAtanh2((f-1)/(f+1), 0.29871732, 0.399775416, 0.666667759)
	n := float32(k)
	return oneRounding(n, 0.693359375, oneRounding(n, -2.12194440e-4, l))
}

func twinTurns(t float32) (cos, sin float32) {
	q := twinRound(t * 4)
	r := t*4 - float32(q)
	z := r * r
	sin = twinPolynomial(z, -0.00460165786, 0.079680033, -0.64596349, 1.57079637) * r
	cos = twinPolynomial(z, 0.000903766544, -0.0208601654, 0.253669232, -1.23370051, 1)
	if q&1 != 0 {
		cos, sin = sin, cos
	}
	if (q+1)&2 != 0 {
		cos = -cos
	}
	if q&2 != 0 {
		sin = -sin
	}
	return cos, sin
}

func twinTail(a float32) (bell, factor float32) {
	if a > 20 {
		a = 20
	}
	square := a * a
	lost := oneRounding(a, a, -square)
	bell = twinExp(square * -0.5)
	bell = oneRounding(lost*-0.5, bell, bell)
	t := 1 / oneRounding(a, 0.3, 1)
	p := twinPolynomial(t, -0.0206127055, 0.112375103, -0.228065938, 0.19157964, -0.079245694,
		0.0960569829, 0.0784258619, 0.110227272, 0.119572856, 0.119686641)
	return bell, p * t
}

func twinMirrored(z, tail float32) float32 {
	if math.Signbit(float64(z)) {
		return tail
	}
	return 1 - tail
}

func abs32(x float32) float32 { return float32(math.Abs(float64(x))) }

func twinGELU(z float32) float32 {
	bell, factor := twinTail(abs32(z))
	return z * twinMirrored(z, float32(bell*factor))
}

func twinGELUSlope(z float32) float32 {
	bell, factor := twinTail(abs32(z))
	return twinMirrored(z, float32(bell*oneRounding(abs32(z), -0.398942280, factor)))
}

func twinTanh(x float32) float32 {
	a, z := abs32(x), x*x
	if a < 0.625 {
		p := twinPolynomial(z, -0.00570499245, 0.0206390936, -0.0537397191, 0.133314416, -0.333332807)
		return oneRounding(float32(z*p), x, x)
	}
	e := twinExp(a * -2)
	return float32(math.Copysign(float64((1-e)/(1+e)), float64(x)))
}

func twinSigmoid(x float32) float32 {
	e := twinExp(-abs32(x))
	if r := 1 / (1 + e); !math.Signbit(float64(x)) {
		return r
	} else {
		return e * r
	}
}

// everyFew is float32 of all sizes from lo to hi: some 20,000, both ends too.
func everyFew(lo, hi float32) []float32 {
	v := []float32{lo, hi}
	for x := float32(0x1p-140); x < 1e38; x *= 1 + 0x1.35p-7 {
		for _, s := range []float32{x, -x} {
			if s > lo && s < hi {
				v = append(v, s)
			}
		}
	}
	const steps = 8_000
	lo, hi = max(lo, -110), min(hi, 110)
	for i := range steps {
		v = append(v, lo+(hi-lo)*float32(i)/steps)
	}
	return v
}

// ulps is |got-want| in units in the last place of want, of denormals at least.
func ulps(got float32, want float64) float64 {
	_, exponent := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(exponent-24, -149))
}

// Every function must be as close to float64 as its comment says.
func TestFunctionsAreAccurate(t *testing.T) {
	for _, c := range []struct {
		name   string
		lo, hi float32
		f      func(float32) float32
		want   func(float64) float64
		ulps   float64
	}{
		{"exp", -110, 0, twinExp, math.Exp, 1.1},
		{"log1p", 0, 1, twinLog1p, math.Log1p, 1.9},
		{"log", 0x1p-24, 1, twinLog, math.Log, 1.7},
		{"gelu", -13, 3e38, twinGELU, func(z float64) float64 { return z * normalCDF(z) }, 5.5},
		{"gelu's slope's tail", -13, -1, twinGELUSlope, geluSlope, 7},
		{"tanh", -3e38, 3e38, twinTanh, math.Tanh, 1.6},
		{"sigmoid", -3e38, 3e38, twinSigmoid, sigmoid, 2.2},
	} {
		worst, at := 0.0, float32(0)
		for _, x := range everyFew(c.lo, c.hi) {
			if e := ulps(c.f(x), c.want(float64(x))); !(e <= worst) {
				worst, at = e, x
			}
		}
		t.Logf("%s: at most %.2f units in the last place, at %v", c.name, worst, at)
		if !(worst <= c.ulps) || worst < c.ulps/2 {
			t.Errorf("%s is off by %.3f units in the last place at %v, said to be at most %v", c.name, worst, at, c.ulps)
		}
	}
}

// What is near zero, or a part of a whole, is as close as said in units of 2⁻²⁴.
func TestFunctionsAreAccurateAbsolutely(t *testing.T) {
	turns, slope := 0.0, 0.0
	for i := range 1 << 18 {
		x := float32(i<<6|i>>12) * 0x1p-24
		cos, sin := twinTurns(x)
		wantSin, wantCos := math.Sincos(2 * math.Pi * float64(x))
		turns = max(turns, math.Abs(float64(cos)-wantCos), math.Abs(float64(sin)-wantSin))
	}
	for _, x := range everyFew(-30, 30) {
		slope = max(slope, math.Abs(float64(twinGELUSlope(x))-geluSlope(float64(x))))
	}
	turns, slope = turns*(1<<24), slope*(1<<24)
	t.Logf("turns %.2f, slope of GELU %.2f", turns, slope)
	if !(turns <= 1.4) || !(slope <= 3.2) {
		t.Errorf("turns are off by %.2f·2⁻²⁴, the slope of GELU by %.2f·2⁻²⁴", turns, slope)
	}
}

// activationTwins are the assembly's functions beside their equals in Go.
var activationTwins = map[kernels.ActivationFunc]func(float32) float32{
	kernels.ReLU: func(z float32) float32 {
		if z < 0 {
			return 0
		}
		return z
	},
	kernels.LeakyReLU: func(z float32) float32 { return max(z, leak*z) },
	kernels.GELU:      twinGELU,
	kernels.Tanh:      twinTanh,
	kernels.Sigmoid:   twinSigmoid,
}

func checkActivation(t testing.TB, l level, f kernels.ActivationFunc, z []float32) {
	t.Helper()
	what := fmt.Sprintf("%v activation %d of %d", l, f, len(z))
	y, kept := newFenced(len(z)), fencedCopy(z)
	want := make([]float32, len(z))
	for i, v := range z {
		want[i] = activationTwins[f](v)
	}
	ok := l.activate(f, y.v, kept.v)
	sameBits(t, what, y.v, want)
	if ok != allFinite(want) {
		t.Fatalf("%s: finite is %v, want %v", what, ok, !ok)
	}
	y.check(t, what)
	sameBits(t, what+": z afterwards", kept.v, z)
	l.activate(f, kept.v, kept.v)
	sameBits(t, what+" in place", kept.v, want)
}

func checkActivationGrad(t testing.TB, l level, f kernels.ActivationFunc, dy, yz []float32) {
	t.Helper()
	what := fmt.Sprintf("%v gradient of activation %d of %d", l, f, len(dy))
	got, kept, want := fencedCopy(dy), fencedCopy(yz), append([]float32(nil), dy...)
	if f == kernels.GELU {
		for i := range want {
			want[i] *= twinGELUSlope(yz[i])
		}
	} else {
		plainActivationGrad(f, want, yz, 0.75)
	}
	ok := l.activationGrad(f, got.v, kept.v, 0.75)
	sameBits(t, what, got.v, want)
	if ok != allFinite(want) {
		t.Fatalf("%s: finite is %v, want %v", what, ok, !ok)
	}
	got.check(t, what)
	sameBits(t, what+": y afterwards", kept.v, yz)
}

func TestActivationsEqualTwins(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	special := everyFew(-3e38, 3e38)
	for _, l := range vectorLevels(t) {
		for f := range activationTwins {
			checkActivation(t, l, f, special)
			if f != kernels.ReLU {
				checkActivationGrad(t, l, f, special, special)
			}
			for _, n := range runLengths {
				var z, dy []float32
				for range n {
					z, dy = append(z, 3*hard(rng)), append(dy, hard(rng))
				}
				if n%2 == 0 {
					z[rng.IntN(n)] = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}[n/2%3]
				}
				checkActivation(t, l, f, z)
				if f != kernels.ReLU {
					checkActivationGrad(t, l, f, dy, z)
				}
			}
		}
	}
}

func FuzzActivations(f *testing.F) {
	f.Add(uint8(3), uint8(17), []byte{0, 0, 128, 63, 0, 0, 0, 192})
	f.Add(uint8(4), uint8(31), []byte{0, 0, 192, 127, 1, 0, 0, 0, 0, 0, 128, 255, 9})
	f.Fuzz(func(t *testing.T, which, n uint8, data []byte) {
		function := kernels.ReLU + kernels.ActivationFunc(which%5)
		next := numbers(data)
		z, dy := next(int(n)+1), next(int(n)+1)
		for _, l := range vectorLevels(t) {
			checkActivation(t, l, function, z)
			if function != kernels.ReLU {
				checkActivationGrad(t, l, function, dy, z)
			}
		}
	})
}
