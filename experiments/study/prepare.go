package study

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"flowbench/data/report"
	"flowbench/experiments/dataset"
	"flowbench/experiments/spec"
)

// Prepare makes the study's flows ready and writes its data report; what is
// there already is left alone. progress sees the bytes read so far and in all.
// It returns what people should know of the flows at once: any single column
// that gives the attacks away. An error in the flows, or in what the spec asks
// of them, comes here, before any trial.
func (s *Study) Prepare(ctx context.Context, progress func(done, total int64)) (warnings []string, err error) {
	set, err := s.openFlows(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	if there, err := s.hasDataReport(); there || err != nil {
		return nil, err
	}
	run, err := s.Run(0)
	if err != nil {
		return nil, err
	}
	ds, err := dataset.New(set, run.Data)
	if err != nil {
		return nil, err
	}
	if err := ds.Check(); err != nil {
		return nil, err
	}
	features := report.SingleFeatures(ds.SingleFeatureInput(set))
	found, err := dataReport(set, ds, run.Data, features)
	if err != nil {
		return nil, err
	}
	for _, n := range features.Named {
		warnings = append(warnings, warning(n))
	}
	return warnings, found.keep(s.Dir, run.Data, ds)
}

func warning(n report.Named) string {
	if n.Used {
		return fmt.Sprintf("a single column gives the attacks away, and models see it: %s; scores say little unless data.drop leaves it out", n.Text)
	}
	return fmt.Sprintf("a single column gives the attacks away, and is left out: %s", n.Text)
}

// writeText says what the flows hold, what was left out, how they are split, what
// a careless split would have leaked, and what single columns show.
func (r *DataReport) writeText(w io.Writer, ds *dataset.Dataset, d spec.Data) error {
	if err := r.Ledger.WriteTable(w); err != nil {
		return err
	}
	writeSelection(w, ds, d)
	return r.Report.WriteText(w)
}

func writeSelection(w io.Writer, ds *dataset.Dataset, d spec.Data) {
	fmt.Fprintf(w, "\n%d rows in play, classes %s\n", len(ds.Rows.Keep), strings.Join(ds.Classes, ", "))
	var others []string
	for label, n := range ds.OtherRows {
		others = append(others, fmt.Sprintf("%s %d", label, n))
	}
	if len(others) > 0 {
		slices.Sort(others)
		fmt.Fprintf(w, "left out by data.other_labels: %s\n", strings.Join(others, ", "))
	}
	fmt.Fprintf(w, "%d columns in use; left out by data.drop: %s; constant in train: %s\n\n",
		ds.Cols, orNone(d.Drop), orNone(ds.Constant))
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
