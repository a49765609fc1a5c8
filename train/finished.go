package train

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"flowbench/train/checkpoint"
	"flowbench/train/detect"
)

// Finished is a trial that has ended well, with all that using its model takes.
type Finished struct {
	Dir     string // "" where NewFinished made it
	Model   *ModelFile
	Result  *Result            // nil where NewFinished made it
	Members []*checkpoint.File // of each network; one of a detector

	loading  sync.Mutex
	detector detect.Detector // of all Scorers; nil before the first, and for networks
}

// OpenFinished reads the trial in dir. It is an error, which says what to do, if
// the trial has not ended, or has diverged, and if a file is missing or not the
// one that the result names by its SHA-256.
func OpenFinished(dir string) (*Finished, error) {
	result, err := ReadResult(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unfinished(dir)
	}
	if err != nil {
		return nil, err
	}
	if result.State != StateDone {
		return nil, fmt.Errorf("%s ended as %s and has no model: %s", dir, result.State, result.Reason)
	}
	model, err := readModel(dir)
	if err != nil {
		return nil, err
	}
	if model.Fingerprint != result.Fingerprint {
		return nil, fmt.Errorf("%s: %s and %s are of different trials; remove the folder to train it again", dir, modelName, resultName)
	}
	f := &Finished{Dir: dir, Model: model, Result: result}
	for _, m := range result.Members {
		file, err := readWeights(filepath.Join(dir, m.Weights), m.SHA256)
		if err != nil {
			return nil, err
		}
		f.Members = append(f.Members, file)
	}
	return f, f.check()
}

// NewFinished is a model from elsewhere, such as an export.
func NewFinished(model *ModelFile, members []*checkpoint.File) (*Finished, error) {
	if err := model.check(); err != nil {
		return nil, err
	}
	f := &Finished{Model: model, Members: members}
	return f, f.check()
}

// check makes sure that there are as many weights as the model has parts.
func (f *Finished) check() error {
	want := 1
	if f.network() {
		want = max(f.Model.Config.Model.Ensemble, 1)
	}
	if len(f.Members) != want {
		return fmt.Errorf("%s: %d files of weights, the model has %d; train it again", f.name(), len(f.Members), want)
	}
	return nil
}

// network says whether the model is one of Networks.
func (f *Finished) network() bool {
	kind := f.Model.Config.Model.Kind
	return !IsBaseline(kind) && !IsDetector(kind)
}

// name is what errors call the model.
func (f *Finished) name() string {
	if f.Dir != "" {
		return f.Dir
	}
	return f.Model.Config.Model.Kind
}

// unfinished says why a folder has no result.
func unfinished(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("%s: no such trial; flowbench runs lists them", dir)
	}
	if _, err := os.Stat(filepath.Join(dir, "spec.yaml")); err != nil {
		return fmt.Errorf("%s is no trial: it has neither %s nor spec.yaml; name a trial's folder, such as runs/demo/trials/0003", dir, resultName)
	}
	return fmt.Errorf("%s has not finished: it has no %s; the command that began it goes on with it", dir, resultName)
}

// readWeights reads a file of weights that must have the given SHA-256.
func readWeights(path, sum string) (*checkpoint.File, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w; remove the trial's folder to train it again", err)
	}
	if got := sha256.Sum256(raw); hex.EncodeToString(got[:]) != sum {
		return nil, fmt.Errorf("%s is damaged: its SHA-256 is %x, %s says %s; bring back the file, or remove the trial's folder to train it again", path, got, resultName, sum)
	}
	f, err := checkpoint.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}
