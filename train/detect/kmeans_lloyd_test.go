package detect

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// blobs are rows about some centres in a space of few dimensions, with repeats.
func blobs(rows, cols, centres int, spread float64, seed uint64) Data {
	r := rand.New(rand.NewPCG(seed, 1))
	at := make([]float64, centres*cols)
	for i := range at {
		at[i] = 4 * r.NormFloat64()
	}
	d := Data{Rows: rows, Cols: cols, X: make([]float32, 0, rows*cols)}
	for i := range rows {
		if i > 0 && r.IntN(8) == 0 {
			from := r.IntN(i)
			d.X = append(d.X, d.X[from*cols:(from+1)*cols]...)
			continue
		}
		c := r.IntN(centres)
		for j := range cols {
			d.X = append(d.X, float32(at[c*cols+j]+spread*r.NormFloat64()))
		}
	}
	return d
}

// With bounds and without, every step gives the same labels and the same centres
// to the bit.
func TestBoundsChangeNothing(t *testing.T) {
	for _, c := range []struct {
		rows, cols, blobs, k int
		spread               float64
	}{{5000, 6, 5, 4, 1}, {3000, 20, 10, 30, 0.3}, {6000, 3, 40, 200, 0.5}, {4000, 11, 30, 321, 1}, {2500, 2, 3, 64, 2}, {2500, 2, 3, 65, 2}} {
		data := blobs(c.rows, c.cols, c.blobs, c.spread, uint64(c.k))
		p, err := newPoints(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		o := KMeansOptions{Clusters: c.k, Iterations: 1}
		start, err := o.start(t.Context(), p, rand.New(rand.NewPCG(1, 2)), nil)
		if err != nil {
			t.Fatal(err)
		}
		quick, slow := newLloyd(p, newCentres(slices.Clone(start), p.cols)), newLloyd(p, newCentres(slices.Clone(start), p.cols))
		slow.everything = true
		skipped := 0
		for step := range 12 {
			for _, l := range []*lloyd{quick, slow} {
				if _, err := l.assign(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(quick.label, slow.label) || !slices.Equal(quick.tally.sum, slow.tally.sum) {
				t.Fatalf("k=%d: step %d differs", c.k, step)
			}
			checkTally(t, quick)
			quick.update()
			slow.update()
			if !slices.Equal(quick.at, slow.at) {
				t.Fatalf("k=%d: centres of step %d differ", c.k, step)
			}
			for i := range p.rows {
				if quick.decided(i) {
					skipped++
				}
			}
		}
		if skipped == 0 {
			t.Errorf("k=%d: the bounds never decide", c.k)
		}
	}
}

// checkTally counts and sums the clusters anew.
func checkTally(t *testing.T, l *lloyd) {
	t.Helper()
	fresh := newTally(l.tally.exact, l.k)
	buffer := make([]float32, l.cols)
	for i, c := range l.label {
		fresh.add(l.block(buffer, i, 1), c)
	}
	if !slices.Equal(fresh.sum, l.tally.sum) || !slices.Equal(fresh.count, l.tally.count) {
		t.Fatal("the tally is not that of the labels")
	}
}

// A centre where no row is nearest gets the farthest row.
func TestEmptyClustersAreRepaired(t *testing.T) {
	data := Data{Rows: 5, Cols: 1, X: []float32{0, 1, 2, 3, 50}}
	p, err := newPoints(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	at := []float32{1, 1000, 2000}
	for i := range at {
		if p.pivot != nil {
			at[i] -= p.pivot[0]
		}
	}
	l := newLloyd(p, newCentres(at, 1))
	for range 4 {
		if _, err := l.assign(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.update()
		checkTally(t, l)
	}
	for c, n := range l.tally.count {
		if n == 0 {
			t.Errorf("cluster %d is empty", c)
		}
	}
	if !(l.inertia() < 3) {
		t.Errorf("inertia %v", l.inertia())
	}
}

func TestGoldenKMeans(t *testing.T) {
	eachClassic(t, func(t *testing.T, c classicCase) {
		data, want := c.data(t), c.KMeans
		p, err := newPoints(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		rows := make([]int32, len(want.Start))
		for i, r := range want.Start {
			rows[i] = int32(r)
		}
		start := p.gather(make([]float32, len(rows)*p.cols), rows)
		o := KMeansOptions{Clusters: len(rows), Iterations: 300}
		f := &kmeansFit{options: o, points: p, moving: newLloyd(p, newCentres(start, p.cols))}
		l, err := f.run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		k := NewKMeans(o)
		if err := k.take(l, data); err != nil {
			t.Fatal(err)
		}
		wantClose(t, "inertia", k.Figures()["inertia"]/want.Inertia, 1, 1e-5)
		if !slices.Equal(l.label[:len(want.Labels)], want.Labels) {
			t.Error("the labels differ")
		}
		scores := make([]float64, len(want.Distance))
		if err := k.Score(data.X[:len(scores)*c.Cols], scores); err != nil {
			t.Fatal(err)
		}
		for i, v := range want.Distance {
			wantClose(t, "distance", scores[i], v, 1e-4)
		}
	})
}

// k-means++ on one blob for each centre finds them all; so does k-means‖.
func TestStartsFindTheBlobs(t *testing.T) {
	data := blobs(4000, 8, 24, 0.01, 5)
	p, err := newPoints(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	for _, start := range []string{PlusPlus, Scalable} {
		o := KMeansOptions{Clusters: 24, Start: start, Iterations: 1}
		at, err := o.start(t.Context(), p, rand.New(rand.NewPCG(3, 4)), nil)
		if err != nil {
			t.Fatal(err)
		}
		l := newLloyd(p, newCentres(at, p.cols))
		if _, err := l.assign(t.Context()); err != nil {
			t.Fatal(err)
		}
		if worst := slices.Max(l.distances()); !(worst < 1) {
			t.Errorf("%s: a row is %v off its centre", start, math.Sqrt(worst))
		}
	}
}
