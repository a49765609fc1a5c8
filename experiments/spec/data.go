package spec

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"flowbench/data/schema"
	"flowbench/data/split"
	"flowbench/data/synth"
	"flowbench/train"
)

// Data says which flows a run learns from and what is done to them first.
type Data struct {
	// Source is what is read: synth:// URIs, CSV files, folders, globs, or one
	// prepared folder. Load has put the folder of the spec before relative paths.
	Source Sources `yaml:"source" json:"source"`
	// Positive lists the labels to detect, in canonical spelling. Empty for a multiclass task.
	Positive []string `yaml:"positive" json:"positive"`
	// OtherLabels says what becomes of rows whose label is neither BENIGN nor in
	// Positive: "drop" or "negative".
	OtherLabels string `yaml:"other_labels" json:"other_labels"`
	// Task is binary (Positive against the rest) or multiclass (every label is a
	// class of its own, and an alert is a row that is not BENIGN).
	Task string `yaml:"task" json:"task"`
	// Drop lists the columns that no model sees, in canonical spelling.
	Drop []string `yaml:"drop" json:"drop"`
	// Duplicates is keep, or drop: of rows with equal features in use and equal
	// label the first stays. Dropping comes before splitting.
	Duplicates string `yaml:"duplicates" json:"duplicates"`
	Split      Split  `yaml:"split" json:"split"`
	// Scale is the function before standardisation: signed_log1p or identity.
	Scale string `yaml:"scale" json:"scale"`
	// Clip bounds scaled values, in standard deviations; 0 leaves them unbounded.
	Clip float64 `yaml:"clip" json:"clip"`
	// ExtraLabels lists labels of the flows that the schema does not know.
	ExtraLabels []string `yaml:"extra_labels" json:"extra_labels"`
	// FlowsPerDay is the rate at which alerts a day are given.
	FlowsPerDay float64 `yaml:"flows_per_day" json:"flows_per_day"`
}

// Split says how rows are parted into train, validation and test.
type Split struct {
	split.Config `yaml:",inline"`
	// PerReplicate makes replicate r of a sweep draw its own split, with Seed + r.
	PerReplicate bool `yaml:"per_replicate" json:"per_replicate"`
}

// Sources is a list of inputs that a spec may write as one text.
type Sources []string

func (s *Sources) read(v value, path string) *Error {
	if v.kind == text {
		v = value{kind: list, items: []value{v}, at: v.at}
	}
	var all []string
	if v.kind != list {
		return v.at.errorf(path, "must be a file, a folder, a glob, a synth:// URI, or a list of these, not %s", v.describe())
	}
	for i, item := range v.items {
		if item.kind != text || item.text == "" {
			return item.at.errorf(fmt.Sprintf("%s[%d]", path, i), "must be text, not %s%s", item.describe(), quoteHint(item))
		}
		if err := checkSource(item.text); err != nil {
			return item.at.errorf(path, "%v", err)
		}
		all = append(all, item.text)
	}
	if len(all) == 0 {
		return v.at.errorf(path, "is empty: name a file, a folder, a glob or a synth:// URI")
	}
	*s = all
	return nil
}

// checkSource refuses an address that could never be read. Whether a file is
// there is seen when it is opened.
func checkSource(address string) error {
	scheme, _, ok := strings.Cut(address, "://")
	switch {
	case strings.HasPrefix(address, synth.Scheme):
		_, err := synth.Parse(address)
		return err
	case ok:
		return fmt.Errorf("%s:// is not read, only files and %s are: download the flows first", scheme, synth.Scheme)
	}
	return nil
}

// within returns the sources with folder before each relative path.
func (s Sources) within(folder string) Sources {
	joined := slices.Clone(s)
	for i, path := range joined {
		if !strings.HasPrefix(path, synth.Scheme) && !filepath.IsAbs(path) {
			joined[i] = filepath.Join(folder, path)
		}
	}
	return joined
}

// cicidsFlowsPerDay is the mean of the five days of CICIDS2017: 2,830,743 flows.
const cicidsFlowsPerDay = 566_000

// complete gives what was not given its default, and labels and columns their
// canonical spelling.
func (d *Data) complete(given func(field string) bool) error {
	defaults := Data{
		OtherLabels: "drop", Task: "binary", Drop: []string{schema.DestinationPort}, Duplicates: "keep",
		Scale: "signed_log1p", FlowsPerDay: cicidsFlowsPerDay,
	}
	setText(&d.OtherLabels, defaults.OtherLabels)
	setText(&d.Task, defaults.Task)
	setText(&d.Duplicates, defaults.Duplicates)
	setText(&d.Scale, defaults.Scale)
	if !given("data.drop") {
		d.Drop = defaults.Drop
	}
	if !given("data.flows_per_day") {
		d.FlowsPerDay = defaults.FlowsPerDay
	}
	d.Split.complete(given)
	return d.canonicalise()
}

func (s *Split) complete(given func(field string) bool) {
	setText(&s.By, split.ByGroup)
	if !given("data.split.seed") {
		s.Seed = 1
	}
	if given("data.split.train") || given("data.split.validation") || given("data.split.test") {
		return
	}
	switch {
	case s.By != split.ByFile:
		s.Train, s.Validation, s.Test = 0.6, 0.2, 0.2
	case len(s.ValidationFiles) == 0:
		s.Validation = 0.2 // of the train files' rows
	}
}

func setText(to *string, value string) {
	if *to == "" {
		*to = value
	}
}

// canonicalise puts columns and labels into their canonical spelling. Lists that
// were not given become empty ones, so that equal specs have equal JSON.
func (d *Data) canonicalise() error {
	for _, l := range []*[]string{&d.Positive, &d.Drop, &d.ExtraLabels} {
		*l = append([]string{}, *l...)
	}
	for i, name := range d.Drop {
		canonical, err := schema.Canonical(name)
		if err != nil {
			return &train.FieldError{Field: fmt.Sprintf("data.drop[%d]", i), Problem: err.Error()}
		}
		d.Drop[i] = canonical
	}
	labels, err := schema.NewLabels(d.ExtraLabels)
	if err != nil {
		return &train.FieldError{Field: "data.extra_labels", Problem: err.Error()}
	}
	for i, name := range d.Positive {
		n, err := labels.Parse([]byte(name))
		if err != nil {
			return &train.FieldError{Field: fmt.Sprintf("data.positive[%d]", i), Problem: err.Error() + " (data.extra_labels adds labels)"}
		}
		d.Positive[i] = labels.Names()[n]
	}
	return nil
}

// headRules are those of the keys before the first section.
func headRules() []train.Rule {
	return []train.Rule{
		{Field: "name", Doc: "name of the study, and of its folder"},
		{Field: "seed", Range: train.Between(0, maxSeed), Doc: "seed of weights, batches, dropout and noise of a single run; a sweep derives its own"},
	}
}

// maxSeed is the largest seed: beyond it JSON readers round whole numbers.
const maxSeed = 1<<53 - 1

func dataRules() []train.Rule {
	return []train.Rule{
		{Field: "data.source", Doc: "synth:// URI, CSV file, folder, glob or prepared folder, or a list of these; relative to the spec"},
		{Field: "data.positive", Doc: "labels to detect"},
		{Field: "data.other_labels", OneOf: []string{"drop", "negative"}, Doc: "what becomes of rows that are neither BENIGN nor positive"},
		{Field: "data.task", OneOf: []string{"binary", "multiclass"}, Doc: "positive against the rest, or every label its own class"},
		{Field: "data.drop", Doc: "columns that no model sees; destination_port unless written"},
		{Field: "data.duplicates", OneOf: []string{"keep", "drop"}, Doc: "whether equal rows are dropped before splitting"},
		{Field: "data.split.by", OneOf: []string{"random", "group", "file"}, Doc: "what may not be parted"},
		{Field: "data.split.train", Range: share(), Doc: "share of the rows to train on"},
		{Field: "data.split.validation", Range: share(), Doc: "share of the rows to choose thresholds and stop early on"},
		{Field: "data.split.test", Range: share(), Doc: "share of the rows to report on"},
		{Field: "data.split.seed", Range: train.Between(0, maxSeed), Doc: "seed of the split"},
		{Field: "data.split.per_replicate", Doc: "each replicate of a sweep draws its own split, with seed + replicate"},
		{Field: "data.split.train_files", Doc: "globs on file names"},
		{Field: "data.split.validation_files", Doc: "globs on file names"},
		{Field: "data.split.test_files", Doc: "globs on file names"},
		{Field: "data.clip", Range: train.FromZero(), Doc: "bound of scaled values in standard deviations; 0 for none"},
		{Field: "data.scale", OneOf: []string{"signed_log1p", "identity"}, Doc: "function before standardisation"},
		{Field: "data.extra_labels", Doc: "labels beyond those of CICIDS2017"},
		{Field: "data.flows_per_day", Range: train.Positive(), Doc: "rate at which alerts a day are given"},
	}
}

// share is (0, 1): a part of the rows, with something left for the others.
func share() *train.Range { return &train.Range{Max: 1, OpenMin: true, OpenMax: true} }

// validate checks what no single field shows. The rules were checked when the
// fields were read.
func (d Data) validate() error {
	for _, check := range []func() *train.FieldError{d.checkLabels, d.checkDrop, d.Split.check} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (d Data) checkLabels() *train.FieldError {
	switch {
	case len(d.Source) == 0:
		return &train.FieldError{Field: "data.source", Problem: "is missing: name a file, a folder, a glob or a synth:// URI"}
	case d.Task == "binary" && len(d.Positive) == 0:
		return &train.FieldError{Field: "data.positive", Problem: "is missing: list the labels to detect, such as [Infiltration]"}
	case d.Task == "multiclass" && len(d.Positive) > 0:
		return &train.FieldError{Field: "data.positive", Problem: "means nothing to a multiclass task, where every label is its own class: leave it out"}
	case d.Task == "multiclass" && d.OtherLabels == "negative":
		return &train.FieldError{Field: "data.other_labels", Problem: "means nothing to a multiclass task, where every label is its own class: leave it out"}
	}
	for i, label := range d.Positive {
		field := fmt.Sprintf("data.positive[%d]", i)
		if label == schema.Benign {
			return &train.FieldError{Field: field, Problem: schema.Benign + " is what attacks are told from; it cannot be positive"}
		}
		if slices.Contains(d.Positive[:i], label) {
			return &train.FieldError{Field: field, Problem: fmt.Sprintf("%q is listed twice", label)}
		}
	}
	return nil
}

func (d Data) checkDrop() *train.FieldError {
	for i, column := range d.Drop {
		if slices.Contains(d.Drop[:i], column) {
			return &train.FieldError{Field: fmt.Sprintf("data.drop[%d]", i), Problem: fmt.Sprintf("%q is listed twice", column)}
		}
	}
	return nil
}

func (s Split) check() *train.FieldError {
	wrong := func(field, problem string) *train.FieldError {
		return &train.FieldError{Field: "data.split" + field, Problem: problem}
	}
	var refused *split.FieldError
	switch {
	case s.By != split.ByFile && (s.Train == 0 || s.Validation == 0 || s.Test == 0):
		return wrong("", "needs all of train, validation and test once one of them is written")
	case errors.As(s.Config.Validate(), &refused):
		return &train.FieldError{Field: "data." + refused.Field, Problem: refused.Problem}
	case s.By != split.ByFile:
		return nil
	case s.Train != 0 || s.Test != 0:
		return wrong("", "train and test are shares of rows: where by is file, write train_files and test_files")
	case len(s.ValidationFiles) > 0 && s.Validation != 0:
		return wrong(".validation", "is the share of the train files that is set apart where validation_files is not written: leave one of them out")
	case len(s.ValidationFiles) > 0 && s.PerReplicate:
		return wrong(".per_replicate", "has no effect where files alone say what is train, validation and test: leave it out")
	}
	return nil
}
