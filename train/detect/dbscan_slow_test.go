package detect

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// slowDBSCAN is the algorithm as it is in books, over all pairs of rows.
func slowDBSCAN(d Data, eps float64, minPoints int) []int32 {
	row := func(i int) []float32 { return d.X[i*d.Cols : (i+1)*d.Cols] }
	near := func(i int) (list []int) {
		for j := range d.Rows {
			if distance2(row(i), row(j), math.Inf(1)) <= eps*eps {
				list = append(list, j)
			}
		}
		return list
	}
	label := make([]int32, d.Rows)
	for i := range label {
		label[i] = -1
	}
	cluster := int32(0)
	for i := range d.Rows {
		if label[i] >= 0 || len(near(i)) < minPoints {
			continue
		}
		label[i] = cluster
		for stack := []int{i}; len(stack) > 0; {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			list := near(at)
			if len(list) < minPoints {
				continue
			}
			for _, j := range list {
				if label[j] < 0 {
					label[j] = cluster
					stack = append(stack, j)
				}
			}
		}
		cluster++
	}
	return label
}

// awkwardRows makes rows around few centres at scales from 1e-9 to 1e9 in different
// columns, with copies, constant columns and rows far away.
func awkwardRows(r *rand.Rand, rows, cols int, wild bool) Data {
	d := Data{Rows: rows, Cols: cols, X: make([]float32, rows*cols)}
	scale := make([]float64, cols)
	for j := range scale {
		scale[j] = 1
		if wild {
			scale[j] = math.Pow(10, float64(r.IntN(19)-9))
		}
	}
	for i := range rows {
		if i > 0 && r.IntN(5) == 0 {
			copy(d.X[i*cols:(i+1)*cols], d.X[r.IntN(i)*cols:][:cols])
			continue
		}
		centre, spread := float64(r.IntN(4)*3), 0.4
		if r.IntN(8) == 0 {
			spread = 4
		}
		for j := range cols {
			v := centre + spread*r.NormFloat64()
			if j%7 == 3 {
				v = 1
			}
			d.X[i*cols+j] = float32(v * scale[j])
		}
	}
	return d
}

func TestDBSCANEqualsTheSlowLoop(t *testing.T) {
	for _, wild := range []bool{false, true} {
		for _, cols := range []int{1, 2, 15, 16, 17, 78} {
			for _, rows := range []int{1, 2, 128, 129, 400} {
				seed := uint64(rows*100 + cols)
				d := awkwardRows(rand.New(rand.NewPCG(seed, 5)), rows, cols, wild)
				minPoints := min(4, rows)
				eps := []float64{0.3 * math.Sqrt(float64(cols)), 0.6 * math.Sqrt(float64(cols))}
				if wild {
					eps = []float64{1e-6, 1, 1e8}
				}
				for _, e := range eps {
					got, err := Cluster(t.Context(), d, DBSCANOptions{Eps: &e, MinPoints: minPoints})
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(got.Labels, slowDBSCAN(d, e, minPoints)) {
						t.Fatalf("%d rows of %d columns, wild %v, eps %v: labels differ from the slow loop's", rows, cols, wild, e)
					}
				}
			}
		}
	}
}

// TestDBSCANOverManyBlocks is for what few blocks do not have: most pairs of them
// excluded, clusters over several, noise in all.
func TestDBSCANOverManyBlocks(t *testing.T) {
	for _, cols := range []int{2, 20} {
		d := awkwardRows(rand.New(rand.NewPCG(9, uint64(cols))), 2500, cols, false)
		for _, eps := range []float64{0.1, 0.35 * math.Sqrt(float64(cols))} {
			got, err := Cluster(t.Context(), d, DBSCANOptions{Eps: &eps, MinPoints: 5})
			if err != nil {
				t.Fatal(err)
			}
			wantLabels(t, got, slowDBSCAN(d, eps, 5))
		}
	}
}

// TestDBSCANDecidesTies has all distances of a lattice at eps or just above it.
func TestDBSCANDecidesTies(t *testing.T) {
	const side = 12
	d := Data{Rows: side * side, Cols: 2}
	for i := range d.Rows {
		d.X = append(d.X, 0.1*float32(i%side), 0.1*float32(i/side))
	}
	for _, eps := range []float64{float64(float32(0.1)), 0.1, 0.2, 0.1 * math.Sqrt2} {
		for _, minPoints := range []int{2, 3, 4, 5, 9} {
			got, err := Cluster(t.Context(), d, DBSCANOptions{Eps: &eps, MinPoints: minPoints})
			if err != nil {
				t.Fatal(err)
			}
			wantLabels(t, got, slowDBSCAN(d, eps, minPoints))
		}
	}
}

func TestDBSCANRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	d := awkwardRows(r, 50, 3, false)
	equal := Data{X: make([]float32, 150), Rows: 50, Cols: 3}
	eps := func(v float64) DBSCANOptions { return DBSCANOptions{Eps: &v, MinPoints: 3} }
	for _, c := range []struct {
		name string
		data Data
		o    DBSCANOptions
		want string
	}{
		{"eps 0", d, eps(0), "eps is 0: write a distance above 0"},
		{"negative eps", d, eps(-3), "eps is -3"},
		{"NaN", d, eps(math.NaN()), "eps is NaN"},
		{"infinite eps", d, eps(math.Inf(1)), "eps is +Inf"},
		{"min points", d, DBSCANOptions{MinPoints: -1}, "min_points is -1: write 1 or more"},
		{"one row", Data{X: []float32{1}, Rows: 1, Cols: 1}, DBSCANOptions{}, "min_points is 10, but there are 1 rows"},
		{"no cores", d, DBSCANOptions{Eps: new(1e-6), MinPoints: 30}, "all are noise; raise eps or lower min_points"},
		{"equal rows", equal, DBSCANOptions{}, "every row has 10 rows equal to it, so that the k-distance curve has no knee: give eps"},
		{"memory", d, DBSCANOptions{MinPoints: 3, free: func() (int64, bool) { return 100, true }}, "MB of memory are needed beside the matrix and 0 MB are free"},
	} {
		if err := NewDBSCAN(c.o).Fit(t.Context(), c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	// Equal rows with an eps are one cluster; what lies eps away scores 1.
	one := NewDBSCAN(eps(0.5))
	if err := one.Fit(t.Context(), equal); err != nil {
		t.Fatal(err)
	}
	score := make([]float64, 3)
	if err := one.Score([]float32{0, 0, 0, 0, 0.5, 0, 3, 0, 4}, score); err != nil || !slices.Equal(score, []float64{0, 1, 10}) {
		t.Errorf("scores %v, error %v", score, err)
	}
	if c, ok := one.Clustering(); !ok || c.Clusters != 1 || c.Noise != 0 || c.Cores != 50 || one.Name() != "dbscan (eps 0.5, 1 clusters, 0.0 % noise)" {
		t.Errorf("%s: %+v", one.Name(), c)
	}
}

func TestDBSCANScoresSayWhatTheLabelsDo(t *testing.T) {
	c := readDBSCAN(t)[5]
	data := c.data()
	d := NewDBSCAN(DBSCANOptions{Eps: &c.Eps, MinPoints: c.MinPoints})
	if err := d.Fit(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	scores := make([]float64, data.Rows)
	if err := d.Score(data.X, scores); err != nil {
		t.Fatal(err)
	}
	for i, s := range scores {
		if (s == 0) != (c.Core[i] == 1) || (s > 1) != (c.Labels[i] < 0) {
			t.Fatalf("row %d: label %d, core %d, score %v", i, c.Labels[i], c.Core[i], s)
		}
	}
}

func TestKnee(t *testing.T) {
	for _, c := range []struct {
		curve []float64
		want  float64
	}{
		{[]float64{7}, 7}, {[]float64{2, 2, 2}, 2}, {[]float64{1, 2, 3, 4, 20}, 4}, {[]float64{1, 1, 1, 2, 3, 4}, 1},
		{[]float64{1, 10, 11, 12}, 1}, // above the line throughout
	} {
		if got := knee(c.curve); got != c.want {
			t.Errorf("knee of %v is %v, want %v", c.curve, got, c.want)
		}
	}
}

func TestEpsIsTakenFromTheCurve(t *testing.T) {
	d := awkwardRows(rand.New(rand.NewPCG(3, 3)), 500, 4, false)
	c, err := Cluster(t.Context(), d, DBSCANOptions{MinPoints: 5})
	if err != nil {
		t.Fatal(err)
	}
	var curve []float64
	for i := range d.Rows {
		var list []float64
		for j := range d.Rows {
			list = append(list, math.Sqrt(distance2(d.X[i*4:i*4+4], d.X[j*4:j*4+4], math.Inf(1))))
		}
		slices.Sort(list)
		if list[4] > 0 {
			curve = append(curve, list[4])
		}
	}
	slices.Sort(curve)
	if want := knee(curve); c.Eps != want {
		t.Errorf("eps %v, want %v", c.Eps, want)
	}
}

// TestClusterStops cancels from within each stage.
func TestClusterStops(t *testing.T) {
	d := awkwardRows(rand.New(rand.NewPCG(4, 4)), 1500, 20, false)
	for _, stage := range []string{"k-distances", "neighbours", "clusters", "borders"} {
		ctx, cancel := context.WithCancel(t.Context())
		seen := false
		d.Progress = func(at string, _, _ int) {
			if at == stage {
				seen = true
				cancel()
			}
		}
		if _, err := Cluster(ctx, d, DBSCANOptions{MinPoints: 4}); !seen || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled in %q (seen: %v): error %v", stage, seen, err)
		}
		cancel()
	}
}
