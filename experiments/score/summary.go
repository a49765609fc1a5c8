package score

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"

	"flowbench/data/flowcsv"
	"flowbench/data/table"
	"flowbench/train"
	"flowbench/train/metric"
)

// Summary is what scoring came to.
type Summary struct {
	Model     string      `json:"model"` // kind
	Threshold float64     `json:"threshold"`
	Parts     string      `json:"parts"` // what an explanation's numbers are; "" without explanations
	Rows      int64       `json:"rows"`
	Alerts    int64       `json:"alerts"`
	Labels    []LabelRows `json:"labels"` // that occur, in the input's order; unlabelled rows are not among them
	Input     Account     `json:"input"`

	names    []string
	counts   []count
	positive map[string]bool
}

// LabelRows is what became of the rows of a label. Of attacks Alerts over Rows is
// the recall, of benign flows the false-positive rate; Low and High are the ends
// of the exact interval at metric.Level.
type LabelRows struct {
	Label  string  `json:"label"`
	Attack bool    `json:"attack"` // a positive of the model, or a label that it never saw
	Rows   int64   `json:"rows"`
	Alerts int64   `json:"alerts"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

func newSummary(model *train.Finished, opt Options, method string, labels []string) *Summary {
	s := &Summary{
		Model: model.Model.Config.Model.Kind, Threshold: opt.Threshold, Labels: []LabelRows{},
		names: labels, counts: make([]count, len(labels)), positive: map[string]bool{},
	}
	if opt.Explain != None {
		s.Parts = method
	}
	for i, name := range model.Model.Labels {
		s.positive[name] = model.Model.LabelClass[i] != 0
	}
	return s
}

// add takes in a batch.
func (s *Summary) add(b *batch) {
	for i, c := range b.counts {
		s.Rows, s.Alerts = s.Rows+c.rows, s.Alerts+c.alerts
		s.counts[i].rows += c.rows
		s.counts[i].alerts += c.alerts
	}
	s.Labels = s.Labels[:0]
	for i, c := range s.counts {
		if c.rows == 0 || s.names[i] == flowcsv.Unlabelled {
			continue
		}
		attack, known := s.positive[s.names[i]]
		s.Labels = append(s.Labels, LabelRows{Label: s.names[i], Attack: attack || !known, Rows: c.rows, Alerts: c.alerts})
	}
}

// finish computes the intervals.
func (s *Summary) finish() {
	for i := range s.Labels {
		l := &s.Labels[i]
		interval := metric.Proportion{K: int(l.Alerts), N: int(l.Rows)}.Interval(metric.Level)
		l.Low, l.High = interval.Low, interval.High
	}
}

// Write prints the summary for a terminal.
func (s *Summary) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s rows scored, %s alerts at a score of %.6g or more\n", table.Count(s.Rows), table.Count(s.Alerts), s.Threshold)
	if s.Parts != "" {
		fmt.Fprintf(out, "parts: %s\n", s.Parts)
	}
	if len(s.Labels) > 0 {
		t := table.New(table.Left("label"), table.Left("is"), table.Right("rows"), table.Right("alerts"), table.Right("share [95 %]"))
		for _, l := range s.Labels {
			what := "benign"
			if l.Attack {
				what = "attack"
			}
			t.Row(l.Label, what, table.Count(l.Rows), table.Count(l.Alerts), fmt.Sprintf("%.4f [%.4f, %.4f]", float64(l.Alerts)/float64(l.Rows), l.Low, l.High))
		}
		t.Write(out, "")
	}
	for _, d := range s.Input.Reasons {
		fmt.Fprintf(out, "dropped: %s rows, %s (the first at %s)\n", table.Count(d.Rows), d.Reason, d.First)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Input.MissingCells)) {
		fmt.Fprintf(out, "filled in as in training: %s missing cells of %s\n", table.Count(s.Input.MissingCells[name]), name)
	}
	return out.Flush()
}
