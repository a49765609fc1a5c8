package study

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flowbench/data/prepared"
	"flowbench/experiments/dataset"
	"flowbench/experiments/spec"
	"flowbench/train/checkpoint"
)

// Prepare makes the study's flows ready and writes its data report; what is
// there already is left alone. progress sees the bytes read so far and in all.
// An error in the flows, or in what the spec asks of them, comes here, before
// any trial.
func (s *Study) Prepare(ctx context.Context, progress func(done, total int64)) error {
	path := filepath.Join(s.Dir, reportName)
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	run := s.Plan.Configurations[0].run
	set, err := dataset.Open(ctx, run.Data, filepath.Join(s.Dir, dataName), progress)
	if err != nil {
		return err
	}
	defer set.Close()
	first, err := s.Run(0)
	if err != nil {
		return err
	}
	ds, err := dataset.New(set, first.Data)
	if err != nil {
		return err
	}
	if err := ds.Check(); err != nil {
		return err
	}
	var text bytes.Buffer
	if err := writeDataReport(&text, set, ds, run.Data); err != nil {
		return err
	}
	if err := checkpoint.WriteFile(path, text.Bytes()); err != nil {
		return fmt.Errorf("data report: %w", err)
	}
	return nil
}

// writeDataReport says what the flows hold, what was left out, how they are
// split, what a careless split would have leaked, and which single features
// give the attacks away.
func writeDataReport(w io.Writer, set *prepared.Set, ds *dataset.Dataset, d spec.Data) error {
	section := func(title string) { fmt.Fprintf(w, "\n%s\n%s\n", title, strings.Repeat("-", len(title))) }
	m := set.Manifest()
	fmt.Fprintf(w, "flows: %s\nfingerprint %s\n", m.Source, m.Fingerprint)
	if m.Synthetic {
		fmt.Fprintln(w, "THESE FLOWS ARE SYNTHETIC: good for trying things out, no evidence on real traffic.")
	}
	section("Ledger")
	if err := m.Ledger.Check(); err != nil {
		return fmt.Errorf("the ledger's sums are wrong, which is a fault of flowbench: %w", err)
	}
	if err := m.Ledger.WriteTable(w); err != nil {
		return err
	}
	section("Rows in play")
	writeSelection(w, ds, d)
	if ds.Deduplication != nil {
		if err := ds.Deduplication.WriteText(w); err != nil {
			return err
		}
	}
	section("Split (first replicate)")
	if err := ds.Summary().WriteText(w); err != nil {
		return err
	}
	section("What a plain random split would leak")
	if err := ds.Leakage.WriteText(w); err != nil {
		return err
	}
	return nil
}

func writeSelection(w io.Writer, ds *dataset.Dataset, d spec.Data) {
	fmt.Fprintf(w, "%d rows in play, classes %s\n", len(ds.Rows.Keep), strings.Join(ds.Classes, ", "))
	var others []string
	for label, n := range ds.OtherRows {
		others = append(others, fmt.Sprintf("%s %d", label, n))
	}
	if len(others) > 0 {
		slices.Sort(others)
		fmt.Fprintf(w, "left out by data.other_labels: %s\n", strings.Join(others, ", "))
	}
	fmt.Fprintf(w, "%d columns in use; left out by data.drop: %s; constant in train: %s\n",
		ds.Cols, orNone(d.Drop), orNone(ds.Constant))
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
