package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// slowNearest is the distance from a row to the k-th nearest of distinct rows.
func slowNearest(d Data, distinct []int32, row []float32, k int) float64 {
	var all []float64
	for _, i := range distinct {
		all = append(all, distance2(row, d.X[int(i)*d.Cols:][:d.Cols], math.Inf(1)))
	}
	slices.Sort(all)
	return math.Sqrt(all[k-1])
}

func TestNearestEqualsTheSlowLoop(t *testing.T) {
	for _, wild := range []bool{false, true} {
		for _, cols := range []int{1, 15, 16, 78} {
			for _, rows := range []int{3, 129, 400} {
				r := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
				train, test := awkwardRows(r, rows, cols, wild), awkwardRows(r, 40, cols, wild)
				for j := range cols { // far beyond all others, and equal to one
					test.X[j], test.X[cols+j] = 1e30, train.X[j]
				}
				distinct := distinctRows(train.X, cols).first
				for _, k := range []int{1, len(distinct)/2 + 1} {
					n := NewNearest(NearestOptions{K: k})
					if err := n.Fit(t.Context(), train); err != nil {
						t.Fatal(err)
					}
					scores := make([]float64, test.Rows)
					if err := n.Score(test.X, scores); err != nil {
						t.Fatal(err)
					}
					for i, s := range scores {
						if want := slowNearest(train, distinct, test.X[i*cols:][:cols], k); s != want {
							t.Fatalf("%d rows of %d columns, wild %v, k %d: row %d scores %v, want %v", rows, cols, wild, k, i, s, want)
						}
					}
				}
			}
		}
	}
}

func TestResidualByHand(t *testing.T) {
	// Nearest others: 0→1, 1→0, 2→1; differences 1, 1, 2 and 0, 0, 4.
	d := Data{X: []float32{0, 0, 1, 0, 3, 4}, Rows: 3, Cols: 2}
	n := NewNearest(NearestOptions{Score: Residual})
	if err := n.Fit(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	score := make([]float64, 1)
	if err := n.Score([]float32{3, 5}, score); err != nil {
		t.Fatal(err)
	}
	l := math.Log1p(1 / 0.001)
	if want := l * l / 2; score[0] != want {
		t.Errorf("score %v, want %v", score[0], want)
	}
}

func TestNearestRefuses(t *testing.T) {
	d := Data{X: []float32{0, 1, 0, 1, 2, 2}, Rows: 6, Cols: 1}
	for _, c := range []struct {
		o    NearestOptions
		want string
	}{
		{NearestOptions{K: -1}, "k is -1: write 1 or more"},
		{NearestOptions{K: 4}, "k is 4, but only 3 of 6 rows are distinct"},
		{NearestOptions{K: 3, Score: Residual}, "k is 3, but only 3 of 6 rows are distinct, and none is its own neighbour"},
		{NearestOptions{Score: "angle"}, `score "angle" is neither distance nor residual`},
		{NearestOptions{free: func() (int64, bool) { return 5, true }}, "are free"},
	} {
		if err := NewNearest(c.o).Fit(t.Context(), d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.o, err, c.want)
		}
	}
}

// TestSketchesAreNeverFartherApart is what everything hangs on.
func TestSketchesAreNeverFartherApart(t *testing.T) {
	for _, cols := range []int{1, 2, 15, 16, 17, 78} {
		for _, wild := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d columns, wild %v", cols, wild), func(t *testing.T) {
				d := awkwardRows(rand.New(rand.NewPCG(7, uint64(cols))), 200, cols, wild)
				s := newSketcher(d.X, cols)
				sketch, centred := make([]float32, d.Rows*s.depth), make([]float64, cols)
				for i := range d.Rows {
					s.sketch(sketch[i*s.depth:][:s.depth], d.X[i*cols:][:cols], centred)
				}
				for i := range d.Rows {
					for j := range i {
						apart, lengths := 0.0, 0.0
						for k := range s.depth {
							a, b := float64(sketch[i*s.depth+k]), float64(sketch[j*s.depth+k])
							apart += (a - b) * (a - b)
							lengths += a*a + b*b
						}
						limit := float64(s.bound(distance2(d.X[i*cols:][:cols], d.X[j*cols:][:cols], math.Inf(1)))) + s.slack()/4*lengths
						if !(apart <= limit) {
							t.Fatalf("sketches %d and %d are %v apart, at most %v", i, j, apart, limit)
						}
					}
				}
			})
		}
	}
}

func TestArrangeKeepsEveryRow(t *testing.T) {
	for _, rows := range []int{1, 127, 128, 129, 1000, 5000} {
		for _, levels := range []int{1, 3, 1 << 20} {
			r := rand.New(rand.NewPCG(uint64(rows), uint64(levels)))
			sketch := make([]float32, rows*3)
			for i := range sketch {
				sketch[i] = float32(r.IntN(levels))
			}
			places, err := arrange(t.Context(), sketch, 3)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(places)
			for i, p := range places {
				if int(p) != i {
					t.Fatalf("%d rows of %d levels: place %d has row %d", rows, levels, i, p)
				}
			}
		}
	}
}

func TestDistinctRows(t *testing.T) {
	zero := float32(math.Copysign(0, -1))
	d := distinctRows([]float32{1, 2, 0, 3, 1, 2, zero, 3, 2, 1}, 2)
	if !slices.Equal(d.first, []int32{0, 1, 4}) || !slices.Equal(d.weight, []int32{2, 2, 1}) || !slices.Equal(d.of, []int32{0, 1, 0, 1, 2}) {
		t.Errorf("%+v", d)
	}
}

func TestFreeMemory(t *testing.T) {
	if free, known := freeMemory(); known && free < 1<<20 {
		t.Errorf("%d bytes are free", free)
	}
}

// TestGapsAreThoseOfBoxes compares with the nearest points of boxes in float64.
func TestGapsAreThoseOfBoxes(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for depth := 1; depth <= sketchDepth; depth++ {
		for range 200 {
			row, a, b := make([]float32, depth), make([]side, depth), make([]side, depth)
			var toRow, toBox float64
			for k := range depth {
				row[k] = float32(r.NormFloat64() * 2)
				for _, box := range [][]side{a, b} {
					at := float32(r.NormFloat64() * 2)
					box[k] = side{at, at + float32(r.ExpFloat64())}
				}
				d := max(float64(a[k].lo)-float64(row[k]), float64(row[k])-float64(a[k].hi), 0)
				e := max(float64(a[k].lo)-float64(b[k].hi), float64(b[k].lo)-float64(a[k].hi), 0)
				toRow += d * d
				toBox += e * e
			}
			none := float32(math.Inf(1))
			if got := float64(rowGap(row, a, none)); !(math.Abs(got-toRow) <= 1e-5*toRow) {
				t.Fatalf("depth %d: gap of a row is %v, want %v", depth, got, toRow)
			}
			if got := float64(boxGap(a, b, none)); !(math.Abs(got-toBox) <= 1e-5*toBox) {
				t.Fatalf("depth %d: gap of boxes is %v, want %v", depth, got, toBox)
			}
			if limit := float32(toRow / 2); toRow > 0 && !(rowGap(row, a, limit) > limit) {
				t.Fatalf("depth %d: a gap of %v is not above %v", depth, toRow, limit)
			}
		}
	}
}
