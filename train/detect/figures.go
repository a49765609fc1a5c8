package detect

import (
	"encoding/json"
	"fmt"

	"flowbench/train/checkpoint"
)

// Figures are what a fit came to, by name, all finite: iterations, inertia.
type Figures map[string]float64

// Describer is a detector that has more to say of its fit than its name.
type Describer interface {
	// Figures are those of the last fit, nil before. The caller does not change them.
	Figures() Figures
}

// Warner is a detector that may have to warn of its fit.
type Warner interface {
	// Warnings says in words what a reader of the scores should know, such as that
	// the fit did not converge; nil where all is well.
	Warnings() []string
}

// save puts the figures into the metadata.
func (f Figures) save(file *checkpoint.File) error {
	text, err := json.Marshal(f) // sorts the names
	file.Metadata["figures"] = string(text)
	return err
}

func (f *Figures) load(file *checkpoint.File) error {
	if err := json.Unmarshal([]byte(file.Metadata["figures"]), f); err != nil {
		return fmt.Errorf("the file's figures: %w", err)
	}
	return nil
}
