package synth

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"flowbench/data/schema"
)

func TestTablesHoldEveryClass(t *testing.T) {
	got, err := loadTables()
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range schema.KnownLabels() {
		if _, err := got.class(label); err != nil {
			t.Error(err)
		}
	}
	sizes := []int{}
	for _, pieces := range got.connections.Pieces {
		n := 0
		for _, k := range pieces {
			n += k
		}
		sizes = append(sizes, n)
	}
	if !slices.Equal(sizes, []int{17, 7, 5, 4, 2, 1}) {
		t.Errorf("Infiltration connections have %v pieces", sizes)
	}
	if len(got.leftovers.clusters) == 0 {
		t.Error("no cluster of leftovers")
	}
	for _, spec := range week() {
		if benign := got.classes[schema.Benign]; spec.mix != "" && benign.mixNamed(spec.mix) == 0 {
			t.Errorf("no mix %q", spec.mix)
		}
	}
}

// The tables may hold statistics only. A small class could be read back from as
// many quantiles as it has rows.
func TestTablesHoldNoRows(t *testing.T) {
	var raw struct {
		rawTables
		Source string `json:"source"`
		MadeBy string `json:"made_by"`
	}
	if err := json.Unmarshal(tablesJSON, &raw); err != nil {
		t.Fatal(err)
	}
	if raw.Source == "" || raw.MadeBy != "scripts/synth/measure.py" || len(tablesJSON) > 450_000 {
		t.Errorf("source %q, made by %q, %d bytes", raw.Source, raw.MadeBy, len(tablesJSON))
	}
	for _, c := range raw.Classes {
		for i, cluster := range c.Clusters {
			rows := c.Mix[""][i]
			for j, m := range cluster.Marginals {
				name := columnNames[cluster.Varying[j]]
				if rows < 100 && (len(m.Q) > 9 || 3*len(m.Q) > rows+2) {
					t.Errorf("%s, cluster %s, %s: %d quantiles of %d rows", c.Label, cluster.Name, name, len(m.Q), rows)
				}
				if len(m.At) > 45 || 3*len(m.At) > rows {
					t.Errorf("%s, cluster %s, %s: %d values of %d rows", c.Label, cluster.Name, name, len(m.At), rows)
				}
			}
		}
	}
}

func TestBadTablesAreRefused(t *testing.T) {
	for name, change := range map[string][2]string{
		"no JSON":     {`{"about"`, `{about`},
		"column":      {`"name":"duration"`, `"name":"time"`},
		"correlation": {`"correlation":["`, `"correlation":["x","`},
		"quantiles":   {`"q":[`, `"q":[99999999,`},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, bytes.Replace(tablesJSON, []byte(change[0]), []byte(change[1]), 1))
		})
	}
	t.Run("contradiction", func(t *testing.T) { refused(t, contradiction(t)) })
}

func refused(t *testing.T, text []byte) {
	t.Helper()
	if _, err := parseTables(text); err == nil || !strings.HasPrefix(err.Error(), "tables of synthetic flows") {
		t.Errorf("error %v", err)
	}
}

// contradiction is the tables with correlations of 1, 1 and -1 in one cluster.
func contradiction(t *testing.T) []byte {
	var raw map[string]any
	if err := json.Unmarshal(tablesJSON, &raw); err != nil {
		t.Fatal(err)
	}
	cluster := raw["classes"].([]any)[0].(map[string]any)["clusters"].([]any)[0].(map[string]any)
	r := cluster["correlation"].([]any)
	r[0], r[1] = "}", "}#"
	out, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCholeskyGivesTheCorrelationBack(t *testing.T) {
	letters := []string{"p", "PY", "B[T"}
	root, err := cholesky(4, letters)
	if err != nil {
		t.Fatal(err)
	}
	row := func(i int) []float64 { return root[i*(i+1)/2:][:i+1] }
	for i := range 4 {
		for j := range i + 1 {
			got, want := 0.0, 1.0
			for k := range j + 1 {
				got += row(i)[k] * row(j)[k]
			}
			if j < i {
				want = (float64(letters[i-1][j])-firstLetter)/letterSteps - 1
			}
			if !(math.Abs(got-want) < 1e-12) {
				t.Errorf("correlation %d, %d is %v, want %v", i, j, got, want)
			}
		}
	}
}

// The value at a normal score must be the quantile: drawn shares are the table's.
func TestMarginalsKeepTheirShares(t *testing.T) {
	grids := map[string][]float64{"four": {-1500, -500, 500, 1500}}
	for name, c := range map[string]struct {
		raw   rawMarginal
		log   bool
		below float64 // of this value
		share float64 // of draws not above it
	}{
		"common":      {rawMarginal{At: []float64{0, 6, 1460}, Z: []float64{-524, 842}}, false, 6, .8},
		"quantiles":   {rawMarginal{Grid: "four", Q: []float64{1000, 2000, 4000, 5000}}, false, 3, .5},
		"between":     {rawMarginal{Grid: "four", Q: []float64{1000, 2000, 4000, 5000}}, false, 4.25, .7734}, // the normal share below 0.75
		"logarithm":   {rawMarginal{Grid: "four", Q: []float64{0, 2000, 4000, 5000}}, true, math.Exp(3) - 1, .5},
		"step":        {rawMarginal{Z: []float64{-3500, -1282, 0, 0, 3500}, Q: []float64{0, 1000, 1000, 2000, 2000}}, false, 1, .5},
		"below steps": {rawMarginal{Z: []float64{-3500, -1282, 0, 0, 3500}, Q: []float64{0, 1000, 1000, 2000, 2000}}, false, .9999, .1},
	} {
		m, err := newMarginal(c.raw, grids, c.log)
		if err != nil {
			t.Fatal(err)
		}
		rng, n, below := rand.New(rand.NewPCG(1, 2)), 200000, 0
		for range n {
			if m.value(rng.NormFloat64()) <= c.below {
				below++
			}
		}
		if got := float64(below) / float64(n); !(math.Abs(got-c.share) < .005) {
			t.Errorf("%s: %.4f of the draws are up to %v, want %v", name, got, c.below, c.share)
		}
	}
}

func TestOnlyItsOwnClassesDrawTheInfiltrationPort(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	others := ports{at: []int{443}, perMille: []int{500}, others: [2]int{443, 445}}
	own := ports{at: []int{infiltrationPort}, perMille: []int{1000}, others: [2]int{1, 2}}
	for range 1000 {
		if port := others.port(rng); port < 443 || port > 445 || port == infiltrationPort {
			t.Fatalf("drew port %d", port)
		}
		if port := own.port(rng); port != infiltrationPort {
			t.Fatalf("drew port %d", port)
		}
	}
	all, err := loadTables()
	if err != nil {
		t.Fatal(err)
	}
	for label, c := range all.classes {
		for _, cluster := range c.clusters {
			if label != "Infiltration" && label != "Heartbleed" && slices.Contains(cluster.ports.at, infiltrationPort) {
				t.Errorf("%s, cluster %s has port %d", label, cluster.name, infiltrationPort)
			}
		}
	}
}

func TestPickKeepsTheMix(t *testing.T) {
	c := &class{mixes: [][]int{{3, 3, 8, 10}}, mixNames: []string{""}}
	for range 4 {
		c.clusters = append(c.clusters, &cluster{})
	}
	rng, n, got := rand.New(rand.NewPCG(1, 2)), 100000, make(map[*cluster]int)
	for range n {
		got[c.pick(0, rng)]++
	}
	for i, want := range []float64{.3, 0, .5, .2} {
		if share := float64(got[c.clusters[i]]) / float64(n); !(math.Abs(share-want) < .01) {
			t.Errorf("cluster %d: %.3f of the draws, want %v", i, share, want)
		}
	}
}

// Every fault is planned as often as the full data has it.
func TestFullFilesPlanEveryFault(t *testing.T) {
	files, err := Files(Config{Profile: "full", Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[oddity]int)
	for _, f := range files {
		for _, s := range append(slices.Clone(f.plan.segments), f.plan.benign) {
			for k := range s.rows {
				got[s.oddity(k)]++
			}
		}
	}
	delete(got, sound)
	for kind, want := range map[oddity]int{zeroEmpty: 1358, zeroDuration: 2867 - 1358, negativeDuration: 115, negativeGap: 2775, negativeFwdGap: 17, negativeHeader: 35} {
		if n := got[kind]; n < want-4 || n > want+4 {
			t.Errorf("fault %d: %d rows, want %d", kind, n, want)
		}
	}
	if got[zeroEmpty] != 1358 || got[zeroDuration] != 2867-1358 {
		t.Errorf("%d and %d rows of duration 0", got[zeroEmpty], got[zeroDuration])
	}
}
