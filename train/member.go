package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"flowbench/kernels"
	"flowbench/train/checkpoint"
	"flowbench/train/graph"
)

// progress is where a member's training stands; it travels in its checkpoints.
type progress struct {
	Epoch     int      `json:"epoch"` // epochs finished
	Step      uint64   `json:"step"`  // optimiser steps finished
	Best      *float64 `json:"best"`  // best value of the early-stop metric
	BestEpoch int      `json:"best_epoch"`
	// Losses are train.loss and, with validation rows, validation.loss of BestEpoch.
	Losses  map[string]float64 `json:"losses"`
	Stopped bool               `json:"stopped"` // early stop has ended it
	Running running            `json:"running"`
}

// running is where the epoch in hand stands: after its last step it is still to
// be measured.
type running struct {
	Steps int     `json:"steps"` // finished, of the epoch's
	Loss  float64 `json:"loss"`  // the sum over Rows
	Rows  int     `json:"rows"`
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
	best      *checkpoint.File // the weights of BestEpoch, once they are to be kept
	series    *checkpoint.Series
	saved     moment
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
	m := &member{
		trial: t, index: index, seed: memberSeed(t.Seed, index), rows: t.Data.Train, metrics: metrics,
		series: checkpoint.OpenSeries(t.disk(), t.Dir, seriesName(index)),
	}
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
// training ended in one, a *pause where Until did, and ctx's error or
// ErrPreempted where those ended it.
func (m *member) train(ctx context.Context) error {
	if err := m.resume(); err != nil {
		return err
	}
	for !m.finished() {
		if m.reached() {
			return &pause{m.trial.Until}
		}
		if err := m.epoch(ctx); err != nil {
			return err
		}
		if err := m.finishEpoch(ctx); err != nil {
			return err
		}
	}
	return m.trial.ended(ctx) // the checkpoint of the last epoch is there
}

// finished says whether all epochs have been trained, or early stop has ended it.
func (m *member) finished() bool {
	return m.progress.Stopped || m.progress.Epoch >= m.trial.Config.Train.Epochs
}

// reached says whether the trial pauses here.
func (m *member) reached() bool {
	until := m.trial.Until
	return m.index == 0 && until > 0 && m.progress.Epoch >= until
}

// sequenceRows is how many rows a device trains on between looks at the context:
// a small part of a second, but many steps.
const sequenceRows = 1 << 18

// epoch goes over the rows that are left of one epoch and sums their losses.
func (m *member) epoch(ctx context.Context) error {
	batches := m.batches()
	results := make([]kernels.StepResult, len(batches))
	atOnce := 1
	if _, ok := m.network.machine.(kernels.Sequencer); ok {
		atOnce = max(1, sequenceRows/m.trial.Config.Train.Batch)
	}
	for from := m.progress.Running.Steps; from < len(batches); from = m.progress.Running.Steps {
		if err := m.interval(ctx); err != nil {
			return err
		}
		to := min(from+atOnce, len(batches))
		if err := m.steps(batches[from:to], results[from:to]); err != nil {
			return err
		}
		for i, r := range results[from:to] {
			if err := m.count(r, batches[from+i].Len()); err != nil {
				return err
			}
		}
	}
	return nil
}

// count takes in what a step over that many rows reports.
func (m *member) count(r kernels.StepResult, rows int) error {
	m.progress.Step++
	if r.NonFinite != kernels.None || math.IsNaN(r.Loss) || math.IsInf(r.Loss, 0) {
		return m.diverged(notFinite{"loss", r.Loss}, m.progress.Epoch+1, r.NonFinite)
	}
	m.progress.Running.Steps++
	m.progress.Running.Loss += r.Loss * float64(rows)
	m.progress.Running.Rows += rows
	return nil
}

// batches is the steps of the epoch in hand, those that are finished included.
func (m *member) batches() []kernels.Batch {
	c := m.trial.Config
	order, steps := m.sampler.order(m.progress.Epoch), m.sampler.steps()
	first := m.progress.Step - uint64(m.progress.Running.Steps)
	list := make([]kernels.Batch, steps)
	for s := range list {
		step := first + uint64(s)
		list[s] = kernels.Batch{
			Order:        order,
			First:        s * c.Train.Batch,
			Count:        min(c.Train.Batch, order.Len()-s*c.Train.Batch),
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

// orDiverged is err, or, where that is a *notFinite, the *divergence in epoch
// that it shows: finite weights can still give outputs that are not.
func (m *member) orDiverged(err error, epoch int) error {
	var figure *notFinite
	if !errors.As(err, &figure) {
		return err
	}
	return m.diverged(*figure, epoch, m.network.program.Output)
}

// finishEpoch measures the epoch, keeps the weights where they are the best so
// far, and writes the checkpoint last: what a crash undoes is done again alike.
func (m *member) finishEpoch(ctx context.Context) error {
	c := m.trial.Config.Train
	line := EpochMetrics{
		Member: m.index, Epoch: m.progress.Epoch + 1, Step: m.progress.Step,
		LearningRate: learningRate(m.trial.Config.Optimizer, int(m.progress.Step-1), m.sampler.steps(), c.Epochs),
		Values:       map[string]float64{"train.loss": m.progress.Running.Loss / float64(m.progress.Running.Rows)},
	}
	scorer, err := newScorer(ctx, m.trial.Config.Model, m.network, m.rows)
	if err == nil {
		err = m.validate(ctx, scorer, line.Values)
	}
	switch ended := ctx.Err(); {
	case err != nil && ended != nil && errors.Is(err, ended):
		return m.leave(ended)
	case err != nil:
		return m.orDiverged(err, line.Epoch)
	}
	m.progress.Epoch, m.progress.Running = line.Epoch, running{}
	if m.improved(line.Values) {
		if err := m.keepBest(scorer); err != nil {
			return err
		}
	}
	if err := m.metrics.append(line); err != nil {
		return err
	}
	if m.finished() || m.reached() || m.progress.Epoch%c.CheckpointEpochs == 0 || m.due() {
		if err := m.save(); err != nil {
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
