package study

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"flowbench/experiments/spec"
	"flowbench/train"
	"flowbench/train/checkpoint"
)

// writeRun keeps what the trial trains, with nothing left to choose, as spec.yaml.
func writeRun(dir string, run *spec.Run) error {
	raw, err := run.YAML()
	if err != nil {
		return fmt.Errorf("trial folder: spec.yaml: %w", err)
	}
	return checkpoint.WriteFile(filepath.Join(dir, "spec.yaml"), raw)
}

// trialFingerprint names everything that decides a trial's outcome.
func trialFingerprint(run *spec.Run, data, device string) string {
	raw, err := json.Marshal(struct {
		Config       train.Config
		Seed         uint64
		Data, Device string
	}{run.Config, run.Seed, data, device})
	if err != nil {
		panic("study: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// epochLine is what a log says of an epoch.
func epochLine(m train.EpochMetrics) string {
	line := fmt.Sprintf("train.loss %.4g", m.Values["train.loss"])
	for _, name := range []string{"validation.loss", "validation.average_precision"} {
		if v, ok := m.Values[name]; ok {
			line += fmt.Sprintf(", %s %.4g", name, v)
		}
	}
	return strings.TrimSpace(line)
}
