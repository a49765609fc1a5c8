package synth

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"flowbench/data/schema"
)

//go:embed tables.json
var tablesJSON []byte

// tables is tables.json made ready to draw from. Immutable, shared by all files.
type tables struct {
	classes     map[string]*class
	connections connections
	leftovers   *class // short benign TCP flows
}

// class is the clusters of one label and how often each occurs.
type class struct {
	label    string
	clusters []*cluster
	// mixes holds, for each measured day, running sums of rows over the clusters;
	// mixes[0] is all days.
	mixes    [][]int
	mixNames []string
}

// cluster is a Gaussian copula: correlated normal scores, each looked up in the
// marginal distribution of its column.
type cluster struct {
	name      string
	ports     ports
	constant  values
	varying   []column
	marginals []marginal // of the varying columns
	alike     float64    // share of rows that resemble the one before
	// root is the lower triangle of the Cholesky factor of the correlation of the
	// varying columns, row by row.
	root []float64
}

// ports is the common destination ports with their running shares, and the
// range of the others. The port hangs together with nothing else in a cluster.
type ports struct {
	at       []int
	perMille []int
	others   [2]int
}

// connections is what is known of the six Infiltration connections: how many
// pieces of each are bulk, beacon and leftover, and the
// correlation of pieces of one connection.
type connections struct {
	Pieces [][]int `json:"pieces"`
	Alike  float64 `json:"alike"`
}

// The form of tables.json.
type (
	rawTables struct {
		Columns []struct {
			Name string `json:"name"`
			Log  bool   `json:"log"`
		} `json:"columns"`
		Grids       map[string][]float64 `json:"grids"` // normal scores in thousandths
		Connections connections          `json:"connections"`
		Classes     []rawClass           `json:"classes"`
	}
	rawClass struct {
		Label    string           `json:"label"`
		Mix      map[string][]int `json:"mix"` // rows of each cluster, by sample file; "" is their sum
		Clusters []rawCluster     `json:"clusters"`
	}
	rawCluster struct {
		Name  string `json:"name"`
		Ports struct {
			At       []int  `json:"at"`
			PerMille []int  `json:"per_mille"`
			Others   [2]int `json:"others"`
		} `json:"ports"`
		Constant    []float64     `json:"constant"` // of all columns; 0 where it varies
		Varying     []column      `json:"varying"`
		Marginals   []rawMarginal `json:"marginals"` // of the varying columns
		Alike       float64       `json:"alike"`
		Correlation []string      `json:"correlation"` // a letter each, below the diagonal
	}
	// rawMarginal is either common values (At) with the scores that part them (Z),
	// or quantiles in thousandths (Q), as log1p or not, at the scores of a Grid or
	// at scores of their own (Z). All scores are in thousandths.
	rawMarginal struct {
		At   []float64 `json:"at"`
		Z    []float64 `json:"z"`
		Grid string    `json:"grid"`
		Q    []float64 `json:"q"`
	}
)

var loadTables = sync.OnceValues(func() (*tables, error) { return parseTables(tablesJSON) })

func parseTables(text []byte) (*tables, error) {
	var raw rawTables
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("tables of synthetic flows: %w; make them again with scripts/synth/measure.py", err)
	}
	if err := checkColumns(raw); err != nil {
		return nil, err
	}
	t := &tables{classes: make(map[string]*class), connections: raw.Connections}
	for _, rc := range raw.Classes {
		c := &class{label: rc.Label}
		for _, cl := range rc.Clusters {
			made, err := newCluster(raw, cl)
			if err != nil {
				return nil, fmt.Errorf("tables of synthetic flows: %s, cluster %s: %w", rc.Label, cl.Name, err)
			}
			c.clusters = append(c.clusters, made)
		}
		if err := c.addMixes(rc); err != nil {
			return nil, err
		}
		t.classes[rc.Label] = c
	}
	benign, err := t.class(schema.Benign)
	if err != nil {
		return nil, err
	}
	t.leftovers = benign.only(leavesOver)
	return t, nil
}

// leavesOver reports whether a benign cluster, by its name, is of short TCP flows
// with headers as Infiltration has them.
func leavesOver(name string) bool {
	for _, pattern := range []string{" 2-0", " 2-1", " n-0", " to6", " to10"} {
		if strings.HasPrefix(name, "tcp-20") && strings.Contains(name, pattern) {
			return true
		}
	}
	return false
}

func checkColumns(raw rawTables) error {
	if len(raw.Columns) != int(columnCount) {
		return fmt.Errorf("tables of synthetic flows hold %d columns, not %d; make them again with scripts/synth/measure.py", len(raw.Columns), columnCount)
	}
	for i, c := range raw.Columns {
		if c.Name != columnNames[i] {
			return fmt.Errorf("tables of synthetic flows: column %d is %s, not %s", i, c.Name, columnNames[i])
		}
	}
	return nil
}

func newCluster(raw rawTables, rc rawCluster) (*cluster, error) {
	c := &cluster{name: rc.Name, varying: rc.Varying, alike: rc.Alike}
	c.ports = ports{at: rc.Ports.At, others: rc.Ports.Others}
	sum := 0
	for _, p := range rc.Ports.PerMille {
		sum += p
		c.ports.perMille = append(c.ports.perMille, sum)
	}
	if len(c.ports.at) != len(c.ports.perMille) || c.ports.others[1] < c.ports.others[0] {
		return nil, fmt.Errorf("ports do not match their shares")
	}
	if copy(c.constant[:], rc.Constant) != len(c.constant) || len(rc.Varying) != len(rc.Marginals) {
		return nil, fmt.Errorf("%d constants, %d varying columns and %d marginals for %d columns",
			len(rc.Constant), len(rc.Varying), len(rc.Marginals), columnCount)
	}
	for i, v := range rc.Varying {
		if v < 0 || v >= columnCount {
			return nil, fmt.Errorf("there is no column %d", v)
		}
		m, err := newMarginal(rc.Marginals[i], raw.Grids, raw.Columns[v].Log)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", v, err)
		}
		c.marginals = append(c.marginals, m)
	}
	root, err := cholesky(len(rc.Varying), rc.Correlation)
	c.root = root
	return c, err
}

// Correlations are printed as letters: -1 is '#', and each letter further is 1/45 more.
const (
	firstLetter = '#'
	letterSteps = 45
)

// cholesky factors a correlation matrix of n columns given in letters below its
// diagonal of ones.
func cholesky(n int, lower []string) ([]float64, error) {
	if n > 0 && len(lower) != n-1 {
		return nil, fmt.Errorf("%d rows of correlations for %d columns", len(lower), n)
	}
	root := make([]float64, 0, n*(n+1)/2)
	row := func(i int) []float64 { return root[i*(i+1)/2:] }
	for i := range n {
		left := 1.0
		for j := range i {
			if len(lower[i-1]) != i {
				return nil, fmt.Errorf("row %d of the correlations holds %d values", i, len(lower[i-1]))
			}
			r := (float64(lower[i-1][j])-firstLetter)/letterSteps - 1
			for k := range j {
				r -= float64(row(i)[k] * row(j)[k])
			}
			r /= row(j)[j]
			root = append(root, r)
			left -= float64(r * r)
		}
		if !(left > 0) {
			return nil, fmt.Errorf("the correlations contradict each other at column %d", i)
		}
		root = append(root, math.Sqrt(left))
	}
	return root, nil
}

func (c *class) addMixes(rc rawClass) error {
	names := []string{""}
	for name := range rc.Mix {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if len(rc.Mix[name]) != len(c.clusters) || len(c.clusters) == 0 {
			return fmt.Errorf("tables of synthetic flows: %s: mix %q is of %d clusters, not %d", c.label, name, len(rc.Mix[name]), len(c.clusters))
		}
		running, sum := make([]int, len(c.clusters)), 0
		for i, n := range rc.Mix[name] {
			sum += n
			running[i] = sum
		}
		c.mixes, c.mixNames = append(c.mixes, running), append(c.mixNames, name)
	}
	return nil
}

// only is the class without the clusters whose name does not satisfy keep, in
// the proportions of its first mix.
func (c *class) only(keep func(name string) bool) *class {
	kept, sum := &class{label: c.label, mixes: [][]int{nil}, mixNames: []string{""}}, 0
	before := 0
	for i, cl := range c.clusters {
		if keep(cl.name) {
			sum += c.mixes[0][i] - before
			kept.clusters = append(kept.clusters, cl)
			kept.mixes[0] = append(kept.mixes[0], sum)
		}
		before = c.mixes[0][i]
	}
	return kept
}

// mixNamed is the number of a mix; all days where the name is unknown.
func (c *class) mixNamed(name string) int { return max(0, slices.Index(c.mixNames, name)) }

func (t *tables) class(label string) (*class, error) {
	c, ok := t.classes[label]
	if !ok {
		return nil, fmt.Errorf("tables of synthetic flows lack %s; make them again with scripts/synth/measure.py", label)
	}
	return c, nil
}
