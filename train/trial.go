package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"flowbench/kernels"
	"flowbench/train/checkpoint"
	"flowbench/train/metric"
)

// Trial is one training run. Everything that decides its outcome is in Config,
// Data, Seed and the kind of Backend.
type Trial struct {
	Config  Config
	Data    *Data
	Seed    uint64
	Backend kernels.Backend

	// Dir is the trial's folder: the trial is its only writer. It keeps
	// metrics.jsonl, the checkpoints and result.json there.
	Dir string
	// Fingerprint names the trial's configuration, data and seed. A checkpoint
	// or result of another fingerprint is an error, never used.
	Fingerprint string

	// OnEpoch, where set, sees every finished epoch; its error ends the trial,
	// which can be resumed. It never sees a value that is not finite.
	OnEpoch func(EpochMetrics) error
	// Log, where set, gets a line for what a reader of the trial should know.
	Log io.Writer
}

// States that a trial ends in by itself.
const (
	StateDone     = "done"
	StateDiverged = "diverged"
)

// MemberResult is what training one network gave.
type MemberResult struct {
	Seed      uint64 `json:"seed"`
	Epochs    int    `json:"epochs"`
	Steps     uint64 `json:"steps"`
	BestEpoch int    `json:"best_epoch"`     // whose weights were kept
	Weights   string `json:"weights"`        // file in the trial's folder
	SHA256    string `json:"weights_sha256"` // of that file
	// Losses are train.loss and, with validation rows, validation.loss of BestEpoch.
	Losses map[string]float64 `json:"losses"`
}

// Result is what a trial found; result.json holds it.
type Result struct {
	State       string         `json:"state"`
	Reason      string         `json:"reason"`
	Fingerprint string         `json:"fingerprint"`
	Seed        uint64         `json:"seed"`
	Device      string         `json:"device"` // the backend that really ran it
	Detector    string         `json:"detector"`
	Members     []MemberResult `json:"members,omitempty"`
	// Fit is what the fit of a detector came to, such as inertia and iterations,
	// and Warnings what it says against itself.
	Fit      map[string]float64 `json:"fit,omitempty"`
	Warnings []string           `json:"warnings,omitempty"`
	// Metrics is every evaluable figure by its full name, such as
	// test.average_precision; a loss is the mean of the members', a figure of Fit
	// begins with "fit.".
	Metrics    map[string]float64  `json:"metrics,omitempty"`
	Validation *metric.Report      `json:"validation,omitempty"`
	Test       *metric.Report      `json:"test,omitempty"`
	Classes    *metric.ClassReport `json:"classes,omitempty"` // test part, more than two classes
}

// resultName is the file that marks a trial as ended.
const resultName = "result.json"

// Run trains the trial, or what is left of it, and judges it on the validation
// and test parts. A trial that has ended already returns the result it has.
//
// A trial whose numbers stop being finite ends in StateDiverged, which is a
// result. An error means that the trial has not ended: the context's where that
// stopped it, else a fault in the data, the folder or the backend.
func (t *Trial) Run(ctx context.Context) (*Result, error) {
	done, err := t.finished()
	if err != nil {
		return nil, err
	}
	if done != nil {
		return done, t.removeCheckpoints() // which a crash may have left
	}
	if err := t.Data.Check(); err != nil {
		return nil, err
	}
	result := &Result{State: StateDone, Fingerprint: t.Fingerprint, Seed: t.Seed, Device: t.Backend.Name(), Detector: t.Config.Model.Kind}
	judge := t.judgeNetworks
	switch kind := t.Config.Model.Kind; {
	case IsBaseline(kind):
		judge = t.judgeBaseline
	case IsDetector(kind):
		judge = t.judgeDetector
	}
	var diverged *divergence
	err = judge(ctx, result)
	switch {
	case errors.As(err, &diverged):
		result.State, result.Reason, result.Members = StateDiverged, diverged.Error(), nil
		t.logf("diverged: %s", result.Reason)
	case err != nil:
		return nil, err
	}
	if err := t.writeResult(result); err != nil {
		return nil, err
	}
	return result, nil
}

// finished returns the result of a trial that has ended, or nil.
func (t *Trial) finished() (*Result, error) {
	r, err := ReadResult(t.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if r.Fingerprint != t.Fingerprint {
		return nil, fmt.Errorf("%s belongs to another trial; remove the folder to train it again", filepath.Join(t.Dir, resultName))
	}
	return r, nil
}

// ReadResult reads the result.json in dir. One that is not there satisfies
// errors.Is(err, fs.ErrNotExist).
func ReadResult(dir string) (*Result, error) {
	path := filepath.Join(dir, resultName)
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	var r Result
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("result: %s: %w; remove the file to finish the trial again", path, err)
	}
	return &r, nil
}

func (t *Trial) writeResult(r *Result) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if err := checkpoint.WriteFile(filepath.Join(t.Dir, resultName), append(raw, '\n')); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	return t.removeCheckpoints()
}

// removeCheckpoints drops what only a resume would need.
func (t *Trial) removeCheckpoints() error {
	for i := range t.Config.Model.Ensemble {
		if err := os.Remove(t.checkpointPath(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	return nil
}

// judgeNetworks trains every member and judges the mean of their scores.
func (t *Trial) judgeNetworks(ctx context.Context, result *Result) error {
	metrics, err := openMetricsLog(filepath.Join(t.Dir, "metrics.jsonl"))
	if err != nil {
		return err
	}
	defer metrics.Close()
	y := t.Data.targets()
	scores := newPartScores(t.Data, t.Config.Model.Kind)
	for i := range t.Config.Model.Ensemble {
		if err := t.judgeMember(ctx, i, y, metrics, scores, result); err != nil {
			return err
		}
	}
	if err := t.evaluate(scores.validation.scores(), scores.test.scores(), result); err != nil {
		return err
	}
	result.addLosses()
	if scores.classes == nil {
		return nil
	}
	return t.Data.evaluateClasses(scores.classes, result)
}

// judgeMember trains one network and adds its scores, at its best epoch's
// weights, to the ensemble's.
func (t *Trial) judgeMember(ctx context.Context, index int, y []float32, metrics *metricsLog, scores *partScores, result *Result) error {
	m, err := t.newMember(index, y, metrics)
	if err != nil {
		return err
	}
	defer m.network.Close()
	if err := m.train(ctx); err != nil {
		return err
	}
	if err := m.judge(ctx, scores); err != nil {
		return m.orDiverged(err)
	}
	sum, err := sha256File(t.weightsPath(index))
	if err != nil {
		return err
	}
	result.Members = append(result.Members, MemberResult{
		Seed: m.seed, Epochs: m.progress.Epoch, Steps: m.progress.Step, BestEpoch: m.progress.BestEpoch,
		Weights: filepath.Base(t.weightsPath(index)), SHA256: sum, Losses: m.progress.Losses,
	})
	return nil
}

// judge goes back to the best epoch's weights and adds their scores to scores.
func (m *member) judge(ctx context.Context, scores *partScores) error {
	best, err := m.trial.loadCheckpoint(m.trial.weightsPath(m.index))
	if err != nil {
		return err
	}
	if err := m.network.restore(best); err != nil {
		return err
	}
	scorer, err := newScorer(ctx, m.trial.Config.Model, m.network, m.rows)
	if err != nil {
		return err
	}
	return scores.addMember(ctx, scorer, m.trial.Config.Model.Ensemble)
}

func sha256File(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

func (t *Trial) logf(format string, args ...any) {
	if t.Log != nil {
		fmt.Fprintf(t.Log, format+"\n", args...)
	}
}
