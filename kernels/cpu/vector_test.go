package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// runLengths are those of element-wise routines: every register ±1.
var runLengths = []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 19, 31, 32, 33, 47, 48, 49, 63, 64, 65, 99, 111, 128}

// elementCase is a routine on runs of elements: writes are what it may change.
type elementCase struct {
	name   string
	writes int // of the runs; the others must stay as they are
	runs   int
	run    func(l level, v [][]float32) bool // whether what it writes is finite
}

var elementCases = []elementCase{
	{"add", 1, 2, func(l level, v [][]float32) bool {
		l.add(v[0], v[1])
		return true
	}},
	{"scale", 1, 1, func(l level, v [][]float32) bool {
		l.scale(v[0], 1.1)
		return true
	}},
	{"reluGrad", 1, 2, func(l level, v [][]float32) bool { return l.reluGrad(v[0], v[1], 1.25) }},
	{"adam", 3, 4, func(l level, v [][]float32) bool { return someAdam().adam(l, v[0], v[3], v[1], v[2], 0.01) }},
	{"momentum", 2, 3, func(l level, v [][]float32) bool { return l.momentum(v[0], v[2], v[1], 0.9, 0.1, 0.01) }},
	{"descend", 1, 2, func(l level, v [][]float32) bool { return l.descend(v[0], v[1], 0.1, 0.01) }},
}

func someAdam() *update {
	u := &update{rate: 0.1, correction: 1.5}
	u.Beta1, u.Beta2, u.Epsilon = 0.9, 0.999, 1e-8
	return u
}

// check runs the case at every level on the same runs.
func (c elementCase) check(t testing.TB, l level, runs [][]float32) {
	t.Helper()
	what := fmt.Sprintf("%v %s of %d", l, c.name, len(runs[0]))
	want, got := make([][]float32, len(runs)), make([][]float32, len(runs))
	fences := make([]fenced, len(runs))
	for i, v := range runs {
		want[i] = append([]float32(nil), v...)
		fences[i] = fencedCopy(v)
		got[i] = fences[i].v
	}
	wantOK, ok := c.run(plain, want), c.run(l, got)
	if ok != wantOK {
		t.Fatalf("%s: finite is %v, want %v", what, ok, wantOK)
	}
	for i := range runs {
		if i >= c.writes {
			sameBits(t, what+": an input afterwards", want[i], runs[i])
		}
		sameBits(t, what, got[i], want[i])
		fences[i].check(t, what)
	}
}

func TestElementsEqualPlainLoops(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, l := range vectorLevels(t) {
		for _, c := range elementCases {
			for _, n := range runLengths {
				runs := make([][]float32, c.runs)
				for i := range runs {
					for range n {
						runs[i] = append(runs[i], hard(rng))
					}
				}
				c.check(t, l, runs)
				for i := range runs {
					runs[i][rng.IntN(n)] = []float32{float32(math.NaN()), float32(math.Inf(1))}[n%2]
					c.check(t, l, runs)
				}
			}
		}
	}
}

func FuzzElements(f *testing.F) {
	f.Add(uint8(0), uint8(17), []byte{0, 0, 128, 63, 0, 0, 0, 64})
	f.Add(uint8(2), uint8(31), []byte{0, 0, 192, 127, 1, 0, 0, 0, 0, 0, 128, 255, 9})
	f.Fuzz(func(t *testing.T, which, n uint8, data []byte) {
		c := elementCases[int(which)%len(elementCases)]
		next := numbers(data)
		runs := make([][]float32, c.runs)
		for i := range runs {
			runs[i] = next(int(n) + 1)
		}
		for _, l := range vectorLevels(t) {
			c.check(t, l, runs)
		}
		v := next(int(n))
		for l := plain; l <= highest(); l++ {
			if got, want := l.finite(v), allFinite(v); got != want {
				t.Fatalf("%v: finite says %v of %v", l, got, v)
			}
		}
	})
}

func allFinite(v []float32) bool {
	for _, x := range v {
		if x-x != 0 {
			return false
		}
	}
	return true
}

// finite must see a NaN or an infinity at every place of every length, and none
// where the values are merely large.
func TestFinite(t *testing.T) {
	for l := plain; l <= highest(); l++ {
		for _, n := range append([]int{0}, runLengths...) {
			room := newFenced(n) // NaN before and behind
			for i := range room.v {
				room.v[i] = []float32{math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, 0}[i%4]
			}
			if !l.finite(room.v) {
				t.Errorf("%v: %d finite values taken for others", l, n)
			}
			for i, kept := range room.v {
				for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
					if room.v[i] = bad; l.finite(room.v) {
						t.Errorf("%v: %v at %d of %d taken for finite", l, bad, i, n)
					}
				}
				room.v[i] = kept
			}
		}
	}
}

// prefetch has nothing to show; it must not fault at the ends of a table.
func TestPrefetch(t *testing.T) {
	for l := plain; l <= highest(); l++ {
		for _, cols := range []int{1, 15, 16, 17, 78} {
			x := make([]float32, 5*cols)
			l.prefetch(x, []int32{0, 4, 2}, cols)
			l.prefetch(x, nil, cols)
		}
	}
}
