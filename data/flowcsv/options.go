package flowcsv

import (
	"errors"
	"fmt"
	"slices"

	"flowbench/data/schema"
)

// BadRows says what to do with a row that cannot be read.
type BadRows string

// The policies for bad rows.
const (
	// Fail ends the read with an Error at the first bad row. It is the default.
	Fail BadRows = "fail"
	// Drop leaves bad rows out and counts them in the ledger by reason.
	Drop BadRows = "drop"
)

// Options say how to read. The zero value is strict.
type Options struct {
	BadRows BadRows
	// Labels lists labels beyond schema.KnownLabels.
	Labels []string
	// IgnoreColumns lists further columns that files may have, in any spelling.
	IgnoreColumns []string
	// Attempted says what becomes of flows that the corrected form marks as
	// attempted attacks, by label or by a category other than -1. The default is
	// schema.AttemptedKeep.
	Attempted schema.Attempted
	// Extras keeps schema.Extras as further columns; every file must have them.
	Extras bool
	// Columns, where there are any, are the features in place of those of the
	// known schema: normalised names, which every file must have beside the label
	// (see FeatureColumns). Extras is not allowed with them.
	Columns []string
	// Need, where there are any, are the canonical features that a file must have:
	// other features and the label may be missing, and unknown columns are skipped.
	// Cells of a column that the file lacks are NaN and no missing cells in the
	// ledger. A row whose label is missing or not listed has the label Unlabelled.
	Need []string
	// Numbered fills in Block.Lines.
	Numbered bool
	// Ungrouped leaves out groups and the count of duplicates, so that memory
	// does not grow with the rows: Block.Groups is nil.
	Ungrouped bool
	// MaxLine is the longest line in bytes; 0 means DefaultMaxLine.
	MaxLine int
}

// withDefaults fills in the zero values and checks the others.
func (o Options) withDefaults() (Options, error) {
	if o.BadRows == "" {
		o.BadRows = Fail
	}
	if o.BadRows != Fail && o.BadRows != Drop {
		return o, fmt.Errorf("bad rows: %q is neither %q nor %q", o.BadRows, Fail, Drop)
	}
	switch o.Attempted {
	case "":
		o.Attempted = schema.AttemptedKeep
	case schema.AttemptedKeep, schema.AttemptedBenign, schema.AttemptedAttack:
	default:
		return o, fmt.Errorf("attempted: %q is none of %q, %q, %q", o.Attempted,
			schema.AttemptedKeep, schema.AttemptedBenign, schema.AttemptedAttack)
	}
	if len(o.Columns) > 0 {
		if o.Extras {
			return o, errors.New("columns: given ones have no extra columns; turn one of the two options off")
		}
		if err := checkColumns(o.Columns); err != nil {
			return o, err
		}
	}
	if len(o.Need) > 0 {
		if err := o.checkNeed(); err != nil {
			return o, err
		}
		o.Labels = append(slices.Clone(o.Labels), Unlabelled)
	}
	if o.MaxLine < 0 {
		return o, fmt.Errorf("longest line: %d is negative", o.MaxLine)
	}
	if o.MaxLine == 0 {
		o.MaxLine = DefaultMaxLine
	}
	return o, nil
}

// Unlabelled is the label of rows without one, where Options.Need allows them.
const Unlabelled = "unlabelled"

func (o Options) checkNeed() error {
	if len(o.Columns) > 0 || o.Extras {
		return errors.New("need: columns that are not of the known schema are not read by name; turn the other option off")
	}
	known := schema.Features()
	for _, name := range o.Need {
		if !slices.Contains(known, name) {
			return fmt.Errorf("need: %q is no column of flow records in CSV", name)
		}
	}
	return nil
}
