package study

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"flowbench/data/ledger"
	"flowbench/data/prepared"
	"flowbench/data/report"
	"flowbench/experiments/dataset"
	"flowbench/experiments/spec"
	"flowbench/train/checkpoint"
)

// reportValuesName is data-report.txt as values, for programs.
const reportValuesName = "data-report.json"

// DataReport is what a study says of its flows before it trains on them.
type DataReport struct {
	report.Report
	Ledger   *ledger.Ledger `json:"ledger"`
	Rows     int            `json:"rows_in_play"`
	Classes  []string       `json:"classes"`
	Columns  int            `json:"columns_in_use"`
	Dropped  []string       `json:"dropped_columns"`  // by data.drop
	Constant []string       `json:"constant_columns"` // in the train part
	// OtherRows counts rows that data.other_labels leaves out, by label.
	OtherRows map[string]int `json:"other_rows,omitempty"`
}

// dataReport puts together what writeText prints.
func dataReport(set *prepared.Set, ds *dataset.Dataset, d spec.Data, features *report.Features) (*DataReport, error) {
	m := set.Manifest()
	if err := m.Ledger.Check(); err != nil {
		return nil, fmt.Errorf("the ledger's sums are wrong, which is a fault of flowbench: %w", err)
	}
	summary := ds.Summary()
	leakage, err := ds.CarelessLeakage(d.Split.Config)
	if err != nil {
		return nil, err
	}
	return &DataReport{
		Report: report.Report{
			Source: m.Source, Fingerprint: m.Fingerprint, Synthetic: m.Synthetic,
			Deduplication: ds.Deduplication, Split: &summary, Leakage: &leakage,
			Features: []*report.Features{features},
		},
		Ledger: m.Ledger, Rows: len(ds.Rows.Keep), Classes: ds.Classes,
		Columns: ds.Cols, Dropped: d.Drop, Constant: ds.Constant, OtherRows: ds.OtherRows,
	}, nil
}

// keep writes both forms into the study's folder, the text last: it says that
// both are there.
func (r *DataReport) keep(dir string, d spec.Data, ds *dataset.Dataset) error {
	var text bytes.Buffer
	if err := r.writeText(&text, ds, d); err != nil {
		return err
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("data report: %w", err)
	}
	if err := checkpoint.WriteFile(filepath.Join(dir, reportValuesName), append(raw, '\n')); err != nil {
		return explain(err)
	}
	return explain(checkpoint.WriteFile(filepath.Join(dir, reportName), text.Bytes()))
}

// hasDataReport says whether both forms are there.
func (s *Study) hasDataReport() (bool, error) {
	for _, name := range []string{reportValuesName, reportName} {
		_, err := os.Stat(filepath.Join(s.Dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("study: %w", err)
		}
	}
	return true, nil
}

// DataReport reads what the study said of its flows: the values, nil in studies
// from before they were kept, and the text, empty before the flows were read.
func (s *Study) DataReport() (values *DataReport, text string, err error) {
	written, err := os.ReadFile(filepath.Join(s.Dir, reportName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("study: %w", err)
	}
	path := filepath.Join(s.Dir, reportValuesName)
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, string(written), nil
	case err != nil:
		return nil, "", fmt.Errorf("study: %w", err)
	}
	values = &DataReport{}
	if err := json.Unmarshal(raw, values); err != nil {
		return nil, "", fmt.Errorf("study: %s: %w; remove it, and the next sweep of %s writes it again", path, err, s.Dir)
	}
	return values, string(written), nil
}
