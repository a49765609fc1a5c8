// Package inspect looks at flows before anybody trains on them: what the
// columns hold, what is missing, constant or said twice, how the labels are
// spread, what moves together, and which column gives a class away.
package inspect

import "flowbench/data/prepared"

// Flows is the table to look at. Nothing in it is written or kept.
type Flows struct {
	Source      string
	Fingerprint string
	Synthetic   bool
	// Features is row-major with a name in Columns for each of its columns. Cells
	// that are not finite are missing.
	Features []float32
	Columns  []string
	// Labels holds one index into LabelNames a row. Benign is the label that all
	// others are told from.
	Labels     []int32
	LabelNames []string
	Benign     int32
	// Files holds one index into FileNames a row, or is nil.
	Files     []int32
	FileNames []string
}

// Of is the Flows of a prepared set, whose memory it shares.
func Of(set *prepared.Set) Flows {
	m := set.Manifest()
	return Flows{
		Source: m.Source, Fingerprint: m.Fingerprint, Synthetic: m.Synthetic,
		Features: set.Features(), Columns: m.Columns,
		Labels: set.Labels(), LabelNames: m.Labels, Benign: 0, // prepared lists BENIGN first
		Files: set.Files(), FileNames: m.FileNames(),
	}
}

// check panics where the slices do not fit together: a programmer's mistake.
func (f Flows) check() {
	switch {
	case len(f.Columns) == 0 || len(f.Labels)*len(f.Columns) != len(f.Features):
		panic("inspect: len(Features) is not labels × columns")
	case f.Files != nil && len(f.Files) != len(f.Labels):
		panic("inspect: len(Files) is not the number of rows")
	case int(f.Benign) >= len(f.LabelNames):
		panic("inspect: Benign is no label")
	}
}

func (f Flows) row(i int) []float32 {
	return f.Features[i*len(f.Columns) : (i+1)*len(f.Columns)]
}

func finite(x float32) bool { return x-x == 0 }
