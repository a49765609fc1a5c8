// Package dataset turns what a spec says about flows into what a trial trains on:
// sources into a prepared set, and its rows into classes, parts and a scaled matrix.
package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"flowbench/data/prepared"
	"flowbench/data/report"
	"flowbench/data/scale"
	"flowbench/data/schema"
	"flowbench/data/split"
	"flowbench/data/suggest"
	"flowbench/experiments/spec"
	"flowbench/train"
)

// Dataset is a prepared set as one run sees it: its rows in play, its classes,
// its split, and the scaled matrix.
type Dataset struct {
	*train.Data
	Scaler        *scale.Scaler
	Rows          split.Rows // the unscaled table that was split, rows in play in Keep
	Split         split.Split
	Leakage       split.Leakage
	Deduplication *split.Deduplication // nil where duplicates are kept
	// Constant lists the columns in use that are the same in all train rows; no
	// model sees them.
	Constant []string
	// OtherRows counts the rows left out because their label is neither benign
	// nor positive, by label.
	OtherRows map[string]int

	scaled         []int   // the columns of the table behind the scaled matrix's
	classOf        []int32 // label to class, left where its rows are out
	undeduplicated []int32 // the rows in play before duplicates were dropped
}

// New selects, splits and scales the rows of set as d says. The scaled
// matrix is a copy: 4 bytes a cell of the rows in play.
func New(set *prepared.Set, d spec.Data) (*Dataset, error) {
	m := set.Manifest()
	ds := &Dataset{OtherRows: map[string]int{}}
	columns, err := columnsInUse(m.Columns, d.Drop)
	if err != nil {
		return nil, err
	}
	classOf, classes, err := classesOf(m.Labels, set.Labels(), d)
	if err != nil {
		return nil, err
	}
	ds.Rows = split.Rows{
		Features: set.Features(), Cols: len(m.Columns),
		Labels: set.Labels(), LabelNames: m.Labels,
		Groups: connections(set), Files: set.Files(), FileNames: m.FileNames(),
		Keep: ds.inPlay(set.Labels(), m.Labels, classOf), Columns: columns,
	}
	ds.undeduplicated = ds.Rows.Keep
	if d.Duplicates == "drop" {
		keep, dropped := split.Deduplicate(ds.Rows)
		ds.Rows.Keep, ds.Deduplication = keep, &dropped
	}
	if ds.Split, ds.Leakage, err = split.Make(d.Split.Config, ds.Rows); err != nil {
		return nil, fmt.Errorf("data.%w", err)
	}
	if err := ds.fitScaler(m.Columns, d); err != nil {
		return nil, err
	}
	ds.classOf = classOf
	ds.Data = ds.table(m.Labels, classes, d)
	ds.Fingerprint, ds.Flows = fingerprint(m, d), m.Fingerprint
	ds.Preparation = &train.Preparation{
		Flows: m.Fingerprint, Scaler: ds.Scaler, Dropped: append([]string{}, d.Drop...), Constant: append([]string{}, ds.Constant...), LabelClass: classOf,
	}
	return ds, nil
}

// Summary counts what each part holds.
func (ds *Dataset) Summary() split.Summary { return split.Summarise(ds.Split, ds.Rows) }

// connections is the connection of each row, or nil where no file has addresses:
// the set's groups are its duplicates then, which no split lets cross anyway.
func connections(set *prepared.Set) []int64 {
	for _, f := range set.Manifest().Files {
		if f.Form != string(schema.Form79) {
			return set.Groups()
		}
	}
	return nil
}

// CarelessLeakage says what a plain random split of the flows as they came would
// have let cross. The Leakage of a split whose duplicates were dropped first
// cannot show them.
func (ds *Dataset) CarelessLeakage(cfg split.Config) (split.Leakage, error) {
	if ds.Deduplication == nil {
		return ds.Leakage, nil
	}
	rows := ds.Rows
	rows.Keep = ds.undeduplicated
	return split.PlainLeakage(cfg, rows)
}

// SingleFeatureInput asks what each column of set shows alone, on the rows in play.
func (ds *Dataset) SingleFeatureInput(set *prepared.Set) report.Input {
	var positive []int32
	for label, class := range ds.classOf {
		if class > 0 {
			positive = append(positive, int32(label))
		}
	}
	return report.Input{
		Task:     strings.Join(ds.Classes[1:], ", ") + " against " + ds.Classes[0],
		Features: ds.Rows.Features, Columns: set.Manifest().Columns,
		Labels: ds.Rows.Labels, Positive: positive,
		Rows: ds.Rows.Keep, Used: ds.Rows.Columns,
	}
}

// table copies the rows in play into a scaled matrix and renumbers everything to it.
func (ds *Dataset) table(labels, classes []string, d spec.Data) *train.Data {
	keep, cols := ds.Rows.Keep, len(ds.Scaler.Columns)
	t := &train.Data{
		X: make([]float32, len(keep)*cols), Rows: len(keep), Cols: cols, Columns: ds.Scaler.Columns,
		Class: make([]int32, len(keep)), Classes: classes,
		Label: make([]int32, len(keep)), Labels: labels,
		Train:       positions(keep, ds.Split.Train),
		Validation:  positions(keep, ds.Split.Validation),
		Test:        positions(keep, ds.Split.Test),
		FlowsPerDay: d.FlowsPerDay,
		Source:      keep,
	}
	ds.Scaler.Transform(t.X, ds.Rows.Features, ds.Rows.Cols, ds.scaled, keep)
	for i, row := range keep {
		t.Label[i] = ds.Rows.Labels[row]
		t.Class[i] = ds.classOf[t.Label[i]]
	}
	if ds.Rows.Groups != nil {
		t.Group = make([]int32, len(keep)) // which number no more than the rows
		for i, row := range keep {
			t.Group[i] = int32(ds.Rows.Groups[row])
		}
	}
	return t
}

// positions turns ascending rows into their places in the ascending keep.
func positions(keep, rows []int32) []int32 {
	places := make([]int32, len(rows))
	at := 0
	for i, row := range rows {
		for keep[at] != row {
			at++
		}
		places[i] = int32(at)
	}
	return places
}

// fitScaler fits the formula on the train part. Columns that are constant there
// teach nothing and are left out: an autoencoder's score would count them.
func (ds *Dataset) fitScaler(names []string, d spec.Data) error {
	r := ds.Rows
	fitted, err := scale.Fit(r.Features, r.Cols, r.Columns, names, ds.Split.Train, d.Scale)
	if err != nil {
		return err
	}
	kept := &scale.Scaler{Func: fitted.Func, Clip: float32(d.Clip)}
	for i, c := range r.Columns {
		if fitted.InvStd[i] == 0 {
			ds.Constant = append(ds.Constant, names[c])
			continue
		}
		ds.scaled = append(ds.scaled, c)
		kept.Columns = append(kept.Columns, names[c])
		kept.Fill = append(kept.Fill, fitted.Fill[i])
		kept.Mean = append(kept.Mean, fitted.Mean[i])
		kept.InvStd = append(kept.InvStd, fitted.InvStd[i])
	}
	if len(ds.scaled) == 0 {
		return fmt.Errorf("data.source: every column in use is constant over the %d train rows; there is nothing to learn from", len(ds.Split.Train))
	}
	ds.Scaler = kept
	return nil
}

func columnsInUse(all, drop []string) (columns []int, err error) {
	for i, name := range drop {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("data.drop[%d]: the flows have no column %q%s", i, name, suggest.DidYouMean(name, all))
		}
	}
	for i, name := range all {
		if !slices.Contains(drop, name) {
			columns = append(columns, i)
		}
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("data.drop: leaves no column to learn from")
	}
	return columns, nil
}

// left marks a label whose rows are not in play.
const left = -1

// classesOf maps label indices to classes, left where their rows are out, and
// names the classes. Labels without a row have no class of their own.
func classesOf(labels []string, rows []int32, d spec.Data) (classOf []int32, classes []string, err error) {
	counts := make([]int, len(labels))
	for _, l := range rows {
		counts[l]++
	}
	var present []string
	for i, n := range counts {
		if n > 0 {
			present = append(present, labels[i])
		}
	}
	if !slices.Contains(present, schema.Benign) {
		return nil, nil, fmt.Errorf("data.source: no row is labelled %s (the labels are %q); a detector needs benign flows", schema.Benign, present)
	}
	classOf = make([]int32, len(labels))
	for i := range classOf {
		classOf[i] = left
	}
	if d.Task == "multiclass" {
		return manyClasses(classOf, labels, counts)
	}
	for i, p := range d.Positive {
		if !slices.Contains(present, p) {
			return nil, nil, fmt.Errorf("data.positive[%d]: no row is labelled %q%s (the labels are %q)", i, p, suggest.DidYouMean(p, present), present)
		}
	}
	for i, label := range labels {
		switch {
		case slices.Contains(d.Positive, label):
			classOf[i] = 1
		case label == schema.Benign || d.OtherLabels == "negative":
			classOf[i] = 0
		}
	}
	positive := "attack"
	if len(d.Positive) == 1 {
		positive = d.Positive[0]
	}
	return classOf, []string{schema.Benign, positive}, nil
}

// manyClasses gives every label with rows a class, benign the first.
func manyClasses(classOf []int32, labels []string, counts []int) ([]int32, []string, error) {
	classes := []string{schema.Benign}
	for i, label := range labels {
		switch {
		case label == schema.Benign:
			classOf[i] = 0
		case counts[i] > 0:
			classOf[i] = int32(len(classes))
			classes = append(classes, label)
		}
	}
	if len(classes) < 2 {
		return nil, nil, fmt.Errorf("data.source: every row is labelled %s; a classifier needs a second class", schema.Benign)
	}
	return classOf, classes, nil
}

// inPlay lists the rows whose label has a class, and counts the others.
func (ds *Dataset) inPlay(rows []int32, labels []string, classOf []int32) []int32 {
	keep := make([]int32, 0, len(rows))
	for i, l := range rows {
		if classOf[l] == left {
			ds.OtherRows[labels[l]]++
			continue
		}
		keep = append(keep, int32(i))
	}
	return keep
}

// fingerprint names the matrix that d makes of the flows of m, wherever they lie.
func fingerprint(m *prepared.Manifest, d spec.Data) string {
	d.Source = nil
	raw, err := json.Marshal(struct {
		Flows string
		Files []prepared.File // a split by file depends on them
		Data  spec.Data
	}{m.Fingerprint, m.Files, d})
	if err != nil {
		panic("dataset: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
