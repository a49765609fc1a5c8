package kernels

import (
	"math"
	"testing"
)

// The known answers are those of Random123 1.14.0, tests/kat_vectors, rows "philox4x32 10".
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{want: [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{
			counter: [4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
			key:     [2]uint32{0xffffffff, 0xffffffff},
			want:    [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		},
		{
			counter: [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			key:     [2]uint32{0xa4093822, 0x299f31d0},
			want:    [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		if got := Philox(c.counter, c.key); got != c.want {
			t.Errorf("Philox(%08x, %08x) = %08x, want %08x", c.counter, c.key, got, c.want)
		}
	}
}

// A second backend must be able to reproduce the draws, so their values are
// fixed here; the normals and the shuffle were computed by another program as well.
func TestDrawsAreFixed(t *testing.T) {
	const seed, step, stream = 0x0123456789abcdef, 77, 5
	var kept uint32
	for e := range uint64(32) {
		if Keep(seed, step, stream, e, 0.5) {
			kept |= 1 << e
		}
	}
	order := [8]int32(shuffled(8, seed, stream, 3))
	if kept != 0xecee4757 {
		t.Errorf("Keep of elements 0 to 31 is %#x", kept)
	}
	if want := [8]int32{3, 0, 6, 2, 5, 7, 1, 4}; order != want {
		t.Errorf("Shuffle is %v, want %v", order, want)
	}
	for e, want := range []float64{2.3420876, -0.4248378, -0.8127064, -0.4933204} {
		if x := Normal(seed, step, stream, 4+uint64(e)); !(math.Abs(float64(x)-want) < 1e-6) {
			t.Errorf("Normal of element %d is %v", 4+e, x)
		}
	}
	if u := Uniform(seed, stream, 1<<40+3); u != 0x1.19a49ep-1 {
		t.Errorf("Uniform is %x", u)
	}
}

func TestKeep(t *testing.T) {
	const n = 1 << 16
	for _, rate := range []float32{0, 0.1, 0.5, 0.9} {
		dropped := 0
		for e := range uint64(n) {
			if !Keep(1, 2, 3, e, rate) {
				dropped++
			}
		}
		want := float64(rate) * n
		if limit := 5 * math.Sqrt(want*(1-float64(rate))); !(math.Abs(float64(dropped)-want) <= limit) {
			t.Errorf("rate %v dropped %d of %d, want %.0f ± %.0f", rate, dropped, n, want, limit)
		}
	}
	if Keep(1, 2, 3, 4, 1) {
		t.Error("rate 1 kept an element")
	}
}

func TestUniformMoments(t *testing.T) {
	const n = 1 << 16
	var mean, square float64
	for e := range uint64(n) {
		u := Uniform(9, 8, e)
		if !(u >= 0 && u < 1) {
			t.Fatalf("element %d is %v, outside [0, 1)", e, u)
		}
		mean += float64(u) / n
		square += float64(u) * float64(u) / n
	}
	if !(math.Abs(mean-0.5) < 0.006) || !(math.Abs(square-1.0/3) < 0.006) {
		t.Errorf("mean %v, mean square %v; want 1/2 and 1/3", mean, square)
	}
}

func TestNormalMoments(t *testing.T) {
	const n = 1 << 16
	var m [5]float64
	for e := range uint64(n) {
		x, power := float64(Normal(4, 5, 6, e)), 1.0
		for k := range m {
			m[k] += power / n
			power *= x
		}
	}
	// Five standard errors of each moment: √(Var(xᵏ)/n).
	for k, want := range []float64{1, 0, 1, 0, 3} {
		limit := 5 * math.Sqrt([]float64{0, 1, 2, 15, 96}[k]/n)
		if !(math.Abs(m[k]-want) <= limit) {
			t.Errorf("moment %d is %v, want %v ± %v", k, m[k], want, limit)
		}
	}
}

// Draws that differ in one argument only, or in kind only, must not move together.
func TestStreamsAreApart(t *testing.T) {
	const n = 1 << 14
	base := func(e uint64) float64 { return float64(Normal(1, 1, 1, e)) }
	for name, other := range map[string]func(uint64) float64{
		"seed":      func(e uint64) float64 { return float64(Normal(2, 1, 1, e)) },
		"seed high": func(e uint64) float64 { return float64(Normal(1+1<<32, 1, 1, e)) },
		"step":      func(e uint64) float64 { return float64(Normal(1, 2, 1, e)) },
		"step high": func(e uint64) float64 { return float64(Normal(1, 1+1<<32, 1, e)) },
		"stream":    func(e uint64) float64 { return float64(Normal(1, 1, 2, e)) },
		"element":   func(e uint64) float64 { return float64(Normal(1, 1, 1, e+1)) },
		"uniform":   func(e uint64) float64 { return (float64(Uniform(1, 1, e)) - 0.5) * math.Sqrt(12) },
		"keep": func(e uint64) float64 {
			if Keep(1, 1, 1, e, 0.5) {
				return 1
			}
			return -1
		},
	} {
		var correlation float64
		for e := range uint64(n) {
			correlation += base(e) * other(e) / n
		}
		if limit := 5 / math.Sqrt(n); !(math.Abs(correlation) <= limit) {
			t.Errorf("%s: correlation %v above %v", name, correlation, limit)
		}
	}
}

func BenchmarkKeepBlock(b *testing.B) {
	for i := range b.N {
		KeepBlock(1, 2, 3, uint64(i), 0.1)
	}
}
