package page

import (
	"fmt"
	"strings"

	"flowbench/experiments/compare"
)

// listedPairs is how many comparisons a page lists, best first: as many as the
// pages of its table show at a time, eight times over. compare --json has all.
const listedPairs = 200

// addAnalysis puts the tests and the importance of parameters on the page.
func (s *Study) addAnalysis(a *compare.Analysis) {
	s.Ranking = ranking(a.Importance, s.Params)
	if len(a.Comparisons) == 0 {
		return
	}
	p := &Pairs{Best: a.Best(), Metric: figureOf(a.Metric).Label, Verdict: strings.Join(a.Sure(), " ")}
	over := ""
	for _, c := range a.Comparisons[:min(listedPairs, len(a.Comparisons))] {
		entry := Paired{
			Config: c.Name(), Difference: Number(c.Seeds.Difference.Mean), Low: Number(c.Seeds.Difference.Low), High: Number(c.Seeds.Difference.High),
			P: Number(c.Seeds.Corrected), Effect: Number(c.Seeds.CliffsDelta), Seeds: c.Seeds.Difference.N,
			Verdict: string(c.Verdict), Evaluable: c.Verdict != compare.Undecidable,
		}
		if r := c.Rows; r != nil && r.Reason == "" {
			entry.Rows = &PairedRows{Difference: Number(r.Difference), Low: Number(r.Low), High: Number(r.High), P: Number(r.Corrected)}
			over = fmt.Sprintf(" Over test rows: a paired bootstrap of %s, of which %d hold attacks.", r.Units(), r.PositiveUnits)
		}
		p.Entries = append(p.Entries, entry)
	}
	p.Method = fmt.Sprintf("Difference is %s's mean less the other's, with Student's 95 %% interval over seeds; p is of Wilcoxon's signed ranks over seeds, and where each seed has its own split the larger of that and Nadeau and Bengio's t-test, corrected by Holm for %s; the effect size is Cliff's delta.%s Different means that both tests say so.",
		strings.ReplaceAll(p.Best, "_", " "), plural(a.Family, "comparison"), over)
	if more := len(a.Comparisons) - len(p.Entries); more > 0 {
		p.Method += fmt.Sprintf(" %s more are in compare --json.", plural(more, "comparison"))
	}
	s.Pairs = p
}

// ranking is the importance of parameters by the names that the page has for them.
func ranking(w compare.Weight, params []Param) *Ranking {
	r := &Ranking{Method: "Share of the variance of " + figureOf(w.Metric).Label + " between configurations, by a " + w.Method + "; the line is the 5th to 95th percentile of the trees."}
	if w.Reason != "" {
		r.Note = capital(w.Reason) + "."
		return r
	}
	label := func(path string) string {
		for _, p := range params {
			if p.Path == path {
				return p.Label
			}
		}
		return strings.ReplaceAll(path, "_", " ")
	}
	rest := w.Rest
	for k, share := range append(w.Parameters[:len(w.Parameters):len(w.Parameters)], w.Pairs...) {
		var names []string
		for _, path := range share.Parameters {
			names = append(names, label(path))
		}
		if k >= len(w.Parameters) && share.Share < 0.01 { // a pair that a chart does not show
			rest += share.Share
			continue
		}
		r.Entries = append(r.Entries, Importance{strings.Join(names, " with "), Number(share.Share), Number(share.Low), Number(share.High)})
	}
	r.Note = fmt.Sprintf("%s, %d trees; the forest foretells %.0f %% of the differences between configurations that it was not shown. A parameter that stands with another is what both do together beyond what each does alone; all else comes to %s.",
		capital(plural(w.Configurations, "configuration")), w.Trees, 100*w.Explained, shown(rest))
	return r
}
