package report

import (
	"io"

	"flowbench/data/split"
)

// Report is what a run says of its data before it trains on them. Fields that
// are nil are left out.
type Report struct {
	// Source is where the rows come from, Fingerprint the prepared set's.
	Source        string               `json:"source"`
	Fingerprint   string               `json:"fingerprint,omitempty"`
	Synthetic     bool                 `json:"synthetic"`
	Deduplication *split.Deduplication `json:"deduplication,omitempty"`
	Split         *split.Summary       `json:"split,omitempty"`
	Leakage       *split.Leakage       `json:"leakage,omitempty"`
	Features      []*Features          `json:"features,omitempty"` // one a task
}

// WriteText prints the report for a terminal of 100 columns. It returns the
// first error of w.
func (r Report) WriteText(w io.Writer) error {
	out := &printer{w: w}
	out.printf("Data: %s\n", r.Source)
	if r.Synthetic {
		out.printf("  synthetic: no row was seen on a network\n")
	}
	if r.Fingerprint != "" {
		out.printf("  fingerprint %s\n", r.Fingerprint)
	}
	if r.Deduplication != nil {
		out.section("Rows in play, and duplicates dropped before the split (equal in the columns in use and the label)", r.Deduplication)
	}
	if r.Split != nil {
		out.section("Rows of each part, and in brackets their connections", r.Split)
	}
	if r.Leakage != nil {
		out.section("", r.Leakage)
	}
	for _, f := range r.Features {
		out.section("", f)
	}
	return out.err
}

// section prints an empty line, a title where there is one, and the body.
func (p *printer) section(title string, body interface{ WriteText(io.Writer) error }) {
	p.printf("\n")
	if title != "" {
		p.printf("%s\n", title)
	}
	if p.err == nil {
		p.err = body.WriteText(p.w)
	}
}
