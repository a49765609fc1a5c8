package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"flowbench/train/checkpoint"
)

// ErrPreempted ends a Run whose Warn was closed: the trial stands at a checkpoint
// and can be gone on with, here or elsewhere.
var ErrPreempted = errors.New("preempted: the trial goes on from its checkpoint when it is run again")

// pause ends a Run at Until.
type pause struct{ epoch int }

func (p *pause) Error() string { return fmt.Sprintf("paused after epoch %d", p.epoch) }

// moment is when a checkpoint was written, and of which step.
type moment struct {
	time  time.Time
	step  uint64
	epoch int
}

// memberState is the JSON of a member's checkpoint.
type memberState struct {
	Fingerprint string   `json:"fingerprint"`
	Member      int      `json:"member"`
	Seed        uint64   `json:"seed"`
	Progress    progress `json:"progress"`
	Metrics     place    `json:"metrics"` // as far as metrics.jsonl belongs to it
}

// seriesName is that of a member's checkpoints.
func seriesName(member int) string { return fmt.Sprintf("checkpoint-member%d", member) }

// weightsPath is the file of the member's best epoch, once its training is over.
func (t *Trial) weightsPath(member int) string {
	return filepath.Join(t.Dir, seriesName(member)+"-best.safetensors")
}

// ended is why the trial is to end before its time, or nil.
func (t *Trial) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-t.Warn: // never ready where it is nil
		return ErrPreempted
	default:
		return nil
	}
}

// due says whether a checkpoint is, for the time since the one before. Nothing
// but the checkpoint depends on it.
func (t *Trial) due(since time.Time) bool {
	minutes := t.Config.Train.CheckpointMinutes
	return minutes > 0 && t.time().Sub(since) >= time.Duration(minutes*float64(time.Minute))
}

func (t *Trial) time() time.Time {
	if t.now != nil {
		return t.now()
	}
	return time.Now()
}

// latest is the newest checkpoint of a series that can be used; nil is none. It
// logs those that it passes over, what is damaged, and where the trial then goes
// on from.
func (t *Trial) latest(series *checkpoint.Series, of string, usable func(*checkpoint.Checkpoint) error) (*checkpoint.Checkpoint, error) {
	passed := false
	c, err := series.Latest(usable, func(err error) {
		passed = true
		t.logf("%v", err)
	})
	switch {
	case err != nil || !passed:
	case c == nil:
		t.logf("no checkpoint of %s is whole: it starts again from the beginning", of)
	default:
		t.logf("%s goes on from the checkpoint before", of)
	}
	return c, err
}

// foreign is the error of a state of another trial.
func (t *Trial) foreign(fingerprint, series string) error {
	if fingerprint == t.Fingerprint {
		return nil
	}
	return fmt.Errorf("%s belongs to another trial; remove the trial's folder to train it again", filepath.Join(t.Dir, series))
}

// due says whether a checkpoint of the member is.
func (m *member) due() bool { return m.trial.due(m.saved.time) }

// interval is what happens between two steps: a checkpoint where one is due, and
// one before the training ends early.
func (m *member) interval(ctx context.Context) error {
	if err := m.trial.ended(ctx); err != nil {
		return m.leave(err)
	}
	if m.due() {
		return m.save()
	}
	return nil
}

// leave ends the training for a reason, with a checkpoint.
func (m *member) leave(reason error) error {
	if err := m.save(); err != nil {
		return errors.Join(reason, err)
	}
	return reason
}

// save writes a checkpoint, unless the last one is of the same moment.
func (m *member) save() error {
	now := moment{m.trial.time(), m.progress.Step, m.progress.Epoch}
	if m.saved.step == now.step && m.saved.epoch == now.epoch {
		m.saved.time = now.time
		return nil
	}
	tensors, err := m.network.tensors(false)
	if err != nil {
		return err
	}
	// The lines of the epochs that the checkpoint counts as done come before it.
	if err := m.metrics.sync(); err != nil {
		return err
	}
	state, err := json.Marshal(memberState{m.trial.Fingerprint, m.index, m.seed, m.progress, m.metrics.here()})
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	err = m.series.Save(checkpoint.Checkpoint{State: state, Tensors: &checkpoint.File{Tensors: tensors}, Best: m.best})
	if err == nil {
		m.saved = now
	}
	return err
}

// keepBest makes the weights as they are the best ones. They are written with
// the next checkpoint.
func (m *member) keepBest(scorer *scorer) error {
	tensors, err := m.network.tensors(true)
	if err != nil {
		return err
	}
	m.best = &checkpoint.File{
		Tensors:  append(tensors, scorer.tensors()...),
		Metadata: map[string]string{"fingerprint": m.trial.Fingerprint, "epoch": fmt.Sprint(m.progress.Epoch)},
	}
	return nil
}

// resume goes back to the last checkpoint that is whole, if there is one, and
// drops the metrics of what will be trained again.
func (m *member) resume() error {
	m.saved.time = m.trial.time()
	var state memberState
	c, err := m.trial.latest(m.series, fmt.Sprintf("member %d", m.index), func(c *checkpoint.Checkpoint) (err error) {
		state, err = m.usable(c)
		return err
	})
	if err != nil {
		return err
	}
	if c == nil {
		return m.metrics.truncate()
	}
	if err := m.network.restore(c.Tensors); err != nil {
		return err
	}
	m.progress, m.best = state.Progress, c.Best
	m.saved.step, m.saved.epoch = m.progress.Step, m.progress.Epoch
	m.metrics.advance(state.Metrics)
	if m.finished() {
		return nil // later members' lines may follow
	}
	return m.metrics.truncate()
}

// usable reads the state of a checkpoint, and says why it cannot be gone on from.
func (m *member) usable(c *checkpoint.Checkpoint) (memberState, error) {
	var s memberState
	if err := json.Unmarshal(c.State, &s); err != nil {
		return s, fmt.Errorf("checkpoint: state of %s: %w", seriesName(m.index), err)
	}
	if err := m.trial.foreign(s.Fingerprint, seriesName(m.index)); err != nil {
		return s, err
	}
	if !m.metrics.has(s.Metrics) {
		return s, &checkpoint.DamageError{Path: m.metrics.path, Problem: fmt.Sprintf("its first %d bytes are not those that a checkpoint of epoch %d counts on", s.Metrics.Bytes, s.Progress.Epoch)}
	}
	return s, nil
}
