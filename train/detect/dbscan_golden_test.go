package detect

import (
	"encoding/json"
	"math"
	"os"
	"runtime"
	"testing"
)

// dbscanCase is one of testdata/dbscan.json, which scripts/golden/dbscan.py writes.
type dbscanCase struct {
	Name       string
	Rows, Cols int
	Eps        float64
	MinPoints  int       `json:"min_points"`
	X          []float32 // or how to make it
	Clusters   int
	Spread     float64
	Loud       uint64
	Grid       float64
	Seed       uint64
	Labels     []int32
	Core       []int
}

func readDBSCAN(t *testing.T) []dbscanCase {
	t.Helper()
	text, err := os.ReadFile("testdata/dbscan.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct{ Cases []dbscanCase }
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) != 6 {
		t.Fatalf("dbscan.json has %d cases, want 6", len(g.Cases))
	}
	return g.Cases
}

// normal is normal() of the script at a place.
func normal(seed uint64, at int) float64 {
	sum := -32768
	for k := range 4 {
		sum += int(splitmix(seed, at*4+k) >> 50)
	}
	return float64(sum) / 4096
}

// data makes the rows as generate() of the script does.
func (c dbscanCase) data() Data {
	d := Data{X: c.X, Rows: c.Rows, Cols: c.Cols}
	for i := 0; i < c.Rows && c.X == nil; i++ {
		cluster := int(splitmix(c.Seed+2, i) % uint64(c.Clusters))
		anywhere := splitmix(c.Seed+4, i)%100 < c.Loud
		for j := range c.Cols {
			v := normal(c.Seed+3, i*c.Cols+j)*c.Spread + math.Floor(normal(c.Seed+1, cluster*c.Cols+j)*2)
			if anywhere {
				v = normal(c.Seed+5, i*c.Cols+j) * 2
			}
			d.X = append(d.X, float32(math.Floor(v*c.Grid)/c.Grid))
		}
	}
	return d
}

func TestGoldenDBSCAN(t *testing.T) {
	for _, c := range readDBSCAN(t) {
		t.Run(c.Name, func(t *testing.T) {
			for _, threads := range []int{1, 2, 7} {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
				got, err := Cluster(t.Context(), c.data(), DBSCANOptions{Eps: &c.Eps, MinPoints: c.MinPoints})
				if err != nil {
					t.Fatal(err)
				}
				wantLabels(t, got, c.Labels)
				cores := 0
				for i, core := range c.Core {
					cores += core
					if got.Core[i] != (core == 1) {
						t.Fatalf("row %d: core %v", i, got.Core[i])
					}
				}
				if got.Cores != cores {
					t.Errorf("%d cores, want %d", got.Cores, cores)
				}
			}
		})
	}
}

// wantLabels compares labels and the counts that are made of them.
func wantLabels(t *testing.T, got *Clustering, want []int32) {
	t.Helper()
	clusters, noise := int32(0), 0
	for i, w := range want {
		if got.Labels[i] != w {
			t.Fatalf("row %d has the label %d, want %d", i, got.Labels[i], w)
		}
		clusters = max(clusters, w+1)
		if w < 0 {
			noise++
		}
	}
	if len(got.Labels) != len(want) || got.Clusters != int(clusters) || got.Noise != noise {
		t.Errorf("%d labels, %d clusters, noise %d, want %d, %d, %d", len(got.Labels), got.Clusters, got.Noise, len(want), clusters, noise)
	}
}
