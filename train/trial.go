package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

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
	// metrics.jsonl, the checkpoints, scores.npz and result.json there.
	Dir string
	// Fingerprint names the trial's configuration, data and seed. A checkpoint
	// or result of another fingerprint is an error, never used.
	Fingerprint string

	// OnEpoch, where set, sees every finished epoch; its error ends the trial,
	// which can be resumed. It never sees a value that is not finite.
	OnEpoch func(EpochMetrics) error
	// Log, where set, gets a line for what a reader of the trial should know.
	Log io.Writer

	// Until is how many epochs of the first network Run trains before it pauses: 0,
	// or all there are, is to the end. Detectors and baselines have no epochs.
	Until int
	// Warn, where set, tells by being closed that the process is to end soon: Run
	// writes a checkpoint at the next step and returns ErrPreempted.
	Warn <-chan struct{}
	// Disk is where Dir is; nil is the operating system's.
	Disk checkpoint.Disk

	now func() time.Time // nil is time.Now; it decides when a checkpoint is due, and nothing else
}

// States that Run's Result may have. A paused trial has not ended.
const (
	StateDone     = "done"
	StateDiverged = "diverged"
	StatePaused   = "paused"
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
	Flows       string         `json:"flows,omitempty"` // Data.Flows
	Device      string         `json:"device"`          // the backend that really ran it
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

	// Epoch is Until of a paused trial, whose Metrics are those of the first network
	// at that epoch, as metrics.jsonl has them. It has neither members nor reports.
	Epoch int `json:"-"`
}

// resultName is the file that marks a trial as ended.
const resultName = "result.json"

// Run trains the trial, or what is left of it, and judges it on the validation
// and test parts. A trial that has ended already returns the result it has.
//
// A trial whose numbers stop being finite ends in StateDiverged, which is a
// result, and one that comes to Until pauses in StatePaused. An error means that
// the trial has not ended: the context's where that stopped it, ErrPreempted
// where Warn did, else a fault in the data, the folder or the backend. However
// often it was stopped, it ends in the bytes that it would have ended in.
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
	if err := checkpoint.ClearTemporary(t.disk(), t.Dir); err != nil {
		return nil, err
	}
	result := &Result{State: StateDone, Fingerprint: t.Fingerprint, Seed: t.Seed, Flows: t.Data.Flows, Device: t.Backend.Name(), Detector: t.Config.Model.Kind}
	judge := t.judgeNetworks
	switch kind := t.Config.Model.Kind; {
	case IsBaseline(kind):
		judge = t.judgeBaseline
	case IsDetector(kind):
		judge = t.judgeDetector
	}
	var diverged *divergence
	var paused *pause
	err = judge(ctx, result)
	switch {
	case errors.As(err, &paused):
		return result, t.paused(paused.epoch, result)
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

// paused makes result that of a trial that pauses after an epoch.
func (t *Trial) paused(epoch int, result *Result) error {
	lines, err := readMetrics(t.disk(), t.metricsPath())
	if err != nil {
		return err
	}
	for _, line := range lines {
		if line.Member == 0 && line.Epoch == epoch {
			result.State, result.Epoch, result.Metrics = StatePaused, epoch, line.Values
			result.Reason = fmt.Sprintf("paused after epoch %d of %d", epoch, t.Config.Train.Epochs)
			return nil
		}
	}
	return fmt.Errorf("%s has no line of epoch %d; remove the trial's folder to train it again", t.metricsPath(), epoch)
}

func (t *Trial) disk() checkpoint.Disk {
	if t.Disk != nil {
		return t.Disk
	}
	return checkpoint.OS{}
}

func (t *Trial) metricsPath() string { return filepath.Join(t.Dir, "metrics.jsonl") }

// finished returns the result of a trial that has ended, or nil.
func (t *Trial) finished() (*Result, error) {
	r, err := readResult(t.disk(), t.Dir)
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
func ReadResult(dir string) (*Result, error) { return readResult(checkpoint.OS{}, dir) }

func readResult(disk checkpoint.Disk, dir string) (*Result, error) {
	path := filepath.Join(dir, resultName)
	raw, err := disk.Read(path)
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
	if err := checkpoint.Replace(t.disk(), filepath.Join(t.Dir, resultName), append(raw, '\n')); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	return t.removeCheckpoints()
}

// seriesPrefix begins the names of all checkpoints.
const seriesPrefix = "checkpoint-"

// removeCheckpoints drops what only a resume would need.
func (t *Trial) removeCheckpoints() error {
	return checkpoint.RemoveSeries(t.disk(), t.Dir, seriesPrefix)
}

// RemoveCheckpoints drops from a trial's folder what only going on with it would
// need: of a trial that was pruned while it paused. Where the trial has ended,
// the weights that its result names stay. The caller must be the folder's only
// writer.
func RemoveCheckpoints(dir string) error {
	disk := checkpoint.OS{}
	keep := map[string]bool{}
	switch r, err := ReadResult(dir); {
	case err == nil:
		for _, m := range r.Members {
			keep[m.Weights] = true
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := errors.Join(checkpoint.ClearTemporary(disk, dir), checkpoint.RemoveSeries(disk, dir, seriesPrefix)); err != nil {
		return err
	}
	names, err := disk.List(dir)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	for _, name := range names {
		// Weights of the members that were trained to their end.
		if weights, _ := filepath.Match(seriesPrefix+"member*-best.safetensors", name); weights && !keep[name] {
			if err := disk.Remove(filepath.Join(dir, name)); err != nil {
				return fmt.Errorf("checkpoint: %w", err)
			}
		}
	}
	return nil
}

// OpenWeights reads the weights of a member of the trial in dir. A file that is
// not there or is not the one that the result names by its SHA-256 is a
// *checkpoint.DamageError.
func (r *Result) OpenWeights(dir string, member int) (*checkpoint.File, error) {
	m := r.Members[member]
	f, err := checkpoint.LoadRef(checkpoint.OS{}, dir, checkpoint.Ref{File: m.Weights, SHA256: m.SHA256})
	if err != nil {
		return nil, fmt.Errorf("weights of member %d: %w; remove the trial's folder to train it again", member, err)
	}
	return f, nil
}

// judgeNetworks trains every member and judges the mean of their scores.
func (t *Trial) judgeNetworks(ctx context.Context, result *Result) error {
	metrics, err := openMetricsLog(t.disk(), t.metricsPath())
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
		return m.orDiverged(err, m.progress.Epoch)
	}
	weights, err := t.keepWeights(index, m.best)
	if err != nil {
		return err
	}
	result.Members = append(result.Members, MemberResult{
		Seed: m.seed, Epochs: m.progress.Epoch, Steps: m.progress.Step, BestEpoch: m.progress.BestEpoch,
		Weights: weights.File, SHA256: weights.SHA256, Losses: m.progress.Losses,
	})
	return nil
}

// judge goes back to the best epoch's weights and adds their scores to scores.
func (m *member) judge(ctx context.Context, scores *partScores) error {
	if err := m.network.restore(m.best); err != nil {
		return err
	}
	scorer, err := newScorer(ctx, m.trial.Config.Model, m.network, m.rows)
	if err != nil {
		return err
	}
	return scores.addMember(ctx, scorer, m.trial.Config.Model.Ensemble)
}

// keepWeights writes what the trial leaves of a member when it has ended.
func (t *Trial) keepWeights(member int, f *checkpoint.File) (checkpoint.Ref, error) {
	return checkpoint.SaveRef(t.disk(), t.weightsPath(member), *f)
}

func (t *Trial) logf(format string, args ...any) {
	if t.Log != nil {
		fmt.Fprintf(t.Log, format+"\n", args...)
	}
}
