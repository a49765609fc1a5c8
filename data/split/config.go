// Package split cuts flows into train, validation and test rows.
//
// Three promises hold for every method. Rows that are equal in the columns in
// use never lie in two parts. Every label keeps its share in every part as
// nearly as whole groups of rows allow. And the split is a pure function of its
// inputs and the seed: the same bytes for any number of threads.
package split

import (
	"fmt"
	"math"
)

// The methods of Config.By.
const (
	// ByRandom deals rows; only duplicates stay together.
	ByRandom = "random"
	// ByGroup deals connections: rows with the same Rows.Groups stay together.
	ByGroup = "group"
	// ByFile deals files, chosen by globs over their names.
	ByFile = "file"
)

// Config is the section `split` of a spec.
type Config struct {
	// By is ByRandom, ByGroup or ByFile.
	By string `yaml:"by" json:"by"`
	// Train, Validation and Test are shares that sum to 1; Train is positive.
	// ByFile takes its parts from the globs instead: it reads Validation alone,
	// and that only without ValidationFiles, as the share of the train files'
	// rows that is set apart.
	Train      float64 `yaml:"train" json:"train"`
	Validation float64 `yaml:"validation" json:"validation"`
	Test       float64 `yaml:"test" json:"test"`
	// Seed decides which rows go where.
	Seed uint64 `yaml:"seed" json:"seed"`
	// TrainFiles, ValidationFiles and TestFiles are globs, as path.Match reads
	// them, for ByFile. A glob without a slash is held against the base name.
	TrainFiles      []string `yaml:"train_files,omitempty" json:"train_files,omitempty"`
	ValidationFiles []string `yaml:"validation_files,omitempty" json:"validation_files,omitempty"`
	TestFiles       []string `yaml:"test_files,omitempty" json:"test_files,omitempty"`
}

// FieldError is a split that cannot be made. Field is the key in the spec that
// must change, below `data`: split.test, split.train_files.
type FieldError struct {
	Field   string
	Problem string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

func fieldError(field, format string, args ...any) error {
	return &FieldError{Field: "split." + field, Problem: fmt.Sprintf(format, args...)}
}

// sumTolerance is how far from 1 the shares may sum: 0.333 written three times
// is a slip of the pen that should be told, 1.0/3 printed with 7 digits is not.
const sumTolerance = 1e-6

// Validate reports the first field that no data could satisfy, as a *FieldError.
func (c Config) Validate() error {
	switch c.By {
	case ByRandom, ByGroup:
		return c.validateShares()
	case ByFile:
		return c.validateFiles()
	case "":
		return fieldError("by", "is missing: say random, group or file")
	}
	return fieldError("by", "%q is not a method: say random, group or file", c.By)
}

func (c Config) validateShares() error {
	for part, globs := range c.globs() {
		if len(globs) > 0 {
			return fieldError(partNames[part]+"_files", "is read with by: file only, and by is %s: remove it, or set by: file", c.By)
		}
	}
	sum := 0.0
	for part, share := range c.shares() {
		if !(share >= 0 && share <= 1) {
			return fieldError(partNames[part], "%v is not a share: give a number from 0 to 1", share)
		}
		sum += share
	}
	if c.Train == 0 {
		return fieldError("train", "is 0: nothing is left to train on")
	}
	if !(math.Abs(sum-1) <= sumTolerance) {
		return fieldError("train", "train %v + validation %v + test %v = %v, and shares must sum to 1",
			c.Train, c.Validation, c.Test, math.Round(sum*1e9)/1e9)
	}
	return nil
}

func (c Config) validateFiles() error {
	if len(c.TrainFiles) == 0 {
		return fieldError("train_files", "is missing: by: file needs at least one glob, such as [\"Monday*\"]")
	}
	if len(c.TestFiles) == 0 {
		return fieldError("test_files", "is missing: by: file needs at least one glob, such as [\"Friday*\"]")
	}
	for part, globs := range c.globs() {
		if err := checkGlobs(partNames[part]+"_files", globs); err != nil {
			return err
		}
	}
	if len(c.ValidationFiles) == 0 && !(c.Validation >= 0 && c.Validation < 1) {
		return fieldError("validation", "%v is not a share of the train files: give a number from 0 to below 1", c.Validation)
	}
	return nil
}

func (c Config) shares() shares { return shares{c.Train, c.Validation, c.Test} }
func (c Config) globs() [parts][]string {
	return [parts][]string{c.TrainFiles, c.ValidationFiles, c.TestFiles}
}

// The parts, in the order of the fields of a Split. A row in none is noPart.
const (
	train = iota
	validation
	test
	parts
	noPart = -1
)

var partNames = [parts]string{"train", "validation", "test"}

// shares is how much of each label a part is to have; they sum to 1.
type shares [parts]float64

func (s shares) normalised() shares {
	sum := s[train] + s[validation] + s[test]
	for part := range s {
		s[part] /= sum
	}
	return s
}
