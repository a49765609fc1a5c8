package study

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"flowbench/experiments/store"
	"flowbench/kernels"
	"flowbench/kernels/cuda"
	"flowbench/train/checkpoint"
)

// deviceName is the file in a trial's folder that says what each attempt at the trial
// ran on and with which kernels. It differs from run to run, as log.txt does: how
// many launches there are depends on where the trial was interrupted.
const deviceName = "device.json"

// Ran is an attempt's record of its device.
type Ran struct {
	Attempt int    `json:"attempt"`
	Worker  string `json:"worker"`
	cuda.Record
}

// metered is the backend that a trial trains on, and a function that keeps the
// record of what it ran there in the trial's folder and returns it. A backend
// that has no such record, the processor's, keeps none.
func (w *Worker) metered(claim *store.Claim, dir string) (kernels.Backend, func() (*cuda.Record, error)) {
	device, ok := w.Backend.(interface{ Metered() *cuda.Metered })
	if !ok {
		return w.Backend, func() (*cuda.Record, error) { return nil, nil }
	}
	backend := device.Metered()
	return backend, func() (*cuda.Record, error) {
		record := backend.Record()
		return &record, addRan(dir, Ran{claim.Attempt, claim.Worker, record})
	}
}

// addRan adds an attempt to the records in a trial's folder.
func addRan(dir string, ran Ran) error {
	list, err := readRan(dir)
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(append(list, ran), "", "  ")
	if err != nil {
		return fmt.Errorf("trial folder: %s: %w", deviceName, err)
	}
	return checkpoint.WriteFile(filepath.Join(dir, deviceName), append(raw, '\n'))
}

// readRan reads the records in a trial's folder; none is no error.
func readRan(dir string) ([]Ran, error) {
	path := filepath.Join(dir, deviceName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("trial folder: %w", err)
	}
	var list []Ran
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("trial folder: %s: %w; remove the file, nothing but what runs why says is lost", path, err)
	}
	return list, nil
}
