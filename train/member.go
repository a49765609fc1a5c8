package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"

	"flowbench/kernels"
	"flowbench/train/checkpoint"
	"flowbench/train/graph"
)

// progress is where a member's training stands; it travels in the checkpoint's metadata.
type progress struct {
	Epoch     int      `json:"epoch"` // epochs finished
	Step      uint64   `json:"step"`  // optimiser steps finished
	Best      *float64 `json:"best"`  // best value of the early-stop metric
	BestEpoch int      `json:"best_epoch"`
	// Losses are train.loss and, with validation rows, validation.loss of BestEpoch.
	Losses  map[string]float64 `json:"losses"`
	Stopped bool               `json:"stopped"` // early stop has ended it
}

// member trains one network of a trial: the only one, or one of an ensemble.
type member struct {
	trial     *Trial
	index     int
	seed      uint64
	rows      []int32 // what it trains on
	objective graph.Objective
	network   *network
	sampler   *sampler
	metrics   *metricsLog
	progress  progress
}

// divergence says where a trial's numbers stopped being finite.
type divergence struct {
	cause         notFinite
	member, epoch int // epochs count from 1
	step          uint64
	buffer        string
}

func (d *divergence) Error() string {
	layer, _, _ := strings.Cut(d.buffer, ".")
	return fmt.Sprintf("%v at step %d (epoch %d, member %d): the first value that is not finite is in %s of layer %s; lower optimizer.learning_rate or set optimizer.clip_norm",
		&d.cause, d.step, d.epoch, d.member, d.buffer, layer)
}

func (t *Trial) newMember(index int, y []float32, metrics *metricsLog) (*member, error) {
	m := &member{trial: t, index: index, seed: memberSeed(t.Seed, index), rows: t.Data.Train, metrics: metrics}
	if t.Config.Model.Kind == "autoencoder" {
		m.rows = t.Data.negatives(t.Data.Train)
	}
	var err error
	if m.objective, err = t.Config.objective(t.Data); err != nil {
		return nil, err
	}
	var model *graph.Model
	if m.network, model, err = newNetwork(t.Config, m.objective, t.Data, y, t.Backend); err != nil {
		return nil, err
	}
	initial, err := model.Init(initSchemes[t.Config.Model.Init], m.seed)
	if err == nil {
		err = m.network.initialise(initial)
	}
	if err != nil {
		m.network.Close()
		return nil, err
	}
	m.sampler = t.newSampler(m.rows, m.seed)
	return m, nil
}

func (t *Trial) newSampler(rows []int32, seed uint64) *sampler {
	minTail := 1
	if t.Config.Model.Norm == "batch" {
		minTail = 2 // one row has no variance
	}
	var positive func(int32) bool
	if t.Config.Train.Stratified {
		positive = func(r int32) bool { return t.Data.Class[r] != 0 }
	}
	return newSampler(rows, t.Config.Train.Batch, seed, minTail, positive)
}

// train runs the epochs that are left. It returns a *divergence where the
// training ended in one, and ctx's error where that ended it.
func (m *member) train(ctx context.Context) error {
	if err := m.resume(); err != nil {
		return err
	}
	c := m.trial.Config.Train
	for m.progress.Epoch < c.Epochs && !m.progress.Stopped {
		loss, err := m.epoch(ctx)
		if err != nil {
			return err
		}
		if err := m.finishEpoch(ctx, loss); err != nil {
			return err
		}
	}
	return nil
}

// sequenceRows is how many rows a device trains on between looks at the context:
// a small part of a second, but many steps.
const sequenceRows = 1 << 18

// epoch goes once over the rows and returns the mean loss over them.
func (m *member) epoch(ctx context.Context) (float64, error) {
	batches := m.batches()
	results := make([]kernels.StepResult, len(batches))
	atOnce := 1
	if _, ok := m.network.machine.(kernels.Sequencer); ok {
		atOnce = max(1, sequenceRows/m.trial.Config.Train.Batch)
	}
	sum, seen := 0.0, 0
	for from := 0; from < len(batches); from += atOnce {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		to := min(from+atOnce, len(batches))
		if err := m.steps(batches[from:to], results[from:to]); err != nil {
			return 0, err
		}
		for i, r := range results[from:to] {
			m.progress.Step++
			if r.NonFinite != kernels.None || math.IsNaN(r.Loss) || math.IsInf(r.Loss, 0) {
				return 0, m.diverged(notFinite{"loss", r.Loss}, m.progress.Epoch+1, r.NonFinite)
			}
			n := len(batches[from+i].Rows)
			sum += r.Loss * float64(n)
			seen += n
		}
	}
	return sum / float64(seen), nil
}

// batches is the steps of the epoch in hand.
func (m *member) batches() []kernels.Batch {
	c := m.trial.Config
	order, steps := m.sampler.epoch(m.progress.Epoch), m.sampler.steps()
	list := make([]kernels.Batch, steps)
	for s := range list {
		step := m.progress.Step + uint64(s)
		list[s] = kernels.Batch{
			Rows:         order[s*c.Train.Batch : min((s+1)*c.Train.Batch, len(order))],
			Step:         step + 1,
			Seed:         m.seed,
			LearningRate: float32(learningRate(c.Optimizer, int(step), steps, c.Train.Epochs)),
		}
	}
	return list
}

// steps trains on batches, by itself where the machine can.
func (m *member) steps(batches []kernels.Batch, results []kernels.StepResult) error {
	if s, ok := m.network.machine.(kernels.Sequencer); ok {
		return s.TrainAll(batches, results)
	}
	for i, b := range batches {
		var err error
		if results[i], err = m.network.machine.Train(b); err != nil {
			return err
		}
	}
	return nil
}

// diverged is the end of a trial in epoch, counted from 1, with first the first
// buffer that is not finite, or kernels.None where that is the loss alone.
func (m *member) diverged(cause notFinite, epoch int, first kernels.Buf) error {
	d := &divergence{cause: cause, member: m.index, epoch: epoch, step: m.progress.Step, buffer: "loss"}
	if first != kernels.None {
		d.buffer = m.network.program.Buffers[first].Name
	}
	return d
}

// orDiverged is err, or, where that is a *notFinite, the *divergence that it
// shows: finite weights can still give outputs that are not.
func (m *member) orDiverged(err error) error {
	var figure *notFinite
	if !errors.As(err, &figure) {
		return err
	}
	return m.diverged(*figure, m.progress.Epoch, m.network.program.Output)
}

// finishEpoch measures the epoch, keeps the weights where they are the best so
// far, and writes the checkpoint last: what a crash undoes is done again alike.
func (m *member) finishEpoch(ctx context.Context, loss float64) error {
	c := m.trial.Config.Train
	rate := learningRate(m.trial.Config.Optimizer, int(m.progress.Step-1), m.sampler.steps(), c.Epochs)
	m.progress.Epoch++
	line := EpochMetrics{
		Member: m.index, Epoch: m.progress.Epoch, Step: m.progress.Step,
		LearningRate: rate,
		Values:       map[string]float64{"train.loss": loss},
	}
	scorer, err := newScorer(ctx, m.trial.Config.Model, m.network, m.rows)
	if err == nil {
		err = m.validate(ctx, scorer, line.Values)
	}
	if err != nil {
		return m.orDiverged(err)
	}
	if m.improved(line.Values) {
		if err := m.saveBest(scorer); err != nil {
			return err
		}
	}
	if err := m.metrics.append(line); err != nil {
		return err
	}
	last := m.progress.Epoch == c.Epochs || m.progress.Stopped
	if last || m.progress.Epoch%c.CheckpointEpochs == 0 {
		if err := m.saveCheckpoint(); err != nil {
			return err
		}
	}
	if m.trial.OnEpoch != nil {
		return m.trial.OnEpoch(line)
	}
	return nil
}

// improved moves the early-stop state and says whether these weights are the
// ones to keep. Without a metric, or where it is not evaluable, the last epoch's are.
func (m *member) improved(values map[string]float64) bool {
	stop := m.trial.Config.Train.EarlyStop
	v, ok := values[stop.Metric]
	if !ok {
		m.keep(values)
		return m.progress.Epoch == m.trial.Config.Train.Epochs
	}
	better := m.progress.Best == nil
	if !better {
		gain := v - *m.progress.Best
		if LowerIsBetter(stop.Metric) {
			gain = -gain
		}
		better = gain > stop.MinDelta
	}
	if better {
		m.progress.Best = &v
		m.keep(values)
	}
	m.progress.Stopped = stop.Patience > 0 && m.progress.Epoch-m.progress.BestEpoch >= stop.Patience
	return better
}

// keep makes the epoch with these values the best one.
func (m *member) keep(values map[string]float64) {
	m.progress.BestEpoch, m.progress.Losses = m.progress.Epoch, map[string]float64{}
	for _, name := range []string{"train.loss", "validation.loss"} {
		if v, ok := values[name]; ok {
			m.progress.Losses[name] = v
		}
	}
}

// validate adds what the validation rows show. A figure that is not finite is a
// *notFinite.
func (m *member) validate(ctx context.Context, scorer *scorer, values map[string]float64) error {
	rows := m.trial.Data.Validation
	lossRows := rows
	if m.trial.Config.Model.Kind == "autoencoder" {
		lossRows = m.trial.Data.negatives(rows)
	}
	if len(lossRows) > 0 {
		loss, err := meanLoss(ctx, m.network, m.objective, lossRows)
		if err != nil {
			return err
		}
		if err := finite(loss, "validation.loss"); err != nil {
			return err
		}
		values["validation.loss"] = loss
	}
	if len(rows) == 0 {
		return nil
	}
	scores := make([]float64, len(rows))
	if err := scorer.scores(ctx, rows, scores); err != nil {
		return err
	}
	return rankingValues(scores, m.trial.Data.positive(rows), values)
}

// checkpointPath is the file that a member of a resumed trial goes on from.
func (t *Trial) checkpointPath(member int) string {
	return filepath.Join(t.Dir, fmt.Sprintf("checkpoint-member%d-last.safetensors", member))
}

// weightsPath is the file of the member's best epoch.
func (t *Trial) weightsPath(member int) string {
	return filepath.Join(t.Dir, fmt.Sprintf("checkpoint-member%d-best.safetensors", member))
}

func (m *member) saveCheckpoint() error {
	tensors, err := m.network.tensors(false)
	if err != nil {
		return err
	}
	state, err := json.Marshal(m.progress)
	if err != nil {
		return err
	}
	// The lines of the epochs that the checkpoint counts as done come before it.
	if err := m.metrics.sync(); err != nil {
		return err
	}
	return checkpoint.Save(m.trial.checkpointPath(m.index), checkpoint.File{
		Tensors:  tensors,
		Metadata: map[string]string{"fingerprint": m.trial.Fingerprint, "progress": string(state)},
	})
}

func (m *member) saveBest(scorer *scorer) error {
	tensors, err := m.network.tensors(true)
	if err != nil {
		return err
	}
	return checkpoint.Save(m.trial.weightsPath(m.index), checkpoint.File{
		Tensors: append(tensors, scorer.tensors()...),
		Metadata: map[string]string{
			"fingerprint": m.trial.Fingerprint,
			"epoch":       fmt.Sprint(m.progress.Epoch),
		},
	})
}

// loadCheckpoint reads a checkpoint of this trial; another trial's is an error.
func (t *Trial) loadCheckpoint(path string) (*checkpoint.File, error) {
	f, err := checkpoint.Load(path)
	if err != nil {
		return nil, err
	}
	if f.Metadata["fingerprint"] != t.Fingerprint {
		return nil, fmt.Errorf("%s belongs to another trial; remove the trial's folder to train it again", path)
	}
	return f, nil
}

// resume goes back to the last checkpoint, if there is one, and drops the
// metrics of the epochs after it, which will be trained again.
func (m *member) resume() error {
	path := m.trial.checkpointPath(m.index)
	f, err := m.trial.loadCheckpoint(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m.metrics.truncate(m.index, 0)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(f.Metadata["progress"]), &m.progress); err != nil {
		return fmt.Errorf("%s: progress: %w; remove it to train again from the start", path, err)
	}
	if err := m.network.restore(f); err != nil {
		return err
	}
	return m.metrics.truncate(m.index, m.progress.Epoch)
}
