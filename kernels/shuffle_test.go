package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func shuffled(n int, seed uint64, stream uint32, counter uint64) []int32 {
	s := NewShuffle(n, seed, stream, counter)
	dst := make([]int32, n)
	s.Fill(dst, 0)
	return dst
}

func TestShuffleIsAPermutation(t *testing.T) {
	for _, n := range []int{1, 2, 3, 19, 63, 64, 65, 99, 111, 127, 128, 129, 989, 1<<16 - 1, 1 << 16, 1<<16 + 1} {
		p := shuffled(n, 7, 1, 2)
		for i, v := range slices.Sorted(slices.Values(p)) {
			if int(v) != i {
				t.Fatalf("n=%d: sorted place %d holds %d", n, i, v)
			}
		}
		for name, other := range map[string][]int32{
			"seed": shuffled(n, 8, 1, 2), "stream": shuffled(n, 7, 2, 2), "counter": shuffled(n, 7, 1, 3),
		} {
			if n > 63 && slices.Equal(p, other) {
				t.Errorf("n=%d: another %s gives the same order", n, name)
			}
		}
	}
	s := NewShuffle(1<<31-1, 1, 2, 3)
	for _, place := range []int32{0, 1, 1<<31 - 2} {
		if v := s.At(place); v < 0 {
			t.Errorf("place %d of the longest list holds %d", place, v)
		}
	}
}

func TestShuffleOfNothingPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a shuffle of no places was made")
		}
	}()
	NewShuffle(0, 1, 2, 3)
}

// orders makes permutations of n, one a counter.
type orders func(n int, counter uint64) []int32

// statistics are sums that a fair shuffle leaves near nought, each in standard
// deviations of chi-square's normal approximation.
var statistics = map[string]func(orders) float64{
	"orders of four": func(o orders) float64 {
		count := map[[4]int32]int{}
		for c := range uint64(24000) {
			count[[4]int32(o(4, c))]++
		}
		cells := make([]int, 24)
		for _, n := range count {
			cells = append(cells[1:], n)
		}
		return evenness(cells)
	},
	"places of sixteen": func(o orders) float64 {
		cells := make([]int, 256)
		for c := range uint64(20000) {
			for i, v := range o(16, c) {
				cells[i*16+int(v)]++
			}
		}
		// Every row and column of the table has its sum: 15² free cells.
		return (chiSquare(cells) - 225) / math.Sqrt(450)
	},
	"neighbours of forty": func(o orders) float64 {
		cells := make([]int, 1600)
		for c := range uint64(20000) {
			p := o(40, c)
			for i := range p[1:] {
				cells[int(p[i])*40+int(p[i+1])]++
			}
		}
		return evenness(slices.DeleteFunc(cells, func(n int) bool { return n == 0 })) // 40 cannot be: a row beside itself
	},
	"distances in a hundred": func(o orders) float64 {
		cells := make([]int, 100)
		for c := range uint64(20000) {
			p := o(100, c)
			for i := range p[1:] {
				cells[(p[i+1]-p[i]+100)%100]++
			}
		}
		return evenness(cells[1:])
	},
	"triples in ten thousand": func(o orders) float64 {
		cells := make([]int, 4096)
		for c := range uint64(50) {
			p := o(10007, c)
			sixteenth := func(i int) int { return int(p[i]) * 16 / len(p) }
			for i := 0; i+2 < len(p); i += 3 {
				cells[sixteenth(i)<<8|sixteenth(i+1)<<4|sixteenth(i+2)]++
			}
		}
		return evenness(cells)
	},
}

func chiSquare(cells []int) float64 {
	total, sum := 0, 0.0
	for _, n := range cells {
		total += n
	}
	want := float64(total) / float64(len(cells))
	for _, n := range cells {
		sum += (float64(n) - want) * (float64(n) - want) / want
	}
	return sum
}

func evenness(cells []int) float64 {
	free := float64(len(cells) - 1)
	return (chiSquare(cells) - free) / math.Sqrt(2*free)
}

// The statistics must find no fault with the shuffle that they do not find with
// Fisher and Yates', and must find the networks of four rounds at fault. Five
// standard deviations come once in a million by chance, and all is seeded.
func TestShuffleLooksLikeFisherAndYates(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, statistic := range statistics {
		fair := statistic(func(n int, _ uint64) []int32 {
			p := make([]int32, n)
			for i, v := range rng.Perm(n) {
				p[i] = int32(v)
			}
			return p
		})
		got := statistic(func(n int, counter uint64) []int32 { return shuffled(n, 11, 12, counter) })
		short := statistic(func(n int, counter uint64) []int32 { return fourRounds(n, counter) })
		t.Logf("%s: %.1f, Fisher and Yates %.1f, four rounds %.1f", name, got, fair, short)
		if !(math.Abs(got) < 5) || !(math.Abs(fair) < 5) {
			t.Errorf("%s: %.1f standard deviations from even; Fisher and Yates %.1f", name, got, fair)
		}
		if name != "triples in ten thousand" && !(short > 5) {
			t.Errorf("%s: four rounds pass with %.1f: the statistic sees nothing", name, short)
		}
	}
}

// fourRounds is Shuffle with half of its rounds.
func fourRounds(n int, counter uint64) []int32 {
	s := NewShuffle(n, 11, 12, counter)
	p := make([]int32, n)
	for i := range p {
		at := uint32(i)
		for again := true; again; again = at >= s.n {
			l, r := at>>s.low, at&s.right
			for k := 0; k < 4; k += 2 {
				l ^= shuffleMix(r^s.keys[k]) & s.left
				r ^= shuffleMix(l^s.keys[k+1]) & s.right
			}
			at = l<<s.low | r
		}
		p[i] = int32(at)
	}
	return p
}

// One place after the other is the slow truth of Fill.
func TestShuffleFillEqualsAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(1, 2000), rapid.IntRange(1, 1<<31-1)).Draw(t, "n")
		s := NewShuffle(n, rapid.Uint64().Draw(t, "seed"), 1, 2)
		first := rapid.IntRange(0, n-1).Draw(t, "first")
		dst := make([]int32, rapid.IntRange(0, min(n-first, 1000)).Draw(t, "places"))
		s.Fill(dst, first)
		for i, v := range dst {
			if want := s.At(int32(first + i)); v != want {
				t.Fatalf("place %d holds %d, want %d", first+i, v, want)
			}
		}
	})
}

// BenchmarkShuffle is an epoch of the reference's training flows.
func BenchmarkShuffle(b *testing.B) {
	dst := make([]int32, 818484)
	s := NewShuffle(len(dst), 1, 2, 3)
	b.Run("at", func(b *testing.B) {
		for b.Loop() {
			for i := range dst {
				dst[i] = s.At(int32(i))
			}
		}
		perRow(b, len(dst))
	})
	b.Run("fill", func(b *testing.B) {
		for b.Loop() {
			s.Fill(dst, 0)
		}
		perRow(b, len(dst))
	})
}

func perRow(b *testing.B, rows int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
}
