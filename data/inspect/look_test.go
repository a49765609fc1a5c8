package inspect

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// drifting is two files of three columns: the second column copies the first with
// noise, the third drifts in the second file. Every seventh row is an attack.
func drifting(rows int) Flows {
	random := rand.New(rand.NewPCG(5, 0))
	f := Flows{
		Columns: []string{"a", "b", "c"}, LabelNames: []string{"BENIGN", "Bot"},
		FileNames: []string{"monday", "tuesday"}, Files: make([]int32, rows), Labels: make([]int32, rows),
	}
	for i := range rows {
		f.Files[i] = int32(i * 2 / rows)
		if i%7 == 0 {
			f.Labels[i] = 1
		}
		a := float32(random.NormFloat64())
		f.Features = append(f.Features, a, a+0.01*float32(random.NormFloat64()), float32(random.NormFloat64())+3*float32(f.Files[i]))
	}
	f.Features[3] = nan
	return f
}

func explore(t *testing.T, f Flows, o LookOptions) *Look {
	t.Helper()
	l, err := Explore(context.Background(), f, describe(t, f, Options{}), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestDistributionsCountEveryCell(t *testing.T) {
	f := drifting(700)
	for c, d := range explore(t, f, LookOptions{Bins: 10}).Distributions {
		want := 700
		if c == 0 {
			want-- // the missing one
		}
		got := 0
		for _, h := range d.Labels {
			in := 0
			for _, n := range h.Bins {
				in += n
			}
			if in != h.Cells {
				t.Errorf("%s, %s: bins hold %d of %d cells", d.Column, h.Label, in, h.Cells)
			}
			got += in
		}
		if got != want || len(d.Edges) != 11 {
			t.Errorf("%s: %d cells in %d edges, want %d", d.Column, got, len(d.Edges), want)
		}
	}
}

func TestPlaceAndValueAreInverse(t *testing.T) {
	for _, x := range []float64{-1e9, -1, -1e-3, 0, 1e-3, 1, 9, 1e9} {
		if got := Value(Place(x)); !(math.Abs(got-x) <= 1e-9*math.Max(1, math.Abs(x))) {
			t.Errorf("%v comes back as %v", x, got)
		}
	}
	if Place(9) != 1 || Place(-99) != -2 {
		t.Errorf("9 lies at %v, -99 at %v", Place(9), Place(-99))
	}
}

func TestSampleIsSeededAndKeepsAllAttacks(t *testing.T) {
	f := drifting(700)
	o := LookOptions{ScatterBenign: 50, ScatterAttack: 200, Seed: 1}
	a, b := explore(t, f, o).Scatter, explore(t, f, o).Scatter
	if diff := cmp.Diff(a.Rows, b.Rows); diff != "" {
		t.Errorf("two samples of one seed differ:\n%s", diff)
	}
	if a.Taken[0] != 50 || a.Taken[1] != 100 || a.Of[0] != 600 || a.Of[1] != 100 {
		t.Errorf("taken %v of %v, want 50 benign of 600 and all 100 attacks", a.Taken, a.Of)
	}
	o.Seed = 2
	if c := explore(t, f, o).Scatter; slices.Equal(a.Rows, c.Rows) {
		t.Error("another seed samples the same rows")
	}
	for i, row := range a.Rows {
		if f.Labels[row] != a.Labels[i] || len(a.Values[i]) != len(a.Columns) {
			t.Fatalf("row %d: label %d, %d cells", row, a.Labels[i], len(a.Values[i]))
		}
	}
}

func TestClustersHoldWhatMovesTogether(t *testing.T) {
	c := explore(t, drifting(700), LookOptions{}).Correlation
	number := map[string]int{}
	for i, name := range c.Columns {
		number[name] = c.Clusters[i]
		if c.Spearman[i][i] != 1 {
			t.Errorf("%s correlates with itself by %v", name, c.Spearman[i][i])
		}
	}
	if number["a"] != number["b"] || number["a"] == number["c"] {
		t.Errorf("clusters %v: a and b are almost equal, c is apart", number)
	}
}

// TestLinkageEqualsTheSlowOne joins by the definition: the mean of |r| over all
// pairs of leaves, computed anew for every pair of branches.
func TestLinkageEqualsTheSlowOne(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		n := 2 + random.IntN(12)
		r := make([][]float64, n)
		for a := range r {
			r[a] = make([]float64, n)
			r[a][a] = 1
			for b := range a {
				r[a][b] = 2*random.Float64() - 1
				r[b][a] = r[a][b]
			}
		}
		for _, cut := range []float64{0, 0.4, 0.7, 2} {
			order, clusters := linkage(r, cut)
			sorted := slices.Clone(order)
			slices.Sort(sorted)
			for i, leaf := range sorted {
				if i != leaf {
					t.Fatalf("seed %d: %v is no order of %d leaves", seed, order, n)
				}
			}
			if want := slowClusters(r, cut); !sameSets(clusters, want) {
				t.Errorf("seed %d, cut %v: clusters %v, want the sets of %v", seed, cut, clusters, want)
			}
			for i := 1; i < n; i++ {
				if d := clusters[order[i]] - clusters[order[i-1]]; d != 0 && d != 1 {
					t.Errorf("seed %d, cut %v: clusters %v do not lie side by side in %v", seed, cut, clusters, order)
				}
			}
		}
	}
}

// slowClusters joins while the best mean is at least cut.
func slowClusters(r [][]float64, cut float64) []int {
	var sets [][]int
	for a := range r {
		sets = append(sets, []int{a})
	}
	for {
		best, at := cut, [2]int{-1, -1}
		for i := range sets {
			for j := i + 1; j < len(sets); j++ {
				sum := 0.0
				for _, a := range sets[i] {
					for _, b := range sets[j] {
						sum += math.Abs(r[a][b])
					}
				}
				if mean := sum / float64(len(sets[i])*len(sets[j])); mean >= best {
					best, at = mean, [2]int{i, j}
				}
			}
		}
		if at[0] < 0 {
			break
		}
		sets[at[0]] = append(sets[at[0]], sets[at[1]]...)
		sets = slices.Delete(sets, at[1], at[1]+1)
	}
	of := make([]int, len(r))
	for number, set := range sets {
		for _, leaf := range set {
			of[leaf] = number
		}
	}
	return of
}

// sameSets says whether two numberings make the same sets.
func sameSets(a, b []int) bool {
	for i := range a {
		for j := range a {
			if (a[i] == a[j]) != (b[i] == b[j]) {
				return false
			}
		}
	}
	return true
}

// TestDriftEqualsTheSlowOne holds the walk against the definition, at every cell.
func TestDriftEqualsTheSlowOne(t *testing.T) {
	f := drifting(210)
	d := explore(t, f, LookOptions{}).Drift
	for c := range f.Columns {
		for file := range f.FileNames {
			var in, out []float64
			for row, label := range f.Labels {
				if x := f.row(row)[c]; label == 0 && finite(x) {
					if int(f.Files[row]) == file {
						in = append(in, float64(x))
					} else {
						out = append(out, float64(x))
					}
				}
			}
			want := 0.0
			for _, x := range append(slices.Clone(in), out...) {
				want = max(want, math.Abs(share(in, x)-share(out, x)))
			}
			near(t, f.Columns[c]+" in "+f.FileNames[file], d.KS[c][file], want)
		}
	}
	if !(d.KS[2][0] > 0.8 && d.KS[0][0] < 0.3) {
		t.Errorf("drift %v: the third column alone drifts", d.KS)
	}
}

// share is how many of values are at most x.
func share(values []float64, x float64) float64 {
	n := 0
	for _, v := range values {
		if v <= x {
			n++
		}
	}
	return float64(n) / float64(len(values))
}

func TestDriftNeedsTwoFilesAndCells(t *testing.T) {
	f := drifting(50)
	f.Files, f.FileNames = nil, nil
	if d := explore(t, f, LookOptions{}).Drift; d != nil {
		t.Errorf("drift without files: %+v", d)
	}
	f = drifting(50)
	f.FileNames = append(f.FileNames, "empty")
	if d := explore(t, f, LookOptions{}).Drift; !math.IsNaN(d.KS[0][2]) {
		t.Errorf("a file without rows drifts by %v", d.KS[0][2])
	}
}

func TestExploreEndsWithItsContext(t *testing.T) {
	f := drifting(50)
	s := describe(t, f, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Explore(ctx, f, s, LookOptions{}); err != context.Canceled {
		t.Errorf("error %v", err)
	}
}
