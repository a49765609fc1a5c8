package page

import (
	"fmt"
	"math"
	"strings"

	"flowbench/data/inspect"
	"flowbench/data/ledger"
	"flowbench/data/table"
)

// Flows is everything that a page says of flows that nobody has trained on yet.
type Flows struct {
	Kind          string             `json:"kind"` // "flows"
	Title         string             `json:"title"`
	Facts         []Key              `json:"facts"`
	Warnings      []string           `json:"warnings"`
	Notes         []string           `json:"notes"`
	Labels        []inspect.Count    `json:"labels"`
	Files         []inspect.File     `json:"files"`
	Columns       []FlowColumn       `json:"columns"`
	Separation    []Separation       `json:"separation"`
	Distributions []FlowDistribution `json:"distributions"`
	Scatter       FlowScatter        `json:"scatter"`
	Correlation   FlowCorrelation    `json:"correlation"`
	Drift         FlowDrift          `json:"drift"`
	Duplicates    *Table             `json:"duplicates"`
	Ledger        *Table             `json:"ledger,omitempty"`
	Made          []Fact             `json:"made"`
}

// FlowColumn is a column in a line.
type FlowColumn struct {
	Name         string       `json:"name"`
	Kind         inspect.Kind `json:"kind"`
	Missing      int          `json:"missing"`
	MissingShare Number       `json:"missing_share"`
	Distinct     int          `json:"distinct"`
	Zeros        int          `json:"zeros"`
	Negatives    int          `json:"negatives"`
	Min          Number       `json:"min"` // null without a cell, as Median and Max
	Median       Number       `json:"median"`
	Max          Number       `json:"max"`
}

// Separation is how well single columns tell a label from the benign flows.
type Separation struct {
	Label   string         `json:"label"`
	Rows    int            `json:"rows"`
	Columns []SingleColumn `json:"columns"` // furthest from chance first
	Absent  string         `json:"absent,omitempty"`
}

// SingleColumn is one column alone.
type SingleColumn struct {
	Column string `json:"column"`
	AUROC  Number `json:"auroc"` // below 0.5 smaller values are suspicious
	At1    Number `json:"at1"`   // recall at a false-positive rate of 1 %
	At01   Number `json:"at01"`  // at 0.1 %
	Rule   string `json:"rule"`
	F1     Number `json:"f1"`
}

// FlowDistribution is how a column is spread by label, in shares of each.
type FlowDistribution struct {
	Column string       `json:"column"`
	Edges  Numbers      `json:"edges"` // places on the axis of inspect.Place
	Ticks  []Tick       `json:"ticks"`
	Shares []LabelShare `json:"shares"`
}

// Tick is a value on an axis.
type Tick struct {
	Place Number `json:"place"`
	Text  string `json:"text"`
}

// LabelShare is a label's histogram.
type LabelShare struct {
	Label  string  `json:"label"`
	Rows   int     `json:"rows"`
	Shares Numbers `json:"shares"`
}

// FlowScatter is a sample of rows, column by column, on the axis of inspect.Place.
type FlowScatter struct {
	Rows    int       `json:"rows"`
	Attacks int       `json:"attacks"`
	Columns []string  `json:"columns"`
	Values  []Numbers `json:"values"` // by column, then row
	Ticks   [][]Tick  `json:"ticks"`  // by column
	Label   []int32   `json:"label"`  // index into Names
	Names   []string  `json:"names"`
	Note    string    `json:"note"`
}

// FlowCorrelation is the heat map.
type FlowCorrelation struct {
	Columns  []string  `json:"columns"`
	Values   []Numbers `json:"values"`
	Rows     int       `json:"rows"`
	Clusters []int     `json:"clusters"`
	Method   string    `json:"method"`
}

// FlowDrift is how files differ.
type FlowDrift struct {
	Files   []string  `json:"files"`
	Columns []string  `json:"columns"` // the most drifting first
	Values  []Numbers `json:"values"`  // by column, then file
	Method  string    `json:"method"`
	Absent  string    `json:"absent,omitempty"`
}

// listedSingles is how many columns a page lists for each label.
const listedSingles = 12

// NewFlows makes the document of flows from what inspect found; l is nil where
// nobody kept a ledger of how they were read.
func NewFlows(title string, s *inspect.Summary, look *inspect.Look, l *ledger.Ledger) *Flows {
	f := &Flows{
		Kind: "flows", Title: title, Labels: s.Labels, Files: s.Files, Made: made(),
		Separation: []Separation{}, Distributions: []FlowDistribution{}, // empty, not null
	}
	for _, c := range s.Columns {
		f.Columns = append(f.Columns, flowColumn(c))
	}
	for _, c := range s.Classes {
		if c.Rows > 0 || c.NotEvaluable == "" {
			f.Separation = append(f.Separation, separation(c))
		}
	}
	for _, d := range look.Distributions {
		if d.Edges != nil {
			f.Distributions = append(f.Distributions, flowDistribution(d))
		}
	}
	f.Scatter = flowScatter(s, look.Scatter)
	f.Correlation = flowCorrelation(look.Correlation)
	f.Drift = flowDrift(look.Drift)
	f.Duplicates = duplicatesTable(s)
	if l != nil {
		f.Ledger = ledgerTable(l)
	}
	f.say(s, l)
	return f
}

// say fills in what is said in words.
func (f *Flows) say(s *inspect.Summary, l *ledger.Ledger) {
	benign, missing, columns := 0, 0, 0
	for i, c := range s.Labels {
		if i == 0 {
			benign = c.Rows
		}
	}
	for _, c := range s.Columns {
		missing += c.Missing
		if c.Missing > 0 {
			columns++
		}
	}
	attacks := s.Rows - benign
	share := "no flow is an attack"
	if attacks > 0 {
		share = "1 in " + table.Count(int64(math.Round(float64(s.Rows)/float64(attacks)))) + " flows; the average precision of chance is " + shown(float64(attacks)/float64(s.Rows))
	}
	f.Facts = []Key{
		{"Flows", table.Count(int64(s.Rows)), plural(max(len(s.Files), 1), "file")},
		{"Attacks", table.Count(int64(attacks)), share},
		{"Columns", table.Count(int64(len(s.Columns))), plural(len(s.Constant), "constant one") + ", " + plural(len(s.Duplicates), "set") + " of equal ones"},
		{"Missing cells", table.Count(int64(missing)), "in " + plural(columns, "column")},
	}
	if l != nil && l.Duplicates.Counted {
		f.Facts = append(f.Facts, Key{"Repeated flows", table.Count(l.Duplicates.Repeats), l.Duplicates.Basis})
	}
	if s.Synthetic {
		f.Warnings = append(f.Warnings, "The flows are synthetic: no row was seen on a network.")
	}
	for _, c := range s.Classes {
		if b := c.BestValue; b != nil && b.Rule.F1 >= 0.9 {
			f.Warnings = append(f.Warnings, fmt.Sprintf("%s gives %s away: it finds %d of %d with %s. A model that sees the column learns nothing else.",
				b.Rule.Text(b.Column), c.Label, b.Rule.Found, c.Rows, plural(b.Rule.Alarms, "false alarm")))
		}
	}
	f.Notes = append(f.Notes, "Source: "+s.Source)
	if s.Fingerprint != "" {
		f.Notes = append(f.Notes, "Fingerprint: "+s.Fingerprint)
	}
}

func flowColumn(c inspect.Column) FlowColumn {
	nan := Number(math.NaN())
	out := FlowColumn{c.Name, c.Kind, c.Missing, Number(c.MissingShare), c.Distinct, c.Zeros, c.Negatives, nan, nan, nan}
	if c.Range != nil {
		out.Min, out.Median, out.Max = Number(c.Range.Min), Number(c.Range.Median), Number(c.Range.Max)
	}
	return out
}

func separation(c inspect.Class) Separation {
	s := Separation{Label: c.Label, Rows: c.Rows, Absent: c.NotEvaluable}
	for _, one := range c.Columns[:min(listedSingles, len(c.Columns))] {
		s.Columns = append(s.Columns, SingleColumn{
			one.Column, Number(one.AUROC), Number(float64(one.Found1Percent) / float64(max(c.Rows, 1))), Number(float64(one.Found01Percent) / float64(max(c.Rows, 1))),
			one.Rule.Text(one.Column), Number(one.Rule.F1),
		})
	}
	return s
}

func flowDistribution(d inspect.Distribution) FlowDistribution {
	out := FlowDistribution{Column: d.Column, Edges: d.Edges, Ticks: ticks(d.Edges[0], d.Edges[len(d.Edges)-1])}
	for _, h := range d.Labels {
		shares := make(Numbers, len(h.Bins))
		for i, n := range h.Bins {
			shares[i] = float64(n) / float64(h.Cells)
		}
		out.Shares = append(out.Shares, LabelShare{h.Label, h.Cells, shares})
	}
	return out
}

// ticks are the powers of ten, their negatives and 0 between two places; round
// values where these are fewer than two.
func ticks(low, high float64) []Tick {
	var out []Tick
	add := func(v float64) {
		if p := inspect.Place(v); p >= low && p <= high {
			out = append(out, Tick{Number(p), shortNumber(v)})
		}
	}
	step := max(1, int(math.Ceil((high-low)/8)))
	for power := 12; power >= 0; power-- {
		if power%step == 0 {
			add(-math.Pow10(power))
		}
	}
	add(0)
	for power := range 13 {
		if power%step == 0 {
			add(math.Pow10(power))
		}
	}
	if len(out) >= 2 {
		return out
	}
	return []Tick{{Number(low), shortNumber(inspect.Value(low))}, {Number(high), shortNumber(inspect.Value(high))}}
}

// shortNumber is a value in as few characters as name it.
func shortNumber(v float64) string {
	if a := math.Abs(v); a >= 1e4 {
		return strings.Replace(fmt.Sprintf("%.0e", v), "e+0", "e", 1)
	}
	return fmt.Sprintf("%.4g", v)
}

func flowScatter(s *inspect.Summary, sample inspect.Scatter) FlowScatter {
	out := FlowScatter{Columns: append([]string{}, sample.Columns...), Rows: len(sample.Rows), Label: sample.Labels}
	for k := range sample.Columns {
		values := make(Numbers, len(sample.Rows))
		low, high := math.Inf(1), math.Inf(-1)
		for i, cells := range sample.Values {
			values[i] = math.NaN()
			if x := float64(cells[k]); !math.IsInf(x, 0) && !math.IsNaN(x) {
				values[i] = inspect.Place(x)
				low, high = min(low, values[i]), max(high, values[i])
			}
		}
		out.Values = append(out.Values, values)
		out.Ticks = append(out.Ticks, ticks(low, high))
	}
	var drawn []string
	for label, n := range sample.Taken {
		out.Names = append(out.Names, s.Labels[label].Label)
		if label > 0 {
			out.Attacks += n
		}
		if n > 0 {
			drawn = append(drawn, fmt.Sprintf("%s of %s %s", table.Count(int64(n)), table.Count(int64(sample.Of[label])), s.Labels[label].Label))
		}
	}
	out.Note = "Drawn: " + strings.Join(drawn, ", ") + "; a seeded sample where they are not all."
	return out
}

func flowCorrelation(c inspect.Clustered) FlowCorrelation {
	out := FlowCorrelation{Columns: c.Columns, Rows: c.Rows, Clusters: c.Clusters}
	out.Method = fmt.Sprintf("Spearman's rank correlation on %s evenly spaced rows, ordered by average linkage of its size; a cluster is what hangs together at %.1f or more. Constant columns and copies of others are left out.", table.Count(int64(c.Rows)), c.Cut)
	for _, line := range c.Spearman {
		rounded := make(Numbers, len(line))
		for i, v := range line {
			rounded[i] = math.Round(v*1000) / 1000
		}
		out.Values = append(out.Values, rounded)
	}
	return out
}

func flowDrift(d *inspect.Drift) FlowDrift {
	if d == nil {
		return FlowDrift{Absent: "The flows lie in one file, so that there is nothing to compare."}
	}
	out := FlowDrift{Files: d.Files, Method: "The Kolmogorov-Smirnov statistic of a file's benign flows against those of all other files: 0 where they are spread alike, 1 where they do not overlap. The columns that drift most come first."}
	order := make([]int, len(d.Columns))
	largest := make([]float64, len(d.Columns))
	for c := range d.Columns {
		order[c] = c
		for _, v := range d.KS[c] {
			if v > largest[c] { // NaN is not
				largest[c] = v
			}
		}
	}
	sortBy(order, largest)
	for _, c := range order {
		out.Columns = append(out.Columns, d.Columns[c])
		out.Values = append(out.Values, Numbers(d.KS[c]))
	}
	return out
}

// duplicatesTable lists columns that say nothing, or what another says.
func duplicatesTable(s *inspect.Summary) *Table {
	t := &Table{Title: "Columns that say nothing new", Head: []string{"column", "why"}, Right: []bool{false, false}}
	for _, name := range s.Constant {
		t.Rows = append(t.Rows, []string{name, "constant, or empty"})
	}
	for _, set := range s.Duplicates {
		for _, name := range set[1:] {
			t.Rows = append(t.Rows, []string{name, "equal to " + set[0] + " in every row"})
		}
	}
	return t
}
