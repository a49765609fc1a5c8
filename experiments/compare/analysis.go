package compare

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"flowbench/data/parallel"
	"flowbench/data/suggest"
	"flowbench/experiments/compare/significance"
	"flowbench/train/metric"
	"flowbench/train/scorefile"
)

// Level is the confidence of intervals, and 1 - Level what a corrected p must be
// below for a difference to be called one.
const Level = 0.95

// Options says what Analyse compares.
type Options struct {
	// Metric is the figure that is tested, by its full name. Empty is the test
	// part's counterpart of what the table ranks by.
	Metric string
	// Against names the configuration that all others are compared with. Empty is
	// the best by what the table ranks by; it is picked from the figures then, and
	// every test is corrected for that.
	Against string
	// Most is how many configurations, best first, may be tested over rows too; 0 is
	// 10. Beyond the first three those are that the seeds tell apart.
	Most int
	// Resamples and Seed are of the bootstrap over rows; 0 resamples are 400 a
	// comparison of the family, so that a corrected p can fall below 0.05, but at
	// least 2,000 and at most 20,000.
	Resamples int
	Seed      uint64
}

// Analysis is what the figures of a table allow to conclude.
type Analysis struct {
	Metric    string `json:"metric"`    // what was tested
	RankedBy  string `json:"ranked_by"` // what the best is the best by
	Maximize  bool   `json:"maximize"`
	Reference string `json:"reference"` // the ID of what the others are compared with
	// Family is the number of comparisons that p-values are corrected for: all
	// pairs of configurations where the reference was picked from the figures, and
	// else one for each other configuration.
	Family int `json:"family"`
	// Intervals is the mean of Metric, by configuration ID.
	Intervals   map[string]significance.Interval `json:"intervals"`
	Comparisons []Comparison                     `json:"comparisons"` // in the order of rank
	Importance  Weight                           `json:"importance"`
	Notes       []string                         `json:"notes"`

	name    string // of the reference
	against bool   // it was named beforehand
	// baseline is the best of the trivial ones by what the table ranks by.
	baseline     string
	baselineMean float64 // of Metric
}

// Analyse compares the configurations of t that are no baselines. The claim that
// two differ is made only where the test over seeds says so and, where both kept
// their scores, the one over test rows too: each alone leaves out a source of
// chance. An error is of a name that is not there, or of a damaged file of scores.
func Analyse(t Table, o Options) (*Analysis, error) {
	a := &Analysis{Metric: o.Metric, RankedBy: t.Metric, Maximize: t.Maximize, Intervals: map[string]significance.Interval{}}
	a.Importance = weigh(t, cmp.Or(o.Metric, t.Metric), o.Seed)
	if a.Metric == "" {
		a.Metric = testMetric(t)
	}
	var models []Configuration
	for _, c := range Rank(t.Configurations, t.Metric, t.Maximize) {
		values := c.values(a.Metric)
		if len(values) > 0 {
			a.Intervals[c.ID()] = significance.MeanInterval(values, Level, c.Overlap)
		}
		switch {
		case len(values) == 0:
		case !c.Baseline:
			models = append(models, c)
		case a.baseline == "":
			a.baseline, a.baselineMean = c.Name, a.Intervals[c.ID()].Mean
		}
	}
	if len(models) < 2 {
		a.Notes = append(a.Notes, fmt.Sprintf("Nothing to compare: %s %s.", have(len(models), "configuration"), a.Metric))
		if len(models) == 0 || o.Against == "" {
			return a, nil
		}
	}
	reference, family, err := a.reference(models, o.Against)
	if err != nil {
		return nil, err
	}
	a.Reference, a.Family = models[reference].ID(), family
	a.name, a.against = models[reference].Name, o.Against != ""
	return a, a.compare(models, reference, o)
}

// testMetric is the counterpart in the test part of what a table ranks by.
func testMetric(t Table) string {
	name, ok := strings.CutPrefix(t.Metric, "validation.")
	if !ok {
		return t.Metric
	}
	for _, c := range t.Configurations {
		if c.Summary("test."+name).N > 0 {
			return "test." + name
		}
	}
	return t.Metric
}

func (a *Analysis) reference(models []Configuration, against string) (index, family int, err error) {
	k := len(models)
	if against == "" {
		return 0, k * (k - 1) / 2, nil
	}
	var names []string
	for i, c := range models {
		if c.Name == against || c.ID() == against {
			return i, k - 1, nil
		}
		names = append(names, c.Name)
	}
	return 0, 0, fmt.Errorf("--against %s: there is no such configuration with %s%s", against, a.Metric, suggest.DidYouMean(against, names))
}

// values are a metric's values, of the replicates that have it.
func (c Configuration) values(name string) []float64 {
	var v []float64
	for _, x := range c.Metrics[name] {
		if x != nil {
			v = append(v, *x)
		}
	}
	return v
}

// compare tests every model against the reference, and then corrects.
func (a *Analysis) compare(models []Configuration, reference int, o Options) error {
	most := o.Most
	if most == 0 {
		most = 10
	}
	var pairs [][]pair
	for i, c := range models {
		if i == reference {
			continue
		}
		pairs = append(pairs, pairUp(models[reference], c, a.Metric))
		a.Comparisons = append(a.Comparisons, Comparison{
			Configuration: c.ID(), Reference: a.Reference, name: c.Name, referenceName: a.name, Seeds: seedTest(pairs[len(pairs)-1], models[reference], c, a.Metric),
		})
	}
	var seeds []float64
	for _, c := range a.Comparisons {
		seeds = append(seeds, c.Seeds.P)
	}
	for i, p := range significance.Holm(seeds, a.Family) {
		a.Comparisons[i].Seeds.Corrected = p
	}
	if a.Metric == "test.average_precision" {
		if err := a.testRows(pairs[:min(most, len(pairs))], o); err != nil {
			return err
		}
	}
	for i := range a.Comparisons {
		a.Comparisons[i].conclude(a)
	}
	return nil
}

const (
	// rivals is how many configurations next to the reference are tested over rows
	// whatever the seeds say; of the others those that the seeds tell apart are, as
	// rows alone never make a difference.
	rivals = 3
	// fewDraws are enough for an interval; Efron and Tibshirani (An Introduction to
	// the Bootstrap, 1993, section 12.5) ask for 1,000.
	fewDraws = 1000
)

// testRows tests the first comparisons, whose pairs are given, over test rows, and
// corrects the p-values by Holm. A test that cannot decide anything stops after
// fewDraws: where the seeds tell nothing apart, or the interval holds 0 by then.
func (a *Analysis) testRows(pairs [][]pair, o Options) error {
	decides := func(i int) bool { return a.Comparisons[i].Seeds.Corrected < 1-Level }
	var tested []int
	var all [][]pair
	for i := range pairs {
		if i < rivals || decides(i) {
			tested, all = append(tested, i), append(all, pairs[i])
		}
	}
	kept, err := readScores(all)
	if err != nil {
		return err
	}
	resamples := o.Resamples
	if resamples == 0 {
		resamples = min(max(400*a.Family, 2000), 20000)
	}
	var rows []float64
	for _, i := range tested {
		c := &a.Comparisons[i]
		c.Rows = rowTest(pairs[i], kept, min(fewDraws, resamples), o.Seed)
		if r := c.Rows; r != nil && r.Reason == "" {
			if decides(i) && (r.Low > 0 || r.High < 0) && resamples > fewDraws {
				c.Rows = rowTest(pairs[i], kept, resamples, o.Seed)
			}
			rows = append(rows, c.Rows.P)
		}
	}
	rows = significance.Holm(rows, a.Family)
	for _, i := range tested {
		if r := a.Comparisons[i].Rows; r != nil && r.Reason == "" {
			r.Corrected, rows = rows[0], rows[1:]
		}
	}
	return nil
}

// pair is a replicate of two configurations with one seed.
type pair struct {
	a, b             float64
	folderA, folderB string
}

// pairUp pairs replicates by seed; those without a partner are left out.
func pairUp(a, b Configuration, name string) []pair {
	at := map[uint64]int{}
	for i, seed := range b.Seeds {
		at[seed] = i
	}
	var pairs []pair
	for i, seed := range a.Seeds {
		j, ok := at[seed]
		if !ok {
			continue
		}
		x, y := valueAt(a.Metrics[name], i), valueAt(b.Metrics[name], j)
		if x == nil || y == nil {
			continue
		}
		p := pair{a: *x, b: *y}
		if i < len(a.Folders) && j < len(b.Folders) {
			p.folderA, p.folderB = a.Folders[i], b.Folders[j]
		}
		pairs = append(pairs, p)
	}
	return pairs
}

func valueAt(values []*float64, i int) *float64 {
	if i >= len(values) {
		return nil
	}
	return values[i]
}

// readScores reads the test scores of all trials in pairs, on all cores, by their
// folders; those that kept none are nil.
func readScores(all [][]pair) (map[string]*scorefile.Part, error) {
	var folders []string
	for _, pairs := range all {
		for _, p := range pairs {
			folders = append(folders, p.folderA, p.folderB)
		}
	}
	slices.Sort(folders)
	folders = slices.Compact(folders)
	parts, failed := make([]*scorefile.Part, len(folders)), make([]error, len(folders))
	parallel.Each(len(folders), func(i int) {
		if folders[i] == "" {
			return
		}
		if parts[i], failed[i] = scorefile.ReadTest(folders[i]); errors.Is(failed[i], fs.ErrNotExist) {
			failed[i] = nil
		}
	})
	kept := map[string]*scorefile.Part{}
	for i, dir := range folders {
		kept[dir] = parts[i]
	}
	return kept, errors.Join(failed...)
}

// rowTest compares the average precisions of pairs over test rows, nil where
// they kept no scores. kept holds those of every folder.
func rowTest(pairs []pair, kept map[string]*scorefile.Part, resamples int, seed uint64) *RowTest {
	var replicates []metric.PairedScores
	connections := true
	for _, p := range pairs {
		a, b := kept[p.folderA], kept[p.folderB]
		if a == nil || b == nil {
			return nil
		}
		scores, reason := paired(*a, *b)
		if reason != "" {
			return &RowTest{Reason: reason}
		}
		connections = connections && a.Groups != nil
		replicates = append(replicates, scores)
	}
	if len(replicates) == 0 {
		return nil
	}
	found, reason := metric.PairedBootstrapAP(replicates, resamples, Level, seed)
	return &RowTest{PairedAP: found, Connections: connections, Reason: reason}
}

// paired sets two scorings of the same rows side by side.
func paired(a, b scorefile.Part) (metric.PairedScores, string) {
	if len(a.Rows) != len(b.Rows) {
		return metric.PairedScores{}, "their test parts are not the same rows"
	}
	for i, row := range a.Rows {
		if b.Rows[i] != row || a.Positive[i] != b.Positive[i] {
			return metric.PairedScores{}, "their test parts are not the same rows"
		}
	}
	unit := a.Groups
	if unit == nil {
		unit = a.Rows
	}
	return metric.PairedScores{A: a.Scores, B: b.Scores, Positive: a.Positive, Unit: unit}, ""
}
