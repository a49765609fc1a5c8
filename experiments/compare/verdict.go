package compare

import (
	"fmt"
	"strings"

	"gonum.org/v1/gonum/stat"

	"flowbench/experiments/compare/significance"
	"flowbench/train/metric"
)

// SeedTest is what the replicates of two configurations, paired by seed, say.
type SeedTest struct {
	// Difference is the mean of the reference's figure less the other's, with
	// Student's interval around it.
	Difference significance.Interval `json:"difference"`
	Wilcoxon   significance.Wilcoxon `json:"wilcoxon"`
	// CorrectedT is the p of Nadeau and Bengio's t-test where each replicate draws
	// its own split of the same flows, and nil where all share one. The signed-rank
	// test takes replicates for independent, which such splits are not; the t-test
	// takes differences for normal. P is the larger of the two, so that both must
	// say "different".
	CorrectedT *float64 `json:"corrected_t"`
	P          float64  `json:"p"`
	Corrected  float64  `json:"p_corrected"` // P by Holm, within Analysis.Family
	// CliffsDelta is the effect size over the values of all replicates; PairedD is
	// the mean difference over its standard deviation (Cohen's d of paired values),
	// 0 where that has none.
	CliffsDelta float64 `json:"cliffs_delta"`
	PairedD     float64 `json:"paired_d"`
}

// RowTest is what the test rows say, of the mean over replicates.
type RowTest struct {
	metric.PairedAP
	Corrected float64 `json:"p_corrected"` // P by Holm, within Analysis.Family
	// Connections says that connections were drawn; else rows were, which are no
	// independent witnesses where several come of one connection.
	Connections bool   `json:"connections"`
	Reason      string `json:"reason,omitempty"` // why there is no test
}

// Units is what was drawn, connections or rows.
func (r *RowTest) Units() string {
	if r.Connections {
		return "connections"
	}
	return "rows"
}

// Verdict is the conclusion of a Comparison.
type Verdict string

const (
	Worse        Verdict = "worse"  // than the reference
	Better       Verdict = "better" // than the reference
	NoDifference Verdict = "no significant difference"
	// Undecidable: the seeds, or what the rows lack, could not have shown any difference.
	Undecidable Verdict = "cannot be concluded"
)

// Comparison is one configuration against the reference.
type Comparison struct {
	Configuration string   `json:"configuration"` // by ID, as Reference is
	Reference     string   `json:"reference"`
	Seeds         SeedTest `json:"seeds"`
	Rows          *RowTest `json:"rows"` // nil where scores were not kept or not compared
	Verdict       Verdict  `json:"verdict"`
	Sentence      string   `json:"sentence"`

	name, referenceName string // as people call both
}

func seedTest(pairs []pair, reference, other Configuration, name string) SeedTest {
	t := SeedTest{P: 1, Wilcoxon: significance.Wilcoxon{P: 1, Exact: true}}
	t.CliffsDelta = significance.CliffsDelta(reference.values(name), other.values(name))
	if len(pairs) == 0 {
		return t
	}
	d := make([]float64, len(pairs))
	for i, p := range pairs {
		d[i] = p.a - p.b
	}
	overlap := max(reference.Overlap, other.Overlap)
	t.Difference = significance.MeanInterval(d, Level, overlap)
	t.Wilcoxon = significance.SignedRank(d)
	t.P = t.Wilcoxon.P
	if overlap > 0 {
		p := significance.CorrectedT(d, overlap)
		t.CorrectedT, t.P = &p, max(t.P, p)
	}
	if len(d) > 1 {
		if mean, sd := stat.MeanStdDev(d, nil); sd > 0 {
			t.PairedD = mean / sd
		}
	}
	return t
}

// conclude gives the comparison its verdict and its sentence.
func (c *Comparison) conclude(a *Analysis) {
	const alpha = 1 - Level
	n := c.Seeds.Difference.N
	needed := a.needed()
	seeds := c.Seeds.Corrected < alpha
	rows := c.Rows == nil || c.Rows.Reason == "" && c.Rows.Corrected < alpha
	same := c.Rows == nil || c.Rows.Reason != "" || (c.Rows.Difference > 0) == (c.Seeds.Difference.Mean > 0)
	switch {
	case seeds && rows && same:
		c.Verdict = Worse
		if (c.Seeds.Difference.Mean > 0) != a.Maximize {
			c.Verdict = Better
		}
	case n < needed || c.Rows != nil && c.Rows.Reason != "":
		c.Verdict = Undecidable
	default:
		c.Verdict = NoDifference
	}
	c.Sentence = c.sentence(a, needed)
}

func (c *Comparison) sentence(a *Analysis, needed int) string {
	var b strings.Builder
	d := c.Seeds.Difference
	switch c.Verdict {
	case Worse:
		fmt.Fprintf(&b, "%s is better than %s", c.referenceName, c.name)
	case Better:
		fmt.Fprintf(&b, "%s is better than %s", c.name, c.referenceName)
	default:
		fmt.Fprintf(&b, "no significant difference between %s and %s", c.referenceName, c.name)
	}
	fmt.Fprintf(&b, " in %s: over %s %s", a.Metric, plural(d.N, "seed"), signed(d.Mean))
	if d.N > 1 {
		fmt.Fprintf(&b, " [%s, %s]", signed(d.Low), signed(d.High))
	}
	fmt.Fprintf(&b, ", p %s", small(c.Seeds.Corrected))
	switch r := c.Rows; {
	case r == nil:
		b.WriteString("; not tested over test rows")
	case r.Reason != "":
		fmt.Fprintf(&b, "; over test rows it cannot be told: %s", r.Reason)
	default:
		fmt.Fprintf(&b, "; over test %s %s [%s, %s], p %s, %d of them with attacks", r.Units(), signed(r.Difference), signed(r.Low), signed(r.High), small(r.Corrected), r.PositiveUnits)
	}
	fmt.Fprintf(&b, "; Cliff's delta %.2f", c.Seeds.CliffsDelta)
	if d.N < needed {
		fmt.Fprintf(&b, "; %s cannot show a difference (%d are needed for %s)", plural(d.N, "seed"), needed, plural(a.Family, "comparison"))
	}
	return b.String()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// have is "1 configuration has".
func have(n int, noun string) string {
	if n == 1 {
		return plural(n, noun) + " has"
	}
	return plural(n, noun) + " have"
}

func signed(v float64) string { return fmt.Sprintf("%+.3f", v) }

func small(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return fmt.Sprintf("%.3f", p)
}
